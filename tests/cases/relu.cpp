#include "engine/ops/activation.h"
#include "tests/cases/case.h"

namespace atrous::cases {

static Case relu_case(const std::string& label, const Shape& shape) {
    Case c{.label = label, .inputs = {{"x", shape, Role::activation, Fill::distinct}}};
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return relu(in[0]); };
    c.exact = true;
    c.flops = c.backward_flops = double(shape.count());
    return c;
}

static Case relu_at(const Request& r) { return relu_case("", r.shape(0)); }

static const Family family("relu", relu_at, [] {
    return std::vector<Case>{relu_case("one_value", {1, 1, 1, 1}),
                             relu_case("one_pixel", {1, 1, 1, 24}),
                             relu_case("odd", {2, 5, 7, 3}),
                             relu_case("prime", {1, 13, 11, 17}),
                             relu_case("vectors", {2, 9, 4, 32}),
                             relu_case("many_rows", {3, 67, 1, 8}),
                             relu_case("wide_channels", {1, 2, 3, 260})};
});

}  // namespace atrous::cases
