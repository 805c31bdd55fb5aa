// What becomes of one sample of a batch that a device augments; kernels/augment.h says in which order. It is copied to
// devices as it is.
#pragma once

#include <cstdint>
#include <type_traits>

namespace atrous::kernels {

inline constexpr int augmented_channels = 16;  // at most
inline constexpr int no_filter = -1, filter_bits = 22;

// Filters are 32-bit integers. That of an axis has an entry for each output position: the nearest input position, the
// first that is weighed, how many are, and a weight for each in units of 2^-22, with room for `taps`.
inline constexpr int filter_head = 3;
struct FilterPlace {
    int64_t at = no_filter;  // integers before it; no_filter: the axis keeps its size
    int32_t taps = 0;
};

struct AugmentedSample {
    int64_t image = 0, labels = 0;  // bytes before it in the sources
    int32_t h = 0, w = 0;           // as it is stored
    int32_t resized_h = 0, resized_w = 0;
    FilterPlace rows, columns;
    int32_t crop_h = 0, crop_w = 0;
    int32_t top = 0, left = 0;  // of the crop, from the resized image's corner; negative where it is padded
    int32_t from[2][3] = {
        {1, 0, 0}, {0, 1, 0}};  // position (y, x) shows place (from[i][0] y + from[i][1] x + from[i][2]) of the crop
    bool rotates = false, coloured = false;
    uint8_t fill[augmented_channels] = {};
    double cosine = 1, sine = 0;
    double brightness = 1, contrast = 1, low = 0, high = 255;
};
static_assert(std::is_trivially_copyable_v<AugmentedSample>);

}  // namespace atrous::kernels
