#include "benchmarks/cases/case.h"
#include "engine/ops/conv.h"

namespace atrous::cases {

static Case conv_transpose2x2_at(const Request& r) {
    const Shape& x = r.shape(0);
    const Shape w = r.weight_or({2, 2, r.integer("out_channels", std::max<int64_t>(1, x[3] / 2)), x[3]});
    Case c{.inputs = {{"x", x}, {"weight", w, Role::weight}}};
    if (r.has_bias(true)) c.inputs.push_back({"bias", {w[2]}, Role::parameter});
    c.call = [](const std::vector<Tensor>& in, const Tensor& to) {
        return conv_transpose2x2(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), to);
    };
    c.flops = 2.0 * 4 * double(x.count() * w[2]);
    c.backward_flops = 2 * c.flops;
    return c;
}

static const Measured measured("conv_transpose2x2", conv_transpose2x2_at);

}  // namespace atrous::cases
