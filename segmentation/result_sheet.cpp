#include "segmentation/result_sheet.h"

#include <algorithm>

#include "data/palette.h"
#include "engine/train/evaluate.h"
#include "segmentation/logit_rows.h"
#include "segmentation/postprocess.h"
#include "segmentation/score_text.h"

namespace atrous {

namespace {

std::vector<data::Sample> spread(const std::vector<data::Sample>& samples, int64_t rows) {
    std::vector<data::Sample> chosen;
    const auto all = int64_t(samples.size()), count = std::min(rows, all);
    for (int64_t i = 0; i < count; ++i) chosen.push_back(samples[size_t(i * all / count)]);
    return chosen;
}

std::string score_of(const ConfusionMatrix& counts) {
    const Metric& metric = Metric::catalogue().at(counts.binary() ? "dice" : "miou");
    return metric.title + " " + score_text(metric.of_counts(counts));
}

// As the page draws it: an image that is large takes no memory beyond this.
data::SheetRow row_of(const data::Sample& sample, const ModelCard& card, const Tensor& logits,
                      const data::LoaderOptions& loader, const ClassThresholds& thresholds) {
    data::LoaderOptions as_it_is;
    as_it_is.channels = 0;
    const data::Example shown = data::load_sample(sample, data::parse_mask_rule(card.mask_values), as_it_is);
    const auto [h, w] = data::cell_size(shown.image.h, shown.image.w);
    const int64_t c = logits.dim(3);
    const data::Placement place = data::placement_of(loader, {shown.image.h, shown.image.w});
    const std::vector<float> of_net = host_logits(logits, place.size.height, place.size.width, place.top, place.left);
    LogitRows scaled(of_net, place.size.height, place.size.width, c, h, w);
    return data::fitted({shown.image, shown.labels,
                         labels_of(scaled.rows(0, h), h, w, c, thresholds, card.label_form()), sample.name, "",
                         card.normalization.range});
}

}  // namespace

Setting<int64_t>& describe_sheet_rows(Settings& s, int64_t& rows) {
    return s.bind("sheet-rows", rows, "samples that the contact sheet shows")
        .min(1)
        .max(200)
        .when_resumed(Resume::free);
}

std::vector<data::SheetRow> result_rows(SegmentationNet& net, const ModelCard& card, DType compute,
                                        const std::vector<data::Sample>& samples, int64_t count,
                                        const ClassThresholds& thresholds,
                                        const std::optional<data::LoaderOptions>& loading) {
    const std::vector<data::Sample> chosen = spread(samples, count);
    data::LoaderOptions loader = loading ? *loading : loader_options(card, 1, 0, net.input_multiple());
    loader.batch_size = 1;
    const auto source = data::make_loader(chosen, data::parse_mask_rule(card.mask_values), loader);
    std::vector<data::SheetRow> rows;
    std::string score;
    const auto add_row = [&](const HostBatch&, const Tensor& logits, int64_t done) {
        rows.push_back(row_of(chosen[size_t(done - 1)], card, logits, loader, thresholds));
        rows.back().score = score;
    };
    evaluate(net, *source,
             {.loss = loss_of(card),
              .compute = compute,
              .thresholds = thresholds,
              .ignore_index = data::ignored_class,
              .on_image =
                  [&](const ImageResult& image) {
                      score = score_of(ConfusionMatrix(card.classes(), image.counts, card.label_form()));
                  }},
             add_row);
    return rows;
}

// A class for each combination: "none", "liver", "tumour", "liver + tumour", in their blended colours.
static data::SheetClasses combined(const data::SheetClasses& classes) {
    const data::Palette colours = data::blended_palette(classes.colours);
    data::SheetClasses all;
    for (size_t label = 0; label < size_t(label_values(LabelForm::bits, int64_t(classes.names.size()))); ++label) {
        std::string name;
        for (size_t c = 0; c < classes.names.size(); ++c)
            if (label >> c & 1) name += (name.empty() ? "" : " + ") + classes.names[c];
        all.names.push_back(name.empty() ? "none" : name);
        all.colours.push_back(colours[label]);
    }
    return all;
}

data::SheetClasses sheet_classes(const ModelCard& card) {
    data::SheetClasses classes{card.class_names, card.colours};
    for (int64_t c = int64_t(classes.names.size()); c < card.classes(); ++c) classes.names.push_back(std::to_string(c));
    return card.label_form() == LabelForm::bits ? combined(classes) : classes;
}

data::Image result_sheet(SegmentationNet& net, const ModelCard& card, DType compute,
                         const std::vector<data::Sample>& samples, int64_t rows, const ClassThresholds& thresholds,
                         const std::optional<data::LoaderOptions>& loader) {
    return data::contact_sheet(result_rows(net, card, compute, samples, rows, thresholds, loader), sheet_classes(card));
}

}  // namespace atrous
