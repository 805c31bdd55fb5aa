#include "engine/ops/metrics.h"

#include <algorithm>

#include "engine/context.h"
#include "engine/ops/loss.h"
#include "engine/ops/shapes.h"
#include "kernels/metrics.h"

namespace atrous {

namespace k = kernels;

static int64_t cells_of(const Tensor& logits, LabelForm form) {
    const int64_t classes = std::max<int64_t>(logits.dim(3), 2);
    return form == LabelForm::bits ? 4 * logits.dim(3) : classes * classes;
}

void count_confusion(const Tensor& logits, const Tensor& labels, Tensor& counts, const ClassThresholds& thresholds,
                     int ignore_index, LabelForm form) {
    check_rank4("confusion", logits);
    check_label_form("confusion", logits, form);
    const int64_t cells = cells_of(logits, form);
    if (counts.dtype() != DType::i64 || counts.shape() != Shape{cells})
        throw ShapeError("confusion: counts must be i64 of " + std::to_string(cells) + " elements, not " +
                         counts.shape().text());
    if (labels.dtype() != DType::u8 || labels.count() != logits.dim(0) * logits.dim(1) * logits.dim(2))
        throw ShapeError("confusion: labels " + labels.shape().text() + " do not fit logits " + logits.shape().text());
    if (counts.storage()) counts.storage()->touch();
    run(logits.device(), {k::reference::confusion, k::cpu::confusion, k::cuda::confusion},
        k::ConfusionArgs{logits.view(), labels.as<uint8_t>(), counts.as<int64_t>(), thresholds, ignore_index, form});
}

static OpResults call(const OpArguments& a) {
    const Tensor logits = a.tensor("logits");
    check_rank4("confusion", logits);
    const LabelForm form = label_form(a);
    Tensor counts = Tensor::empty({cells_of(logits, form)}, DType::i64, logits.device());
    const std::vector<int64_t> zeros(static_cast<size_t>(counts.count()));
    counts.copy_from_host(zeros.data(), counts.bytes());
    count_confusion(logits, a.tensor("labels"), counts, a.number("threshold"), int(a.integer("ignore_index", -1)),
                    form);
    return result(counts, OperandKind::counts);
}

OpDescriptor describe_confusion() {
    return {.name = "confusion",
            .inputs = {{"logits", OperandKind::activation, true, false}, {"labels", OperandKind::labels, true, false}},
            .attributes = {{"threshold", "0"}, {"ignore_index", "255"}, {"label_form", "ids"}},
            .call = call};
}

}  // namespace atrous
