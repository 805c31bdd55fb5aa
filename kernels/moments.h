// What a kernel learns of the values that it writes, so that a batch norm need not read them for their statistics.
#pragma once

#include <cstdint>

namespace atrous::kernels {

// Of a tensor [N][H][W][C] as it is stored, cut into runs of `pixels` neighbouring pixels, of which the last may be shorter:
// [runs][2][C] floats, each channel's mean in the run and the sum of squared deviations from it. The whole tensor's follow
// from them (Chan, Golub, LeVeque 1979):
//
//   mean = sum_r n_r mean_r / n,   squares = sum_r squares_r + n_r (mean_r - mean)^2
struct ChannelMoments {
    float* data = nullptr;  // absent: there are none
    int64_t pixels = 0;     // of a run
    explicit operator bool() const { return data; }
    int64_t runs(int64_t of_pixels) const { return (of_pixels + pixels - 1) / pixels; }
};

}  // namespace atrous::kernels
