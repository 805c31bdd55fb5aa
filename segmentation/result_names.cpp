#include "segmentation/result_names.h"

#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/paths.h"

namespace atrous {

namespace fs = std::filesystem;

static void refuse_equal(const std::vector<std::string>& names, const std::vector<InputImage>& images) {
    std::map<std::string, size_t> first;
    for (size_t i = 0; i < names.size(); ++i)
        if (const auto [at, fresh] = first.emplace(names[i], i); !fresh)
            throw UsageError(images[at->second].path + " and " + images[i].path +
                             ": their results would both be called '" + names[i] +
                             "'; predict them into two folders, or name a folder that holds both and -r");
}

std::vector<std::string> result_names(const std::vector<InputImage>& images) {
    std::map<std::string, bool> folders;
    std::vector<std::string> names, whole;
    for (const InputImage& image : images) {
        const fs::path file = image.named.empty() ? image.path : image.named;
        const auto [folder, fresh] = folders.try_emplace(image.input, false);
        if (fresh) folder->second = is_folder(image.input);
        fs::path below = folder->second ? file.parent_path().lexically_relative(image.input).lexically_normal() : "";
        if (below == ".") below.clear();
        names.push_back((below / file.stem()).string());
        whole.push_back((below / file.filename()).string());
    }
    // An image that takes its whole name may meet another's stem, which then gives way as well.
    for (bool changed = true; changed;) {
        changed = false;
        std::map<std::string, int> uses;
        for (const std::string& name : names) ++uses[name];
        for (size_t i = 0; i < names.size(); ++i)
            if (uses[names[i]] > 1 && names[i] != whole[i]) {
                names[i] = whole[i];
                changed = true;
            }
    }
    refuse_equal(names, images);
    return names;
}

}  // namespace atrous
