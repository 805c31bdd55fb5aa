#include "engine/train/calibration.h"

#include <algorithm>
#include <cmath>

namespace atrous {

void Calibration::add(double confidence, bool right) {
    if (std::isnan(confidence)) return;
    Bin& bin = bins_[size_t(std::clamp(int(confidence * bins), 0, bins - 1))];
    ++bin.pixels;
    bin.right += right;
    bin.confidence += confidence;
}

double Calibration::error() const {
    double sum = 0;
    int64_t pixels = 0;
    for (const Bin& bin : bins_) {
        sum += std::abs(double(bin.right) - bin.confidence);
        pixels += bin.pixels;
    }
    return pixels ? sum / double(pixels) : undefined_score;
}

}  // namespace atrous
