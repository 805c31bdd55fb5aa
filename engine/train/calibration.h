// How far a net's probabilities are from the shares of pixels that are right.
#pragma once

#include <array>
#include <cstdint>

#include "engine/train/metric.h"

namespace atrous {

// The confidence of a pixel is the probability of the class that is taken for it. Bins of equal width over [0, 1]: [0, 1/15),
// …, [14/15, 1].
class Calibration {
 public:
    static constexpr int bins = 15;
    struct Bin {
        int64_t pixels = 0, right = 0;
        double confidence = 0;  // the sum over the pixels
    };

    void add(double confidence, bool right);
    const std::array<Bin, bins>& of_bins() const { return bins_; }  // a reliability diagram

    // The expected calibration error: Σ n_b / n |accuracy_b - mean confidence_b| (Guo, Pleiss, Sun, Weinberger: On
    // calibration of modern neural networks, 2017; torchmetrics' MulticlassCalibrationError with norm l1, which gives
    // confidences of exactly 1 a bin of their own). Undefined without a pixel.
    double error() const;

 private:
    std::array<Bin, bins> bins_;
};

}  // namespace atrous
