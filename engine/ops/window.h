// Cropping and zero padding; formula in kernels/window.h.
#pragma once

#include "engine/ops/descriptor.h"

namespace atrous {

// The rectangle of an image that begins at (top, left), which may be negative or reach beyond the image.
struct Window {
    int64_t top = 0, left = 0, height = 0, width = 0;
};

// x [N][H][W][C] -> [N][height][width][C]: x inside the window, zero where the window reaches beyond x.
Tensor window(const Tensor& x, const Window& w);

OpDescriptor describe_window();
inline const AddedOps window_added{describe_window};

}  // namespace atrous
