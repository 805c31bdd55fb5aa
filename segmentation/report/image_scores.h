// What a validation found of each image by itself, kept until the epoch is over: from it come the table of images and
// the intervals of the scores.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/train/confusion_matrix.h"

namespace atrous::report {

struct ImageScore {
    std::string name;
    double loss;  // NaN: not defined
    std::vector<std::pair<uint32_t, int64_t>>
        counts;                    // where there are any: their place in a ConfusionMatrix, and pixels
    std::vector<double> values;    // of the metrics that follow from counts of pixels and are no details
    std::vector<double> by_image;  // of those that are means over images
};

ImageScore image_score(std::string name, double loss, int64_t classes, const int64_t* counts,
                       LabelForm form = LabelForm::ids);
// The images' places, the highest loss first: infinite ones before finite ones, those without a loss last.
std::vector<size_t> by_loss(const std::vector<ImageScore>& images);

// Of the values of a score over sets of images drawn with replacement from those that were validated, each as large as
// their set: the 2.5 % and the 97.5 % quantile (the percentile bootstrap of Efron, 1979). NaN where too few sets have
// the score.
struct Interval {
    double low, high;
};
struct NamedInterval {
    std::string score;  // a metric's key, or "loss"
    Interval interval;
};
// Intervals of the loss and of every metric that follows from counts of pixels and is no detail, always the same ones for the same
// images: the draws are keyed by `sets` alone. Empty where there are fewer than two images or no sets.
std::vector<NamedInterval> bootstrap_intervals(const std::vector<ImageScore>& images, int64_t classes, int64_t sets,
                                               LabelForm form = LabelForm::ids);

// How many sets are drawn: 1000, down to 100 where images and classes are so many that it would take seconds, and 0
// where even those would.
int64_t bootstrap_sets(const std::vector<ImageScore>& images, int64_t classes);

}  // namespace atrous::report
