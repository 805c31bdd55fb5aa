// Sums over the pixels of each image, which global pooling and the resampling of single pixels share (global_pool.cu).
#pragma once

#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels::cuda {

// sums[n, 0, 0, c] (+)= sum over pixels of x[n, pixel, c] / divisor, in a fixed order; x has a pixel at least, and at most
// 65535 images. The variant log knows it as `function`, `variant` before its width.
void sum_pixels(Queue&, const View& x, const GradTarget& sums, double divisor, const char* function,
                const char* variant = "");

}  // namespace atrous::kernels::cuda
