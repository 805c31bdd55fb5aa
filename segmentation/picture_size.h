// The size of a picture whose sides may not be longer than so many pixels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace atrous {

struct PictureSize {
    int64_t h, w;
};

inline PictureSize picture_size(int64_t h, int64_t w, int64_t longest_side) {
    const double scale = std::min(1., double(longest_side) / double(std::max(h, w)));
    const auto scaled = [scale](int64_t side) { return std::max<int64_t>(1, std::llround(double(side) * scale)); };
    return {scaled(h), scaled(w)};
}

}  // namespace atrous
