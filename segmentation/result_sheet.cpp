#include "segmentation/result_sheet.h"

#include <algorithm>

#include "engine/train/evaluate.h"
#include "segmentation/postprocess.h"

namespace atrous {

data::Image result_sheet(SegmentationNet& net, const ModelCard& card, DType compute,
                         const std::vector<data::Sample>& samples, int64_t rows, double threshold) {
    const NoTape off;
    const bool training = net.training();
    net.set_training(false);
    auto options = loader_options(card, 1, 0, net.input_multiple());
    const data::MaskRule rule = data::parse_mask_rule(card.mask_values);
    std::vector<data::SheetRow> sheet;
    const int64_t count = std::min<int64_t>(rows, int64_t(samples.size()));
    for (int64_t i = 0; i < count; ++i) {
        const data::Sample& sample = samples[size_t(i * int64_t(samples.size()) / count)];
        data::Example prepared = data::load_sample(sample, rule, options);
        HostBatch batch;
        data::collate({prepared}, options, batch);
        const Tensor logits = net.forward(upload(batch, net.materialized().device, compute).images);
        data::Image ids = class_ids(host_logits(logits).data(), batch.h, batch.w, logits.dim(3), threshold);
        ids = data::crop(ids, 0, 0, prepared.image.h, prepared.image.w);
        sheet.push_back({prepared.image, prepared.labels, ids, sample.name});
    }
    net.set_training(training);
    return data::contact_sheet(sheet, int(card.classes()));
}

}  // namespace atrous
