#include "segmentation/report/run_facts.h"

#include <fmt/core.h>

#include "base/paths.h"
#include "base/text.h"
#include "data/palette.h"

namespace atrous::report {

std::string class_name(const ModelCard& card, int64_t id) {
    return io::as_utf8(size_t(id) < card.class_names.size() ? card.class_names[size_t(id)] : std::to_string(id));
}

std::string title_of(const Metric& metric) {
    std::string before;  // of the metric behind which this one stands in parentheses
    for (const auto& m : Metric::catalogue().all()) {
        if (m->key == metric.key) break;
        if (!m->in_parentheses) before = m->title + ", ";
    }
    return (metric.in_parentheses ? before : "") + metric.title;
}

Json class_facts(const ModelCard& card) {
    const data::Palette palette = data::mask_palette(int(card.classes()));
    Json classes = Json::array();
    for (int64_t c = 0; c < card.classes(); ++c) {
        const uint32_t colour = size_t(c) < card.colours.size() ? card.colours[size_t(c)] : palette[size_t(c)];
        classes.push_back({{"name", class_name(card, c)}, {"colour", fmt::format("#{:06x}", colour)}});
    }
    return classes;
}

Json net_facts(const TrainingSetup& t, int64_t parameters, int64_t batches_per_epoch) {
    const Experiment& e = t.experiment;
    return {{"model", t.card.net.model},
            {"parameters", parameters},
            {"loss", t.card.loss.name},
            {"precision", t.card.precision},
            {"size", width_by_height({t.card.height, t.card.width})},
            {"crop", width_by_height(training_size(e))},
            {"batch_size", e.batch_size},
            {"batches_per_epoch", batches_per_epoch},
            {"epochs", e.trainer.epochs},
            {"monitor", e.trainer.monitor}};
}

Json data_facts(const TrainingSetup& t) {
    const data::Dataset& set = t.sets.dataset;
    const data::DatasetReport& report = t.sets.report;
    const auto sizes = [](int64_t h, int64_t w) { return width_by_height({h, w}); };
    Json notes = Json::array();
    for (const std::vector<std::string>& lines : {set.notes, set.warnings, report.warnings})
        for (const std::string& line : lines) notes.push_back(io::as_utf8(line));
    return {{"root", io::as_utf8(absolute_path(t.experiment.data.root))},
            {"layout", io::as_utf8(set.layout)},
            {"train", set.train.size()},
            {"validation", set.val.size()},
            {"test", set.test.size()},
            {"smallest", sizes(report.min_h, report.min_w)},
            {"largest", sizes(report.max_h, report.max_w)},
            {"sizes", report.sizes.size()},
            {"channels", report.channels},
            {"mask_values", io::as_utf8(data::text_of(report.rule))},
            {"pixels", report.pixels},
            {"ignored_pixels", report.ignored_pixels},
            {"samples_with", report.samples_with},
            {"train_with", report.train_with},
            {"validation_with", report.val_with},
            {"notes", notes}};
}

}  // namespace atrous::report
