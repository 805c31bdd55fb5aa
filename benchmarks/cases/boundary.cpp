#include "engine/ops/boundary.h"
#include "benchmarks/cases/case.h"

namespace atrous::cases {

// Numbers: the options under their names; terms, which asks for all three terms in place of the loss.
static Case boundary_at(const Request& r) {
    const Shape& logits = r.shape(0);
    BoundaryOptions o;
    o.weight = r.number("weight", o.weight);
    o.background = r.number("background", o.background) != 0;
    o.ignore_index = int(r.integer("ignore_index", o.ignore_index));
    const bool terms = r.number("terms", 0) != 0;
    Case c{.inputs = {{.name = "logits", .shape = logits, .differentiable = !terms}, labels_for(logits)}};
    c.call = [=](const std::vector<Tensor>& in, const Tensor&) {
        const LossValue value = boundary(in[0], in[1], o);
        return terms ? value.terms : value.loss;
    };
    c.flops = c.backward_flops = 10 * double(logits.count());
    // Distances within columns are written, read and written again, and read; slopes are written, and read again.
    c.forward_extra.bytes = (4 * 4 + 4) * double(logits.count());
    c.backward_extra.bytes = 4 * double(logits.count());
    return c;
}

static const Measured measured("boundary", boundary_at);

}  // namespace atrous::cases
