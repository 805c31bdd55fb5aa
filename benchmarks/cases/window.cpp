#include "engine/ops/window.h"
#include "benchmarks/cases/case.h"

namespace atrous::cases {

static Case window_at(const Request& r) {
    const Shape y = r.output.rank() == 4 ? r.output : r.shape(0);
    Case c{.inputs = {{"x", r.shape(0)}}};
    c.call = [w = Window{r.integer("top", 0), r.integer("left", 0), y[1], y[2]}](
                 const std::vector<Tensor>& in, const Tensor&) { return window(in[0], w); };
    c.backward_reads_inputs = false;
    return c;
}

static const Measured measured("window", window_at);

}  // namespace atrous::cases
