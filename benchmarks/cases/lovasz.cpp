#include "engine/ops/lovasz.h"
#include "benchmarks/cases/case.h"

namespace atrous::cases {

// Numbers: the options under their names; terms, which asks for all three terms in place of the loss.
static Case lovasz_at(const Request& r) {
    const Shape& logits = r.shape(0);
    LovaszOptions o;
    o.weight = r.number("weight", o.weight);
    o.classes = LovaszClasses(r.integer("classes", int64_t(o.classes)));
    o.per_image = r.number("per_image", o.per_image) != 0;
    o.ignore_index = int(r.integer("ignore_index", o.ignore_index));
    const bool terms = r.number("terms", 0) != 0;
    Case c{.inputs = {{.name = "logits", .shape = logits, .differentiable = !terms}, labels_for(logits)}};
    if (logits[3] == 1) {  // no two errors alike: z and -z are of one error where labels differ
        c.inputs[0].fill = Fill::distinct;
        c.inputs[0].offset = 0.01;
    }
    c.call = [=](const std::vector<Tensor>& in, const Tensor&) {
        const LossValue value = lovasz(in[0], in[1], o);
        return terms ? value.terms : value.loss;
    };
    // Among thousands of errors some are alike to a float's last digits. Where two swap their places, the slopes of both change by a
    // part in the union of class and prediction, which has the class's pixels at least. Half of them are taken as the fewest.
    const int64_t segment = logits.count() / logits[3] / (o.per_image ? logits[0] : 1);
    if (logits.count() > 2000)
        c.tolerance.f32 = std::max(c.tolerance.f32, 2.0 * double(std::max<int64_t>(logits[3], 2)) / double(segment));
    c.flops = c.backward_flops = 10 * double(logits.count());
    // Eight passes of the sort read keys twice and values once and write both; slopes are written, and read again.
    c.forward_extra.bytes = (8 * 20 + 4) * double(logits.count());
    c.backward_extra.bytes = 4 * double(logits.count());
    return c;
}

static const Measured measured("lovasz", lovasz_at);

}  // namespace atrous::cases
