#include "engine/ops/ohem.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/label_range.h"
#include "engine/ops/shapes.h"
#include "engine/ops/softmax_loss.h"

namespace atrous {

namespace k = kernels;

Tensor hard_pixels(const Tensor& logits, const Tensor& labels, const HardPixelOptions& options) {
    check_labels("ohem", logits, labels);
    if (logits.dim(3) > k::easy_label)
        throw ShapeError(fmt::format("ohem: {} classes, expected at most {}", logits.dim(3), k::easy_label));
    if (!(options.thresh >= 0 && options.thresh <= 1) || !(options.keep > 0 && options.keep <= 1))
        throw ShapeError(
            fmt::format("ohem: thresh {}, keep {}: expected a thresh from 0 to 1 and a keep above 0, up to 1",
                        options.thresh, options.keep));
    Tensor mined = Tensor::empty(labels.shape(), DType::u8, labels.device());
    run(logits.device(), {k::reference::hard_pixels, k::cpu::hard_pixels, k::cuda::hard_pixels, true},
        k::HardPixelsArgs{logits.view(), labels.as<uint8_t>(), mined.as<uint8_t>(), options});
    return mined;
}

LossValue ohem(const Tensor& logits, const Tensor& labels, const OhemOptions& options, const Tensor& class_weights,
               bool look_at_labels) {
    const SoftmaxLossOptions cross_entropy{.ce_weight = options.weight, .ignore_index = k::easy_label};
    check_class_weights("ohem", logits, class_weights);
    const LossValue hard =
        softmax_loss(logits, hard_pixels(logits, labels, options), cross_entropy, class_weights, false);
    const NoTape off;
    Tensor terms = Tensor::empty({3}, hard.terms.dtype(), logits.device());
    terms.part(0, {2}).copy_from(hard.terms.part(0, {2}));
    terms.part(2, {1}).copy_from(hard.terms.part(3, {1}));
    if (!look_at_labels) return {hard.loss, terms};
    return {hard.loss, terms, labels_out_of_range(labels, logits.dim(3), options.ignore_index)};
}

static OpResults call(const OpArguments& a) {
    OhemOptions o;
    o.weight = a.number("weight");
    o.thresh = a.number("thresh");
    o.keep = a.number("keep");
    o.ignore_index = int(a.integer("ignore_index", -1));
    return as_results(ohem(a.tensor("logits"), a.tensor("labels"), o, a.tensor("class_weights")));
}

OpDescriptor describe_ohem() {
    return {.name = "ohem",
            .inputs = {{"logits"},
                       {"labels", OperandKind::labels, true, false},
                       {"class_weights", OperandKind::vector, false, false}},
            .attributes = {{"weight", "1"}, {"thresh", "0.7"}, {"keep", "0.0625"}, {"ignore_index", "255"}},
            .call = call};
}

}  // namespace atrous
