#include "benchmarks/cases/case.h"
#include "engine/ops/depthwise.h"

namespace atrous::cases {

static Case depthwise_conv2d_at(const Request& r) {
    const Shape& x = r.shape(0);
    const int64_t side = r.integer("kernel", 3);
    const Shape w = r.weight_or({1, side, side, x[3]});
    const ConvGeometry g = r.convolution(w[1]);
    Case c{.inputs = {{"x", x}, {"weight", {1, w[1], w[2], x[3]}, Role::weight}}};
    if (r.has_bias(false)) c.inputs.push_back({"bias", {x[3]}, Role::parameter});
    c.call = [g](const std::vector<Tensor>& in, const Tensor&) {
        return depthwise_conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), g);
    };
    c.flops = 2.0 * double(x[0] * g.output_size(x[1], w[1]) * g.output_size(x[2], w[2]) * w[1] * w[2] * x[3]);
    c.backward_flops = 2 * c.flops;
    return c;
}

static const Measured measured("depthwise_conv2d", depthwise_conv2d_at);

}  // namespace atrous::cases
