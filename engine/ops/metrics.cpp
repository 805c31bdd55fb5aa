#include "engine/ops/metrics.h"

#include <algorithm>

#include "engine/context.h"
#include "engine/ops/shapes.h"
#include "kernels/metrics.h"

namespace atrous {

namespace k = kernels;

void count_confusion(const Tensor& logits, const Tensor& labels, Tensor& counts, double threshold, int ignore_index) {
    check_rank4("confusion", logits);
    const int64_t classes = std::max<int64_t>(logits.dim(3), 2);
    if (counts.dtype() != DType::i64 || counts.shape() != Shape{classes * classes})
        throw ShapeError("confusion: counts must be i64 of " + std::to_string(classes * classes) + " elements, not " +
                         counts.shape().text());
    if (labels.dtype() != DType::u8 || labels.count() != logits.dim(0) * logits.dim(1) * logits.dim(2))
        throw ShapeError("confusion: labels " + labels.shape().text() + " do not fit logits " + logits.shape().text());
    if (counts.storage()) counts.storage()->touch();
    run(logits.device(), {k::reference::confusion, k::cpu::confusion, k::cuda::confusion},
        k::ConfusionArgs{logits.view(), labels.as<uint8_t>(), counts.as<int64_t>(), threshold, ignore_index});
}

static OpResults call(const OpArguments& a) {
    const Tensor logits = a.tensor("logits");
    const int64_t classes = std::max<int64_t>(2, logits.dim(3));
    Tensor counts = Tensor::empty({classes * classes}, DType::i64, logits.device());
    const std::vector<int64_t> zeros(static_cast<size_t>(counts.count()));
    counts.copy_from_host(zeros.data(), counts.bytes());
    count_confusion(logits, a.tensor("labels"), counts, a.number("threshold"), int(a.integer("ignore_index", -1)));
    return result(counts, OperandKind::counts);
}

OpDescriptor describe_confusion() {
    return {.name = "confusion",
            .inputs = {{"logits", OperandKind::activation, true, false}, {"labels", OperandKind::labels, true, false}},
            .attributes = {{"threshold", "0"}, {"ignore_index", "255"}},
            .call = call};
}

}  // namespace atrous
