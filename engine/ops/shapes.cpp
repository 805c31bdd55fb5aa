#include "engine/ops/shapes.h"

#include <fmt/core.h>

namespace atrous {

void check_rank4(const char* op, const Tensor& x) {
    if (x.shape().rank() != 4)
        throw ShapeError(fmt::format("{}: expected [N][H][W][C], found shape {}", op, x.shape().text()));
}

void check_same(const char* op, const Tensor& a, const Tensor& b) {
    if (a.shape() == b.shape() && a.dtype() == b.dtype() && a.device() == b.device()) return;
    throw ShapeError(fmt::format("{}: {} {} on {} and {} {} on {} must agree", op, name_of(a.dtype()), a.shape().text(),
                                 name_of(a.device()), name_of(b.dtype()), b.shape().text(), name_of(b.device())));
}

void check_vector(const char* op, const char* what, const Tensor& v, const Tensor& x) {
    if (!v.defined()) return;
    const int64_t channels = x.dim(x.shape().rank() - 1);
    if (v.shape() != Shape{channels} || v.dtype() != accumulator_of(x.dtype()))
        throw ShapeError(fmt::format("{}: {} is {} {}, expected {} {}", op, what, name_of(v.dtype()), v.shape().text(),
                                     name_of(accumulator_of(x.dtype())), channels));
}

void check_labels(const char* op, const Tensor& logits, const Tensor& labels) {
    check_rank4(op, logits);
    if (labels.dtype() != DType::u8 || labels.shape() != Shape{logits.dim(0), logits.dim(1), logits.dim(2), 1})
        throw ShapeError(fmt::format("{}: labels are {} {}, expected u8 {}x{}x{}x1 for logits {}", op,
                                     name_of(labels.dtype()), labels.shape().text(), logits.dim(0), logits.dim(1),
                                     logits.dim(2), logits.shape().text()));
}

void check_label_form(const char* op, const Tensor& logits, LabelForm form) {
    if (form == LabelForm::bits && logits.dim(3) > max_bit_classes)
        throw ShapeError(
            fmt::format("{}: labels in bits of {} classes; expected at most {}, one bit a class and 255 free", op,
                        logits.dim(3), max_bit_classes));
}

Tensor output_or(const char* op, const Tensor& destination, const Shape& shape, const Tensor& x) {
    if (!destination.defined()) return Tensor::empty(shape, x.dtype(), x.device());
    if (destination.shape() != shape || destination.dtype() != x.dtype() || destination.device() != x.device())
        throw ShapeError(fmt::format("{}: the destination is {} {}, the result {} {}", op, name_of(destination.dtype()),
                                     destination.shape().text(), name_of(x.dtype()), shape.text()));
    return destination;
}

}  // namespace atrous
