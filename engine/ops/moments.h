// Moments of a convolution's output (kernels/moments.h) on their way to the batch norm behind it.
#pragma once

#include "engine/tensor.h"
#include "kernels/moments.h"

namespace atrous {

struct OutputMoments {
    Tensor data = {};  // undefined where the convolution gives none
    int64_t pixels = 0;
    kernels::ChannelMoments view() const {
        return data.defined() ? kernels::ChannelMoments{data.as<float>(), pixels} : kernels::ChannelMoments{};
    }
};

}  // namespace atrous
