#include "benchmarks/cases/case.h"
#include "engine/ops/resize.h"

namespace atrous::cases {

static Case nearest_at(const Request& r) {
    Case c{.inputs = {{"x", r.shape(0)}}};
    c.call = [y = r.resized()](const std::vector<Tensor>& in, const Tensor& to) {
        return nearest(in[0], y[1], y[2], to);
    };
    c.backward_reads_inputs = false;
    return c;
}

static const Measured measured("nearest", nearest_at);

}  // namespace atrous::cases
