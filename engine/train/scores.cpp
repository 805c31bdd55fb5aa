#include "engine/train/scores.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace atrous {

static const char* loss_word = "loss";

double Scores::of(const std::string& metric) const {
    const auto at = values.find(metric);
    return at == values.end() ? undefined_score : at->second;
}

void MetricAccumulator::add(const int64_t* counts, const Tensor& logits, const Tensor& labels) {
    confusion_.add(counts);
    ++images_;
    const LabelForm form = confusion_.overlapping() ? LabelForm::bits : LabelForm::ids;
    const ConfusionMatrix image(confusion_.classes(), counts, form);
    for (const auto& metric : Metric::catalogue().all()) {
        double value = undefined_score;
        if (metric->of_image_counts) value = metric->of_image_counts(image);
        if (metric->of_image && logits.defined()) value = metric->of_image(logits, labels);
        if (std::isnan(value)) continue;
        Mean& mean = means_[metric->key];
        mean.sum += value;
        ++mean.count;
    }
}

Scores MetricAccumulator::scores() const {
    Scores s;
    s.confusion = confusion_;
    for (int64_t c = 0; c < confusion_.classes(); ++c) s.classes.push_back(confusion_.of_class(c));
    for (const auto& metric : Metric::catalogue().all()) {
        const auto mean = means_.find(metric->key);
        s.values[metric->key] = metric->of_counts      ? metric->of_counts(confusion_)
                                : mean != means_.end() ? mean->second.sum / double(mean->second.count)
                                                       : undefined_score;
    }
    s.images = images_;
    s.pixels = confusion_.pixels();
    return s;
}

static const Metric* metric_of(const std::string& monitor) {  // null: the loss, or unknown
    for (const auto& metric : Metric::catalogue().all())
        if (!metric->monitor.empty() && metric->monitor == monitor) return metric.get();
    return nullptr;
}

std::vector<std::string> monitor_words() {
    std::vector<std::string> words;
    for (const auto& metric : Metric::catalogue().all())
        if (!metric->monitor.empty()) words.push_back(metric->monitor);
    words.push_back(loss_word);
    return words;
}

void check_monitor(const std::string& word) {
    if (word != loss_word && !metric_of(word))
        throw UsageError("monitor '" + word + "' is unknown; expected " + alternatives(monitor_words()));
}

bool higher_is_better(const std::string& monitor) {
    const Metric* metric = metric_of(monitor);
    return metric && metric->higher_is_better;
}

double monitored(const std::string& monitor, const Scores& s) {
    if (!s.nonfinite.empty()) return undefined_score;
    const Metric* metric = metric_of(monitor);
    if (!metric) return s.loss;
    const bool shown = s.confusion.binary() ? s.classes[1].truth > 0 : s.pixels > 0;
    return shown ? s.of(metric->key) : undefined_score;
}

}  // namespace atrous
