// Members of the kernel families that convolve by Winograd's filtering with tiles of m x m outputs, m = 2 or 4.
#pragma once

#include "kernels/conv.h"

namespace atrous::kernels::cpu {

template <int m>
Implementation<ConvForwardArgs> forward_by_winograd();
template <int m>
Implementation<ConvBackwardInputArgs> backward_input_by_winograd();
template <int m>
Implementation<ConvBackwardWeightArgs> backward_weight_by_winograd();

}  // namespace atrous::kernels::cpu
