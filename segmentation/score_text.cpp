#include "segmentation/score_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "data/few.h"

namespace atrous {

std::string score_text(double score) { return std::isnan(score) ? "-" : fmt::format("{:.4f}", score); }

// "Dice 0.91 (mean over images 0.89), mIoU 0.84": metrics by their titles, those without one left out.
static std::string metrics_text(const Scores& s, const std::function<std::string(const Metric&)>& title_of) {
    std::string text;
    for (const auto& metric : Metric::catalogue().all()) {
        const std::string title = title_of(*metric);
        if (title.empty()) continue;
        const std::string score = title + " " + score_text(s.of(metric->key));
        text += metric->in_parentheses ? " (" + score + ")" : (text.empty() ? "" : ", ") + score;
    }
    return text;
}

std::string scores_line(const Scores& s) {
    return metrics_text(s, [](const Metric& m) { return m.detail ? "" : m.title; }) + ", loss " + score_text(s.loss);
}

std::string details_line(const Scores& s) {
    return metrics_text(s, [](const Metric& m) { return m.detail ? m.title : ""; });
}

static std::vector<ClassMetric> class_metrics() {
    std::vector<ClassMetric> all;
    for (const auto& metric : Metric::catalogue().all())
        if (metric->by_class.value && metric->by_class.in_terminal) all.push_back(metric->by_class);
    return all;
}

std::string scores_table(const Scores& s, const std::vector<std::string>& names) {
    const std::vector<ClassMetric> metrics = class_metrics();
    const auto column = [](const std::string& text, const ClassMetric& m) {
        return fmt::format(" {:>{}}", text, std::max<size_t>(7, m.title.size()));
    };
    std::string text = fmt::format("  {:<16}", "class");
    for (const ClassMetric& m : metrics) text += column(m.title, m);
    text += fmt::format(" {:>12} {:>12}\n", "truth px", "predicted px");
    for (size_t c = 0; c < s.classes.size(); ++c) {
        const ClassCounts& k = s.classes[c];
        text += fmt::format("  {:<16}", c < names.size() ? names[c] : std::to_string(c));
        for (const ClassMetric& m : metrics) text += column(score_text(m.value(k)), m);
        text += fmt::format(" {:>12} {:>12}\n", k.truth, k.predicted);
    }
    return text;
}

// The scores of predicting every one of the classes, which overlap, everywhere.
static Scores every_class_everywhere(const Scores& s) {
    std::vector<int64_t> counts;
    for (const ClassCounts& k : s.classes) counts.insert(counts.end(), {0, k.all - k.truth, 0, k.truth});
    MetricAccumulator metrics(int64_t(s.classes.size()), LabelForm::bits);
    metrics.add(counts.data());
    return metrics.scores();
}

// The scores of predicting class `id` everywhere.
static Scores one_class_everywhere(const Scores& s, size_t id) {
    const size_t classes = s.classes.size();
    std::vector<int64_t> counts(classes * classes);
    for (size_t c = 0; c < classes; ++c) counts[c * classes + id] = s.classes[c].truth;
    MetricAccumulator metrics{int64_t(classes)};
    metrics.add(counts.data());
    return metrics.scores();
}

std::string baseline_line(const Scores& s, const std::vector<std::string>& names, const Scores* untrained) {
    const bool binary = s.confusion.binary(), overlapping = s.confusion.overlapping();
    size_t id = 1;
    for (size_t c = 0; !binary && !overlapping && c < s.classes.size(); ++c)
        if (s.classes[c].truth > s.classes[id].truth) id = c;
    const auto title = [binary](const Metric& m) {
        const bool shown = binary ? m.baseline == Metric::Baseline::always : m.baseline != Metric::Baseline::absent;
        return shown ? m.title : "";
    };
    std::string line =
        overlapping ? "baselines: every class everywhere "
        : binary    ? "baselines: all-foreground "
                    : fmt::format("baselines: '{}' everywhere ", id < names.size() ? names[id] : std::to_string(id));
    line += metrics_text(overlapping ? every_class_everywhere(s) : one_class_everywhere(s, id), title);
    if (untrained) line += "; untrained net " + metrics_text(*untrained, title);
    return line;
}

// The monitored score where the line does not have it anyway: ", frequency-weighted IoU 0.81".
static std::string monitored_text(const std::string& monitor, const Scores& s) {
    std::string title = monitor;
    for (const auto& metric : Metric::catalogue().all()) {
        if (metric->monitor != monitor) continue;
        if (!metric->epoch_title.empty()) return "";
        title = metric->title;
    }
    return monitor == "loss" ? "" : fmt::format(", {} {}", title, score_text(monitored(monitor, s)));
}

std::string epoch_line(const EpochReport& r) {
    std::string line = fmt::format("train loss {:.4f}", r.train_loss);
    if (const auto& v = r.validation) {
        const std::string metrics = metrics_text(*v, [](const Metric& m) { return m.epoch_title; });
        line += fmt::format(", val loss {}, {}{}{}", score_text(v->loss), metrics, monitored_text(r.monitor, *v),
                            r.best ? ", best" : "");
    }
    return line;
}

void refuse_nonfinite(const std::vector<std::string>& names, int64_t of) {
    if (names.empty()) return;
    throw NumericError(fmt::format(
        "the net gave NaN or Inf for {} of {} images: {}; its weights may be damaged or their training may have "
        "diverged; try `precision` fp32, or an earlier checkpoint",
        names.size(), of, data::few_of(names)));
}

}  // namespace atrous
