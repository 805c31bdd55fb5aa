// How an op's operands lie in files: as PyTorch has them.
#pragma once

#include "engine/nn/module.h"
#include "engine/ops/descriptor.h"

namespace atrous {

inline FileLayout layout_of(OperandKind kind) {
    switch (kind) {
        case OperandKind::activation:  // NHWC and NCHW are the permutation of ORSI and OIRS
        case OperandKind::conv_weight:
            return FileLayout::conv;
        case OperandKind::conv_transpose_weight:
            return FileLayout::conv_transpose;
        case OperandKind::depthwise_weight:
            return FileLayout::depthwise;
        default:
            return FileLayout::same;
    }
}

}  // namespace atrous
