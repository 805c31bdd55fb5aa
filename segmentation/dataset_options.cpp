#include "segmentation/dataset_options.h"

#include "segmentation/model_card.h"

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

data::LoaderOptions loader_options(const Experiment& e, const data::DatasetReport& report) {
    ModelCard card;
    card.height = e.size.height;
    card.width = e.size.width;
    card.resize = e.resize;
    card.net.in_channels = report.channels;
    if (e.normalize == "imagenet") card.normalization = data::Normalization::imagenet();
    card.normalization.range = report.range;
    data::LoaderOptions o = loader_options(card, e.batch_size, 0, 1);
    o.augmentations = e.augmentations;
    o.crop_h = training_size(e).height;
    o.crop_w = training_size(e).width;
    o.seed = uint64_t(e.data.seed);
    return o;
}

}  // namespace atrous
