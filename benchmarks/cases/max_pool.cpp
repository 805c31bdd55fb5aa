#include "benchmarks/cases/case.h"
#include "engine/ops/pool.h"

namespace atrous::cases {

static Case max_pool_at(const Request& r) {
    const Shape& x = r.shape(0);
    const int kernel = int(r.integer("kernel", 2));
    const PoolGeometry g{kernel, int(r.integer("stride", 2)), int(r.integer("padding", (kernel - 1) / 2))};
    Case c{.inputs = {{"x", x, Role::activation, Fill::distinct}}};
    c.call = [g](const std::vector<Tensor>& in, const Tensor&) { return max_pool(in[0], g); };
    c.flops = double(x.count()) * g.kernel * g.kernel / (g.stride * g.stride);
    c.backward_reads_inputs = false;
    c.forward_extra.bytes = c.backward_extra.bytes =  // where each maximum lay, a byte each
        double(x.count()) / (g.stride * g.stride);
    return c;
}

static const Measured measured("max_pool", max_pool_at);

}  // namespace atrous::cases
