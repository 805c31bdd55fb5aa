// Checks that ops share.
#pragma once

#include "base/label_form.h"
#include "engine/tensor.h"

namespace atrous {

void check_rank4(const char* op, const Tensor& x);
void check_same(const char* op, const Tensor& a, const Tensor& b);  // shape, element type and device
void check_vector(const char* op, const char* what, const Tensor& v,
                  const Tensor& x);  // [C], accumulator type; may be undefined
void check_labels(const char* op, const Tensor& logits, const Tensor& labels);  // u8, one for each pixel of logits
void check_label_form(const char* op, const Tensor& logits, LabelForm form);    // bits: at most 7 channels

// `destination` if it is defined (checked against shape and x's element type and device), else a new dense tensor.
// A destination is memory that holds no value yet, such as one part of a concatenation: writing it overwrites nothing.
Tensor output_or(const char* op, const Tensor& destination, const Shape& shape, const Tensor& x);

}  // namespace atrous
