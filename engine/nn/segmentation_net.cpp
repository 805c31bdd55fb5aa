#include "engine/nn/segmentation_net.h"

#include "engine/ops/window.h"

namespace atrous {

NetOutputs SegmentationNet::padded(const Tensor& x, bool with_auxiliary) {
    const int64_t height = x.dim(1), width = x.dim(2), multiple = input_multiple();
    const auto up = [&](int64_t size) { return (size + multiple - 1) / multiple * multiple; };
    if (up(height) == height && up(width) == width) return compute(x, with_auxiliary);
    const NetOutputs y = compute(window(x, {0, 0, up(height), up(width)}), with_auxiliary);
    const auto crop = [&](const Tensor& t) { return t.defined() ? window(t, {0, 0, height, width}) : t; };
    return {crop(y.out), crop(y.aux)};
}

}  // namespace atrous
