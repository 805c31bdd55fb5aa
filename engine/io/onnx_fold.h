// Batch norm taken into the convolutions in front of it.
#pragma once

#include "engine/io/onnx_file.h"

namespace atrous::io {

// Where a batch norm alone reads what a convolution gives:
//   weight' = weight * gamma / sqrt(variance + epsilon),   bias' = (bias - mean) * gamma / sqrt(variance + epsilon) + beta
// under the convolution's names; a bias that was not there is called as its weight, with `bias` at the end. Sums are done in
// double. The weights must be f32. Returns how many batch norms it took; the others stay.
int fold_batch_norm(OnnxModel& model);

}  // namespace atrous::io
