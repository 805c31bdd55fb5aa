#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested sigmoid_case(const std::string& label, const Shape& shape, double offset = 0) {
    Tested c("sigmoid", label, {.shapes = {shape}});
    c.inputs[0].offset = offset;
    return c;
}

// The backward pass reads y as stored: near 1, where dx is y * (1 - y), what rounding leaves of 1 - y is all there is.
static Tested saturated() {
    Tested c = sigmoid_case("saturated", {1, 5, 3, 16}, 8);
    c.tolerance.f32 = 1e-3;  // 1 - y is about e^-8 = 3e-4, and y has steps of 6e-8
    c.tolerance.f64 = 1e-11;
    c.supports = [](DeviceKind, DType t) { return !is_half(t); };
    c.least_nonzero = 1;
    return c;
}

static const Family family("sigmoid", [] {
    return std::vector<Tested>{sigmoid_case("one_value", {1, 1, 1, 1}),
                               sigmoid_case("odd", {2, 5, 7, 3}),
                               sigmoid_case("prime", {1, 13, 11, 17}),
                               sigmoid_case("vectors", {2, 9, 4, 32}),
                               sigmoid_case("many_rows", {3, 67, 1, 8}),
                               sigmoid_case("negative", {1, 5, 3, 16}, -4),
                               saturated()};
});

}  // namespace atrous::cases
