// Transposed convolution with a 2x2 kernel and stride 2: every input pixel becomes a 2x2 block.
//
//   y[n, 2h+a, 2w+b, o] = bias[o] + sum_i x[n,h,w,i] * w[a,b,o,i]
//
// x [N][H][W][I], y [N][2H][2W][O]; weights are stored [2][2][O][I] dense (View n=2, h=2, w=O, c=I), so that the two
// columns of one output row are one product of width 2*O. Element types as in conv.h.
#pragma once

#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct ConvTransposeForwardArgs {
    View x, w;
    const void* bias = nullptr;  // [O] or absent
    View y;
};
struct ConvTransposeBackwardInputArgs {
    View dy, w;
    Into dx;
};
struct ConvTransposeBackwardWeightArgs {
    View x, dy;
    Into dw;  // [2][2][O][I], accumulator type
    VectorInto dbias;
};

// clang-format off
namespace reference {
void conv_transpose_forward(Queue&, const ConvTransposeForwardArgs&);
void conv_transpose_backward_input(Queue&, const ConvTransposeBackwardInputArgs&);
void conv_transpose_backward_weight(Queue&, const ConvTransposeBackwardWeightArgs&);
}
namespace cpu {
void conv_transpose_forward(Queue&, const ConvTransposeForwardArgs&);
void conv_transpose_backward_input(Queue&, const ConvTransposeBackwardInputArgs&);
void conv_transpose_backward_weight(Queue&, const ConvTransposeBackwardWeightArgs&);
}
namespace cuda {
void conv_transpose_forward(Queue&, const ConvTransposeForwardArgs&);
void conv_transpose_backward_input(Queue&, const ConvTransposeBackwardInputArgs&);
void conv_transpose_backward_weight(Queue&, const ConvTransposeBackwardWeightArgs&);
}
// clang-format on

}  // namespace atrous::kernels
