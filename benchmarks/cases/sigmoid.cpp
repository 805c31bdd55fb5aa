#include "benchmarks/cases/case.h"
#include "engine/ops/activation.h"

namespace atrous::cases {

static Case sigmoid_at(const Request& r) {
    const Shape& x = r.shape(0);
    Case c{.inputs = {{"x", x}}};
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return sigmoid(in[0]); };
    c.flops = 4 * double(x.count());
    c.backward_flops = 3 * double(x.count());
    return c;
}

static const Measured measured("sigmoid", sigmoid_at);

}  // namespace atrous::cases
