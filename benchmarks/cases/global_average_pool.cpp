#include "benchmarks/cases/case.h"
#include "engine/ops/global_pool.h"

namespace atrous::cases {

static Case global_average_pool_at(const Request& r) {
    const Shape& x = r.shape(0);
    Case c{.inputs = {{"x", x}}};
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return global_average_pool(in[0]); };
    c.flops = c.backward_flops = double(x.count());
    c.backward_reads_inputs = false;
    return c;
}

static const Measured measured("global_average_pool", global_average_pool_at);

}  // namespace atrous::cases
