#include "engine/ops/ohem.h"
#include "benchmarks/cases/case.h"

namespace atrous::cases {

// Numbers: the options under their names; class_weights, which adds some; terms, which asks for all three terms in place
// of the loss.
static Case ohem_at(const Request& r) {
    const Shape& logits = r.shape(0);
    OhemOptions o;
    o.weight = r.number("weight", o.weight);
    o.thresh = r.number("thresh", o.thresh);
    o.keep = r.number("keep", o.keep);
    o.ignore_index = int(r.integer("ignore_index", o.ignore_index));
    const bool terms = r.number("terms", 0) != 0;
    Case c{.inputs = {{.name = "logits", .shape = logits, .differentiable = !terms}, labels_for(logits)}};
    if (logits[3] == 1) {  // no two odds alike: z and -z are of one where labels differ
        c.inputs[0].fill = Fill::distinct;
        c.inputs[0].offset = 0.01;
    }
    if (r.number("class_weights", 0) != 0)
        c.inputs.push_back({.name = "class weights",
                            .shape = {std::max<int64_t>(2, logits[3])},
                            .role = Role::parameter,
                            .fill = Fill::positive,
                            .differentiable = false});
    c.call = [=](const std::vector<Tensor>& in, const Tensor&) {
        const LossValue value = ohem(in[0], in[1], o, in.size() > 2 ? in[2] : Tensor());
        return terms ? value.terms : value.loss;
    };
    c.flops = c.backward_flops = 16 * double(logits.count());
    // Eight passes of the sort read keys twice and values once and write both; labels are written and read again, and so
    // are the logits.
    const double pixels = double(logits.count() / logits[3]);
    c.forward_extra = {.elements = double(logits.count()), .bytes = (8 * 20 + 2) * pixels};
    return c;
}

static const Measured measured("ohem", ohem_at);

}  // namespace atrous::cases
