#include "engine/ops/dropout.h"
#include "benchmarks/cases/case.h"

namespace atrous::cases {

static Case dropout_at(const Request& r) {
    const Shape& x = r.shape(0);
    Case c{.inputs = {{"x", x}}};
    c.call = [p = r.number("p", 0.5)](const std::vector<Tensor>& in, const Tensor&) {
        const StepRandomness random(5, 11, 1);
        return dropout(in[0], p, true);
    };
    c.flops = c.backward_flops = double(x.count());
    c.backward_reads_inputs = false;
    return c;
}

static const Measured measured("dropout", dropout_at);

}  // namespace atrous::cases
