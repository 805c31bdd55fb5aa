#include "segmentation/dataset_options.h"

namespace atrous {

data::CheckOptions check_options(const Experiment& e, Messages& messages) {
    return {.rule = data::parse_mask_rule(e.mask_values),
            .class_count = int(e.classes),
            .threads = int(e.machine.threads),
            .progress = progress_of("checking images", messages),
            .channels = int(e.channels),
            .range = data::parse_value_range(e.value_range)};
}

void know_dataset(data::CheckOptions& options, const data::Dataset& dataset) {
    if (options.rule.kind == data::MaskKind::automatic && !dataset.mask_values.empty())
        options.rule = data::parse_mask_rule(dataset.mask_values);
    options.train_count = int64_t(dataset.train.size());
    options.named_classes = int(dataset.class_names.size());
    options.class_names = dataset.class_names;
    options.drawn_split = dataset.drawn_split;
}

}  // namespace atrous
