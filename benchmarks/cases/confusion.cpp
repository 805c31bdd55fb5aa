#include "benchmarks/cases/case.h"
#include "engine/ops/metrics.h"

namespace atrous::cases {

// `threshold_step`: each class's threshold is so much higher than that of the one before.
static Case confusion_at(const Request& r) {
    const Shape& logits = r.shape(0);
    const LabelForm form = LabelForm(r.integer("label_form", 0));
    const int64_t classes = std::max<int64_t>(2, logits[3]);
    const int64_t cells = form == LabelForm::bits ? 4 * logits[3] : classes * classes;
    ClassThresholds thresholds(r.number("threshold", 0));
    for (int64_t k = 0; k < max_bit_classes; ++k) thresholds.of[k] += double(k) * r.number("threshold_step", 0);
    const int ignore_index = int(r.integer("ignore_index", 255));
    Case c{.inputs = {{.name = "logits", .shape = logits, .differentiable = false}, labels_for(logits, form)}};
    c.inputs.push_back(
        {.name = "counts", .shape = {cells}, .role = Role::counts, .differentiable = false, .written = true});
    c.call = [=](const std::vector<Tensor>& in, const Tensor&) {
        Tensor counts = in[2];
        count_confusion(in[0], in[1], counts, thresholds, ignore_index, form);
        return counts;
    };
    return c;
}

static const Measured measured("confusion", confusion_at);

}  // namespace atrous::cases
