#include "benchmarks/cases/case.h"
#include "engine/ops/activation.h"

namespace atrous::cases {

static Case relu_at(const Request& r) {
    const Shape& x = r.shape(0);
    Case c{.inputs = {{"x", x, Role::activation, Fill::distinct}}};
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return relu(in[0]); };
    c.flops = c.backward_flops = double(x.count());
    return c;
}

static const Measured measured("relu", relu_at);

}  // namespace atrous::cases
