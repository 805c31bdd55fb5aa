// Operands of real sizes: random, never zeros, made in little time and memory.
#pragma once

#include "benchmarks/cases/case.h"
#include "engine/tensor.h"

namespace atrous::bench {

// What a case's input holds, at any size: the case's own values repeated every 2^20 - 3 elements.
Tensor operand_of(const cases::Case& c, size_t input, DType activations, Device device);
// The same of any values that are wanted: uniform in ±[0.25, 1.5).
Tensor random_tensor(const Shape& shape, DType dtype, Device device);

}  // namespace atrous::bench
