#include <fmt/core.h>

#include <iterator>

#include "benchmarks/cases/case.h"
#include "engine/ops/loss.h"

namespace atrous::cases {

// Numbers: the options under their names, weight_0 and on, of the channels; terms, which asks for all four terms in place of the loss.
static Case bce_dice_at(const Request& r) {
    const Shape& logits = r.shape(0);
    BceDiceOptions o;
    o.bce_weight = r.number("bce_weight", o.bce_weight);
    o.dice_weight = r.number("dice_weight", o.dice_weight);
    o.smooth = r.number("smooth", o.smooth);
    o.smoothing = r.number("smoothing", o.smoothing);
    o.pos_weight = r.number("pos_weight", o.pos_weight);
    o.normalizer = r.number("normalizer", o.normalizer);
    o.groups = DiceGroups(r.integer("groups", int64_t(o.groups)));
    o.ignore_index = int(r.integer("ignore_index", o.ignore_index));
    o.labels = LabelForm(r.integer("label_form", int64_t(o.labels)));
    o.gamma = r.number("gamma", o.gamma);
    o.alpha = r.number("alpha", o.alpha), o.beta = r.number("beta", o.beta);
    o.exponent = r.number("exponent", o.exponent);
    for (size_t c = 0; c < std::size(o.weights); ++c)
        o.weights[c] = r.number(fmt::format("weight_{}", c), o.weights[c]);
    const bool terms = r.number("terms", 0) != 0;
    Case c{.inputs = {{.name = "logits", .shape = logits, .differentiable = !terms}, labels_for(logits, o.labels)}};
    c.call = [=](const std::vector<Tensor>& in, const Tensor&) {
        const LossValue value = bce_dice(in[0], in[1], o);
        return terms ? value.terms : value.loss;
    };
    c.flops = c.backward_flops = 12 * double(logits.count());
    return c;
}

static const Measured measured("bce_dice", bce_dice_at);

}  // namespace atrous::cases
