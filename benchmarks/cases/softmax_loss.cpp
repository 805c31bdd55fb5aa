#include "engine/ops/softmax_loss.h"
#include "benchmarks/cases/case.h"

namespace atrous::cases {

static SoftmaxLossOptions options_of(const Request& r) {
    SoftmaxLossOptions o;
    for (const auto& [name, value] : {std::pair{"ce_weight", &o.ce_weight},
                                      {"region_weight", &o.region_weight},
                                      {"gamma", &o.gamma},
                                      {"smoothing", &o.smoothing},
                                      {"alpha", &o.alpha},
                                      {"beta", &o.beta},
                                      {"smooth", &o.smooth},
                                      {"exponent", &o.exponent},
                                      {"normalizer", &o.normalizer}})
        *value = r.number(name, *value);
    o.groups = DiceGroups(r.integer("groups", int64_t(o.groups)));
    o.background = r.number("background", o.background) != 0;
    o.ignore_index = int(r.integer("ignore_index", o.ignore_index));
    return o;
}

// Numbers: the options under their names; class_weights, which adds some; terms, which asks for all four terms in place
// of the loss.
static Case softmax_loss_at(const Request& r) {
    const Shape& logits = r.shape(0);
    const bool terms = r.number("terms", 0) != 0;
    Case c{.inputs = {{.name = "logits", .shape = logits, .differentiable = !terms}, labels_for(logits)}};
    if (r.number("class_weights", 0) != 0)
        c.inputs.push_back({.name = "class weights",
                            .shape = {std::max<int64_t>(2, logits[3])},
                            .role = Role::parameter,
                            .fill = Fill::positive,
                            .differentiable = false});
    c.call = [terms, o = options_of(r)](const std::vector<Tensor>& in, const Tensor&) {
        const LossValue value = softmax_loss(in[0], in[1], o, in.size() > 2 ? in[2] : Tensor());
        return terms ? value.terms : value.loss;
    };
    c.flops = c.backward_flops = 14 * double(logits.count());
    return c;
}

static const Measured measured("softmax_loss", softmax_loss_at);

}  // namespace atrous::cases
