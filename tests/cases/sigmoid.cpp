#include "engine/ops/activation.h"
#include "tests/cases/case.h"

namespace atrous::cases {

static Case sigmoid_case(const std::string& label, const Shape& shape, double offset = 0) {
    Case c{.label = label, .inputs = {{.name = "x", .shape = shape, .offset = offset}}};
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return sigmoid(in[0]); };
    c.flops = 4 * double(shape.count());
    c.backward_flops = 3 * double(shape.count());
    return c;
}

// The backward pass reads y as stored: near 1, where dx is y * (1 - y), what rounding leaves of 1 - y is all there is.
static Case saturated() {
    Case c = sigmoid_case("saturated", {1, 5, 3, 16}, 8);
    c.tolerance.f32 = 1e-3;  // 1 - y is about e^-8 = 3e-4, and y has steps of 6e-8
    c.tolerance.f64 = 1e-11;
    c.supports = [](DeviceKind, DType t) { return !is_half(t); };
    c.least_nonzero = 1;
    return c;
}

static Case sigmoid_at(const Request& r) { return sigmoid_case("", r.shape(0)); }

static const Family family("sigmoid", sigmoid_at, [] {
    return std::vector<Case>{sigmoid_case("one_value", {1, 1, 1, 1}),
                             sigmoid_case("odd", {2, 5, 7, 3}),
                             sigmoid_case("prime", {1, 13, 11, 17}),
                             sigmoid_case("vectors", {2, 9, 4, 32}),
                             sigmoid_case("many_rows", {3, 67, 1, 8}),
                             sigmoid_case("negative", {1, 5, 3, 16}, -4),
                             saturated()};
});

}  // namespace atrous::cases
