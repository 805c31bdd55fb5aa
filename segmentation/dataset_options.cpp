#include "segmentation/dataset_options.h"

#include <fmt/core.h>

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
    options.rule_of_set = data::is_rule_of(dataset, options.rule);
    options.train_count = int64_t(dataset.train.size());
    options.named_classes = int(dataset.class_names.size());
    options.class_names = dataset.class_names;
    options.drawn_split = dataset.drawn_split;
}

void describe_view(ModelCard& card, const Experiment& e, const data::DatasetReport& report) {
    card.height = e.size.height;
    card.width = e.size.width;
    card.resize = e.resize;
    card.net.in_channels = report.channels;
    if (e.normalize == "imagenet") card.normalization = data::Normalization::imagenet();
    card.normalization.range = report.range;
}

std::string unfit_names(const Experiment& e, const data::Dataset& dataset, int classes) {
    const size_t names = dataset.class_names.size();
    if (names == 0 || names == size_t(classes)) return "";
    return e.data.class_names.empty()
               ? fmt::format("the data set names {} classes, but {} are trained: its names are not used", names,
                             classes)
               : fmt::format(
                     "`class-names` gives {} names, but {} classes are trained: give each a name, in the order "
                     "of their ids",
                     names, classes);
}

data::LoaderOptions loader_options(const Experiment& e, const data::DatasetReport& report) {
    ModelCard card;
    describe_view(card, e, report);
    data::LoaderOptions o = loader_options(card, e.batch_size, 0, 1);
    o.augmentations = e.augmentations;
    o.crop_h = training_size(e).height;
    o.crop_w = training_size(e).width;
    o.seed = uint64_t(e.data.seed);
    return o;
}

}  // namespace atrous
