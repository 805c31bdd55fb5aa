// A net's scores on a data set: every metric of the catalogue (engine/train/metric.h), and the loss.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/train/metric.h"

namespace atrous {

struct Scores {
    ConfusionMatrix confusion{0};
    std::vector<ClassCounts> classes = {};
    std::map<std::string, double> values = {};  // by the metric's key
    double loss = undefined_score;  // of each image by itself, averaged over images with a pixel that counts; undefined
                                    // where there is none, or where `nonfinite` names one
    int64_t images = 0, pixels = 0;
    std::vector<std::string> nonfinite = {};  // images for which the net gave NaN or Inf

    double of(const std::string& metric) const;  // by its key; undefined_score where it was not found
};

// Adds up images one at a time.
class MetricAccumulator {
 public:
    explicit MetricAccumulator(int64_t classes, LabelForm form = LabelForm::ids) : confusion_(classes, form) {}
    // `counts` is the image's [truth][predicted] matrix, of labels in bits one a class (ConfusionMatrix::add). Metrics that need logits and labels stay undefined without
    // them.
    void add(const int64_t* counts, const Tensor& logits = {}, const Tensor& labels = {});
    Scores scores() const;

 private:
    struct Mean {
        double sum = 0;
        int64_t count = 0;
    };
    ConfusionMatrix confusion_;
    std::map<std::string, Mean> means_;  // of metrics that are means over images
    int64_t images_ = 0;
};

// ---- the score that says which epoch is the best: a metric, or the loss

std::vector<std::string> monitor_words();     // of the metrics, and "loss"
void check_monitor(const std::string& word);  // UsageError for an unknown one
bool higher_is_better(const std::string& monitor);
// NaN where it is not defined: no pixel shows the object (two classes) or counts at all, or an image gave NaN or Inf.
double monitored(const std::string& monitor, const Scores& s);

}  // namespace atrous
