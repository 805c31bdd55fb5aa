// The precision-recall curve of two classes over all thresholds, from a histogram of logits.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/train/metric.h"

namespace atrous {

// The probability that is the highest threshold to be given.
inline constexpr double highest_threshold = 0.999999;

// Each bin holds the logits that agree in their sign, exponent and first 11 bits of mantissa: what bf16 and fp16 hold is
// told apart exactly, and of fp32 what differs by more than 2^-11 of its value (0.05 %). Logits of one bin count as equal.
class PrecisionRecall {
 public:
    PrecisionRecall() : bins_(size_t{1} << 20) {}

    // `logit`: log(p / (1 - p)) of the foreground's probability p. NaN is left out.
    void add(float logit, bool foreground);
    void clear();  // keeps the memory

    // Σ (R_n - R_(n-1)) P_n over thresholds from the highest to the lowest, P and R the precision and recall of what is
    // at or above the n-th (scikit-learn's average_precision_score). Undefined without a foreground pixel.
    double average_precision() const;

    struct Point {
        // A probability: foreground is what is above it. Its logit divides the same pixels, in fp32 too; NaN where none
        // up to highest_threshold does.
        double threshold;
        double precision, recall;
        double dice() const { return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall); }
    };
    // The point of the highest Dice (F1), which is 2 P R / (P + R), of those that have a threshold; undefined_score
    // throughout where there is none, or no foreground pixel. The threshold has the fewest digits, three at least.
    Point best() const;
    // The curve from the highest threshold to the lowest, of points whose recall differs by `step` at least, and the
    // last one. Empty without a foreground pixel.
    std::vector<Point> curve(double step) const;

 private:
    struct Bin {
        int64_t foreground = 0, background = 0;
        bool empty() const { return foreground + background == 0; }
    };
    template <typename Visit>
    void each_cut(Visit visit) const;  // visit(bin, pixels at or above it that are foreground, and that are background)
    double highest_below(size_t bin) const;  // the highest logit of the bins below that hold any; -inf: none
    Point point(size_t bin, int64_t found, int64_t false_alarms) const;

    std::vector<Bin> bins_;
    int64_t foreground_ = 0, all_ = 0;
};

}  // namespace atrous
