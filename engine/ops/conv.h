// Convolutions; formulas and layouts in kernels/conv.h and kernels/conv_transpose.h.
#pragma once

#include "engine/ops/descriptor.h"
#include "engine/ops/moments.h"
#include "kernels/conv.h"

namespace atrous {

using kernels::ConvGeometry;

// x [N][H][W][I], weight [O][R][S][I], bias [O] or undefined -> [N][P][Q][O].
// Throws ShapeError where channels differ or the kernel does not fit.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvGeometry geometry);
// The same, of which a pixel's rounding does not depend on where in the image it lies (on the cpu), so that exact windows
// (segmentation/windows.h) give what the whole image gives, and its gradient likewise: it is exactly zero outside of what
// depends on x. Slower in places.
Tensor conv2d_same_everywhere(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvGeometry geometry);
// The same as conv2d, with the output's moments where what computes it can give them.
Tensor conv2d_with_moments(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvGeometry geometry,
                           OutputMoments& moments);

// 2x2 transposed convolution of stride 2: x [N][H][W][I], weight [2][2][O][I], bias [O] or undefined -> [N][2H][2W][O],
// written into `destination` (a channel slice, say) if that is given.
Tensor conv_transpose2x2(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& destination = {});

// The convolutions of a ConvGeometry share this descriptor.
OpDescriptor describe_convolution(const char* name, OperandKind weight,
                                  Tensor (*f)(const Tensor&, const Tensor&, const Tensor&, ConvGeometry));

OpDescriptor describe_conv2d();
OpDescriptor describe_conv_transpose2x2();
inline const AddedOps convolutions_added{describe_conv2d, describe_conv_transpose2x2};

}  // namespace atrous
