#include "engine/ops/conv.h"
#include "tests/cases/case.h"

namespace atrous::cases {

static Case up_case(const std::string& label, const Shape& x, int64_t o, bool bias) {
    Case c{.label = label, .inputs = {{"x", x}, {"weight", {2, 2, o, x[3]}, Role::weight}}};
    if (bias) c.inputs.push_back({"bias", {o}, Role::parameter});
    c.call = [](const std::vector<Tensor>& in, const Tensor& to) {
        return conv_transpose2x2(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), to);
    };
    c.takes_destination = true;
    c.exact = true;
    c.flops = 2.0 * 4 * double(x.count() * o);
    c.backward_flops = 2 * c.flops;
    return c;
}

static Case conv_transpose2x2_at(const Request& r) {
    const Shape& x = r.shape(0);
    const bool known = !r.parameters.empty();
    return up_case("", x, known ? r.parameters[0][2] : r.integer("out_channels", std::max<int64_t>(1, x[3] / 2)),
                   known ? r.parameters.size() > 1 : r.number("bias", 1) != 0);
}

static const Family family("conv_transpose2x2", conv_transpose2x2_at, [] {
    return std::vector<Case>{
        up_case("one_value", {1, 1, 1, 1}, 1, true),  up_case("one_pixel", {1, 1, 1, 16}, 8, false),
        up_case("odd", {2, 3, 5, 3}, 5, true),        up_case("odd_no_bias", {1, 5, 2, 7}, 3, false),
        up_case("vectors", {2, 4, 3, 16}, 8, true),   up_case("vectors_no_bias", {1, 5, 5, 8}, 16, false),
        up_case("prime", {1, 7, 5, 17}, 11, true),    up_case("wide", {1, 2, 3, 8}, 72, true),
        up_case("deep", {1, 3, 2, 72}, 8, false),     up_case("many_pixels", {1, 11, 13, 8}, 8, true),
        up_case("mixed_out", {1, 4, 4, 16}, 5, true), up_case("mixed_in", {1, 4, 4, 5}, 16, true)};
});

}  // namespace atrous::cases
