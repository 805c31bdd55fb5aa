#include "engine/train/precision_recall.h"

#include <bit>
#include <cmath>

namespace atrous {

// Floats in the order of integers: negative ones have all bits turned, positive ones their sign.
static constexpr int dropped_bits = 12;
static constexpr uint32_t sign_bit = uint32_t{1} << 31;

static size_t bin_of(float logit) {
    const auto bits = std::bit_cast<uint32_t>(logit + 0.0f);  // -0 is 0
    return (bits & sign_bit ? ~bits : bits | sign_bit) >> dropped_bits;
}

static double value_of(uint32_t ordered) {
    return double(std::bit_cast<float>(ordered & sign_bit ? ordered & ~sign_bit : ~ordered));
}
static double lowest_of(size_t bin) { return value_of(uint32_t(bin) << dropped_bits); }
static double highest_of(size_t bin) {
    return value_of((uint32_t(bin) << dropped_bits) | ((uint32_t{1} << dropped_bits) - 1));
}

void PrecisionRecall::add(float logit, bool foreground) {
    if (std::isnan(logit)) return;
    Bin& bin = bins_[bin_of(logit)];
    ++(foreground ? bin.foreground : bin.background);
    foreground_ += foreground;
}

template <typename Visit>
void PrecisionRecall::each_cut(Visit visit) const {
    int64_t found = 0, false_alarms = 0;
    for (size_t bin = bins_.size(); bin-- > 0;) {
        if (bins_[bin].empty()) continue;
        found += bins_[bin].foreground;
        false_alarms += bins_[bin].background;
        visit(bin, found, false_alarms);
    }
}

double PrecisionRecall::average_precision() const {
    if (foreground_ == 0) return undefined_score;
    double sum = 0;
    each_cut([&](size_t bin, int64_t found, int64_t false_alarms) {
        sum += double(bins_[bin].foreground) * double(found) / double(found + false_alarms);
    });
    return sum / double(foreground_);
}

PrecisionRecall::Point PrecisionRecall::point(size_t bin, int64_t found, int64_t false_alarms) const {
    size_t below = bin;
    while (below > 0 && bins_[below - 1].empty()) --below;
    const double logit = below > 0 ? 0.5 * (lowest_of(bin) + highest_of(below - 1)) : lowest_of(bin);
    return {1 / (1 + std::exp(-logit)), double(found) / double(found + false_alarms),
            double(found) / double(foreground_)};
}

PrecisionRecall::Point PrecisionRecall::best() const {
    if (foreground_ == 0) return {undefined_score, undefined_score, undefined_score};
    struct Cut {
        size_t bin = 0;
        int64_t found = 0, false_alarms = 0;
        double dice = -1;
    } best;
    each_cut([&](size_t bin, int64_t found, int64_t false_alarms) {
        const double dice = 2.0 * double(found) / double(foreground_ + found + false_alarms);
        if (dice > best.dice) best = {bin, found, false_alarms, dice};
    });
    return point(best.bin, best.found, best.false_alarms);
}

std::vector<PrecisionRecall::Point> PrecisionRecall::curve(double step) const {
    std::vector<Point> points;
    if (foreground_ == 0) return points;
    double last = -1;
    each_cut([&](size_t bin, int64_t found, int64_t false_alarms) {
        const double recall = double(found) / double(foreground_);
        const bool complete = found == foreground_ && last < 1;
        if (recall - last < step && !complete) return;
        points.push_back(point(bin, found, false_alarms));
        last = recall;
    });
    return points;
}

}  // namespace atrous
