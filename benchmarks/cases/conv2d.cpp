#include "benchmarks/cases/case.h"
#include "engine/ops/conv.h"

namespace atrous::cases {

static Case conv2d_at(const Request& r) {
    const Shape& x = r.shape(0);
    const int64_t side = r.integer("kernel", 3);
    const Shape w = r.weight_or({r.integer("out_channels", x[3]), side, side, x[3]});
    const ConvGeometry g = r.convolution(w[1]);
    Case c{.inputs = {{"x", x}, {"weight", w, Role::weight}}};
    if (r.has_bias(false)) c.inputs.push_back({"bias", {w[0]}, Role::parameter});
    c.call = [g](const std::vector<Tensor>& in, const Tensor&) {
        return conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), g);
    };
    c.flops = 2.0 * double(x[0] * g.output_size(x[1], w[1]) * g.output_size(x[2], w[2]) * w.count());
    c.backward_flops = 2 * c.flops;
    return c;
}

static const Measured measured("conv2d", conv2d_at);

}  // namespace atrous::cases
