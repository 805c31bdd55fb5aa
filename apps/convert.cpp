#include <fmt/core.h>

#include <cstdio>
#include <filesystem>

#include "apps/options.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/io/known_weights.h"
#include "engine/io/pth.h"
#include "engine/io/safetensors.h"
#include "segmentation/outputs.h"

namespace atrous::app {

// A training's moments, and the weights that it goes on with where the net's names are those of averages, belong to no
// state dict.
static bool belongs_to_training(const io::TensorFile& file, const std::string& name) {
    return file.metadata().count("atrous.training") && name.starts_with("train.");
}

static std::vector<io::TensorToWrite> tensors_of(const io::TensorFile& file, const std::string& only) {
    std::vector<io::TensorToWrite> tensors;
    int64_t training = 0;
    for (const io::TensorInfo& info : file.tensors()) {
        if (belongs_to_training(file, info.name)) {
            ++training;
            continue;
        }
        if (!info.name.starts_with(only)) continue;
        tensors.push_back({info.name.substr(only.size()), info.dtype, info.shape, [&file, &info](io::Sink& sink) {
                               const auto bytes = file.bytes(info);
                               file.verify_unchanged();
                               sink.write(bytes.data(), bytes.size());
                           }});
    }
    if (tensors.empty()) throw UsageError("--only " + only + ": no tensor's name begins so in " + file.path());
    if (training > 0) fmt::print("left out: {} tensors of the training (train.*)\n", training);
    return tensors;
}

int convert(int argc, const char* const* argv) {
    Options o("convert",
              "Converts weights between .pth or .pt (PyTorch's, zip and legacy) and .safetensors. Names, shapes and "
              "values stay as they are.");
    std::string in, out, entry, only;
    bool overwrite = false;
    o.bind("input", in, "file of weights").positional().required();
    o.bind("output", out, "file to write: *.safetensors, *.pth or *.pt").positional().required();
    o.bind("entry", entry, "dict to take of a .pth file with several dicts of tensors");
    o.bind("only", only, "beginning of the names of the tensors to take, which they lose");
    describe_overwrite(o, overwrite);
    o.parse(argc, argv);
    const std::string extension = std::filesystem::path(out).extension().string();
    const bool pth = extension == ".pth" || extension == ".pt";
    if (!pth && extension != ".safetensors")
        throw UsageError("output " + out + ": expected a name that ends in .safetensors, .pth or .pt");
    Outputs()
        .reads("input", in)
        .reads("--config", o.config_file())
        .writes("output", out, FileKind::weights)
        .check(overwrite);
    const auto file = entry.empty() ? io::open_tensors(in) : std::make_unique<io::PthFile>(in, entry);
    const std::string known = io::recognized(in);
    if (!known.empty()) fmt::print("{}\n", known);
    for (const std::string& note : file->notes()) fmt::print("{}\n", note);
    const auto tensors = tensors_of(*file, only);
    if (pth) {
        io::write_pth(out, tensors);
        if (file->metadata().count("atrous.recipe"))
            fmt::print("note: a .pth file has no place for the model card; forward needs --model and the like\n");
    } else {
        auto metadata = file->metadata();
        metadata.erase("atrous.training");
        metadata.emplace("format", "pt");
        io::write_safetensors(out, tensors, metadata);
    }
    uint64_t bytes = 0;
    for (const io::TensorInfo& info : file->tensors())
        if (info.name.starts_with(only) && !belongs_to_training(*file, info.name)) bytes += info.bytes();
    fmt::print("{} ({}) -> {}: {} tensors, {}\n", in, file->format(), out, tensors.size(), io::format_bytes(bytes));
    return 0;
}

}  // namespace atrous::app
