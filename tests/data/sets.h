// Small data sets on disk, for the tests of discovery, splits and checks.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "fixtures.h"

namespace atrous::data::test {

inline void add_image(const std::string& path, int64_t h = 6, int64_t w = 8) {
    path.ends_with(".jpg") ? save_jpeg(path, pattern(h, w, 3)) : save_png(path, pattern(h, w, 3));
}
inline void add_mask(const std::string& path, int64_t h = 6, int64_t w = 8) {
    Image mask = make_image<uint8_t>(h, w, 1);
    for (size_t i = 0; i < mask.u8.size(); i += 3) mask.u8[i] = 255;
    save_png(path, mask);
}

inline Dataset find(const TempDir& dir, const std::function<void(DatasetOptions&)>& change = {}) {
    DatasetOptions options;
    options.root = dir.path().string();
    if (change) change(options);
    return find_dataset(options);
}

inline std::vector<std::string> names(const std::vector<Sample>& samples) {
    std::vector<std::string> out;
    for (const auto& sample : samples) out.push_back(sample.name);
    return out;
}
using Names = std::vector<std::string>;

inline void flat(const TempDir& dir, int count, const std::string& images = "images/",
                 const std::string& masks = "masks/", const std::string& suffix = "") {
    for (int i = 0; i < count; ++i) {
        const std::string stem = std::string(1, char('a' + i)) + std::to_string(i);
        Image image = pattern(6, 8, 3);  // no two are alike
        for (size_t k = 0; k < image.u8.size(); ++k) image.u8[k] = uint8_t(image.u8[k] * (2 * i + 1) + 31 * i);
        save_jpeg(dir / (images + stem + ".jpg"), image);
        add_mask(dir / (masks + stem + suffix + ".png"));
    }
}

}  // namespace atrous::data::test
