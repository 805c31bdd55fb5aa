#include "data/layouts/list_samples.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/list.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

// Resolves bare stems of a list through a pair of folders, which it indexes once.
class StemFinder {
 public:
    explicit StemFinder(const std::optional<FolderPair>& pair) {
        if (!pair) return;
        std::vector<std::string> skipped;  // a list that needs one of them says which it misses
        images_ = by_stem(pair->images, skipped);
        masks_ = by_stem(pair->masks, skipped);
    }
    Sample find(const std::string& entry, const fs::path& root, const std::string& where) const {
        const std::string file = fs::path(entry).filename().string();
        const std::string stem = is_image_name(file) ? fs::path(file).stem().string() : file;
        const auto image = images_.find(stem);
        const auto mask = find_mask(masks_, stem);
        if (image == images_.end() || mask == masks_.end())
            throw DataError(fmt::format("{}: no {} is called '{}'; write 'image mask' with paths relative to {}", where,
                                        image == images_.end() ? "image" : "mask", stem, root.string()));
        return {image->second.string(), mask->second.string(), sample_name(image->second, root)};
    }

 private:
    FilesByStem images_, masks_;
};

// A run-length list names images without their folder.
fs::path below(const fs::path& root, const std::string& file) {
    if (is_file(root / file)) return root / file;
    for (const char* folder : image_folders)
        if (is_file(root / folder / file)) return root / folder / file;
    return root / "train" / file;
}

}  // namespace

std::vector<Sample> samples_of_list(const std::string& list, const fs::path& root,
                                    const std::optional<FolderPair>& pair) {
    const StemFinder finder(pair);
    std::vector<Sample> samples;
    std::vector<std::string> missing;
    for (const auto& entry : read_list(list)) {
        const std::string where = fmt::format("{}:{}", list, entry.line);
        if (entry.mask.empty() && !entry.rle) {
            samples.push_back(finder.find(entry.image, root, where));
            continue;
        }
        const fs::path image = entry.rle ? below(root, entry.image) : root / entry.image, mask = root / entry.mask;
        for (const fs::path& file : {image, entry.rle ? image : mask})
            if (!is_file(file)) {
                missing.push_back(fmt::format("{} (line {}: {})", file.string(), entry.line, absence(file, "file")));
                break;
            }
        samples.push_back({image.string(), entry.rle ? where : mask.string(), sample_name(image, root), entry.rle});
    }
    if (!missing.empty())
        throw DataError(fmt::format("{}: {} files cannot be found: {}; paths are relative to {}", list, missing.size(),
                                    few_of(missing), root.string()));
    if (samples.empty()) throw DataError(fmt::format("{}: the list names no sample", list));
    return samples;
}

std::vector<Sample> samples_of_list(const std::string& list, const std::string& root) {
    return samples_of_list(list, root, find_pair(root));
}

}  // namespace atrous::data
