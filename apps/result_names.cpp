#include "apps/result_names.h"

#include <filesystem>
#include <map>

#include "kernels/base/paths.h"

namespace atrous::app {

namespace fs = std::filesystem;

std::vector<std::string> result_names(const std::vector<std::string>& pictures, const std::string& input) {
    const bool folder = is_folder(input);
    std::vector<std::string> names, whole;
    for (const std::string& picture : pictures) {
        const fs::path file = picture;
        fs::path below = folder ? file.parent_path().lexically_relative(input).lexically_normal() : "";
        if (below == ".") below.clear();
        names.push_back((below / file.stem()).string());
        whole.push_back((below / file.filename()).string());
    }
    // Whole names are unique. A picture that takes its own may meet another's stem, which then gives way as well.
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
    return names;
}

}  // namespace atrous::app
