// The member "padded" of convolution's families on a GPU: fewer input channels than fill 16 bytes, filled up with zeros.
// Forward and weight gradient; images, for which it is there, want no gradient.
#pragma once

#include "kernels/conv.h"

namespace atrous::kernels::cuda {

bool fits_padded(Queue&, const ConvForwardArgs&);
bool fits_padded(Queue&, const ConvBackwardWeightArgs&);
void run_padded(Queue&, const ConvForwardArgs&);
void run_padded(Queue&, const ConvBackwardWeightArgs&);

template <class Args>
Implementation<Args> by_padded() {
    Implementation<Args> i;
    i.name = "padded";
    i.needs =
        "capability 8.0; bf16, fp16 or tf32, fewer than 8 input channels (tf32: 4) and the output as \"mma\" wants it";
    i.supports = [](Queue& q, const Args& a) { return fits_padded(q, a); };
    i.run = [](Queue& q, const Args& a) { run_padded(q, a); };
    return i;
}

}  // namespace atrous::kernels::cuda
