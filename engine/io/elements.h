// Values as they lie in files, from one element type to another.
#pragma once

#include <cstddef>
#include <vector>

#include "base/dtype.h"

namespace atrous::io {

// Real types convert into each other, whole numbers into i64, and every type into itself.
bool converts(DType from, DType to);

// ShapeError where converts() is false. Narrower real types are rounded to nearest, ties to even.
std::vector<std::byte> converted(std::vector<std::byte> values, DType from, DType to);

std::vector<double> as_doubles(const std::vector<std::byte>& values, DType dtype);
std::vector<std::byte> from_doubles(const std::vector<double>& values, DType dtype);  // real types and i64

}  // namespace atrous::io
