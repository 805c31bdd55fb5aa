#include "engine/ops/label_range.h"

#include <algorithm>

#include "base/error.h"
#include "engine/context.h"
#include "kernels/label_range.h"

namespace atrous {

namespace k = kernels;

static_assert(sizeof(k::LabelsOutOfRange) == 3 * sizeof(int64_t));

Tensor labels_out_of_range(const Tensor& labels, int64_t out_channels, int ignore_index, LabelForm form) {
    if (labels.dtype() != DType::u8 || !labels.is_dense())
        throw ShapeError("label_range: labels must be dense u8, not " + labels.shape().text());
    const UseScope use(BlockUse::workspace);  // no activation: plans name those by their ops
    Tensor found = Tensor::empty({3}, DType::i64, labels.device());
    k::LabelRangeArgs args;
    args.labels = labels.as<uint8_t>();
    args.count = labels.count();
    args.classes = int(std::clamp<int64_t>(label_values(form, out_channels), 2, 256));
    args.ignore_index = ignore_index;
    args.found = found.as<k::LabelsOutOfRange>();
    run(labels.device(), {k::reference::label_range, k::cpu::label_range, k::cuda::label_range}, args);
    return found;
}

}  // namespace atrous
