#include "engine/ops/lovasz.h"

#include "engine/context.h"
#include "engine/ops/slopes_loss.h"

namespace atrous {

namespace k = kernels;

LossValue lovasz(const Tensor& logits, const Tensor& labels, const LovaszOptions& options, bool look_at_labels) {
    return slopes_loss({"lovasz", options.weight, options.ignore_index}, logits, labels, look_at_labels,
                       [&](void* slopes, void* terms) {
                           run(logits.device(),
                               {k::reference::lovasz_forward, k::cpu::lovasz_forward, k::cuda::lovasz_forward, true},
                               k::LovaszForwardArgs{logits.view(), labels.as<uint8_t>(), slopes, terms, options});
                       });
}

static OpResults call(const OpArguments& a) {
    LovaszOptions o;
    o.weight = a.number("weight");
    o.classes = a.choice("classes", {"present", "all"}) == 0 ? LovaszClasses::present : LovaszClasses::all;
    o.per_image = a.flag("per_image");
    o.ignore_index = int(a.integer("ignore_index", -1));
    return as_results(lovasz(a.tensor("logits"), a.tensor("labels"), o));
}

OpDescriptor describe_lovasz() {
    return {.name = "lovasz",
            .inputs = {{"logits"}, {"labels", OperandKind::labels, true, false}},
            .attributes = {{"weight", "1"}, {"classes", "present"}, {"per_image", "false"}, {"ignore_index", "255"}},
            .call = call};
}

}  // namespace atrous
