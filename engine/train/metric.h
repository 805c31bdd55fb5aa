// A metric says what it is called, where it is shown, and how it follows from a data set's predictions. It is one file
// in engine/train/metrics/, which metrics.cpp lists; add_metric() adds one from outside the tree. Lines, tables,
// metrics.csv, JSON, TensorBoard's events and the words of `monitor` all come from the list.
#pragma once

#include <functional>
#include <limits>
#include <string>

#include "base/catalogue.h"
#include "engine/tensor.h"
#include "engine/train/confusion_matrix.h"

namespace atrous {

// A score that is not defined is NaN, never 0 or 1: it is shown as absent and chooses nothing.
inline constexpr double undefined_score = std::numeric_limits<double>::quiet_NaN();

// The value of a single class, for tables by class.
struct ClassMetric {
    std::string title = {}, field = {};  // "IoU", "iou"
    double (*value)(const ClassCounts&) = nullptr;
    bool by_image = false;    // in tables by image too
    bool in_terminal = true;  // in the table that a terminal shows; JSON and the report have all
};

struct Metric {
    std::string key = {};      // column val_<key> of metrics.csv, event score/<key>
    std::string title = {};    // in lines for people
    std::string field = {};    // in JSON and tables by image; empty: the key
    std::string monitor = {};  // its word of `monitor`; empty: it does not say which epoch is the best
    bool higher_is_better = true;

    // The value is found in one of three ways, each of which may give undefined_score; means are of the images that
    // have one:
    //   from the counts of all images added up, …
    std::function<double(const ConfusionMatrix&)> of_counts = {};
    //   … as the mean of each image's value, …
    std::function<double(const ConfusionMatrix&)> of_image_counts = {};
    //   … or as the mean of what each image's logits [1][H][W][C] and labels u8 [1][H][W][1] give, on the net's device.
    std::function<double(const Tensor& logits, const Tensor& labels)> of_image = {};

    ClassMetric by_class = {};
    std::string epoch_title = {};  // in the line behind each epoch; empty: it is not there
    bool in_parentheses = false;   // behind the metric that is listed before it
    bool detail = false;           // in `eval`'s second line; in no other line, no chart and no interval
    enum class Baseline { absent, several_classes, always } baseline = Baseline::absent;  // in the line of baselines

    const std::string& name() const { return key; }
    const std::string& field_name() const { return field.empty() ? key : field; }
    static Catalogue<Metric>& catalogue();
};

// Must be called before there are threads. Throws Error where the key is taken, or where no way or several are given.
void add_metric(const Metric& metric);

}  // namespace atrous
