#include "segmentation/checkpoint_path.h"

#include "base/paths.h"
#include "base/posix.h"

namespace atrous {

Setting<std::string>& describe_checkpoint(Settings& settings, std::string& path) {
    return settings.bind("checkpoint", path, "checkpoint or run folder of atrous train");
}

static bool is_pytorchs(const std::string& path) {
    const io::FileDescriptor file = io::open_for_reading(path);
    std::string begin(2, '\0');
    begin.resize(io::read_at(file, begin.data(), begin.size(), 0, path));
    return begin == "PK" || begin == "\x80\x02";  // a zip archive, or a pickle of the time before
}

std::string checkpoint_file(const std::string& path) {
    if (is_folder(path)) {
        for (const char* name : {"/best.safetensors", "/last.safetensors"})
            if (is_file(path + name)) return path + name;
        throw IoError(path +
                      ": this folder holds neither best.safetensors nor last.safetensors; name a run folder of "
                      "atrous train, or a checkpoint");
    }
    if (is_pytorchs(path))
        throw FormatError(path +
                          ": a file of PyTorch's, which does not say what net it is of; train on from it with "
                          "`pretrained`, or score and predict with it and `model`");
    return path;
}

}  // namespace atrous
