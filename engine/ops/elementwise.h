// Sums, casts and concatenation of channels.
#pragma once

#include <span>

#include "engine/ops/descriptor.h"

namespace atrous {

Tensor add(const Tensor& a, const Tensor& b);
// x with another element type; x itself if it has that type already.
Tensor cast(const Tensor& x, DType dtype);

// Concatenation along channels. Parts that already lie side by side in one block (made by reserve_concat and filled by
// ops that take a destination) are joined without a copy, and so are their gradients.
Tensor concat(std::span<const Tensor> parts);
Tensor concat(const Tensor& a, const Tensor& b);

// The parts of a concatenation to come: channel slices of one new block.
std::vector<Tensor> reserve_concat(int64_t n, int64_t h, int64_t w, std::span<const int64_t> channels, DType dtype,
                                   Device device);

OpDescriptor describe_add();
OpDescriptor describe_cast();
OpDescriptor describe_concat();
inline const AddedOps elementwise_added{describe_add, describe_cast, describe_concat};

}  // namespace atrous
