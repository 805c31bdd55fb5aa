#include "engine/train/precision_recall.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

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
    ++all_;
}

void PrecisionRecall::clear() {
    if (all_ > 0) std::fill(bins_.begin(), bins_.end(), Bin{});
    foreground_ = all_ = 0;
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

// Whether a threshold that is given as a probability has `below` under it and `lowest` over it. Compared in fp32 too.
static bool divides(double probability, double below, double lowest) {
    const double logit = std::log(probability / (1 - probability));
    return below <= logit && logit < lowest && below <= double(float(logit)) && double(float(logit)) < lowest;
}

static double sigmoid(double logit) { return std::clamp(1 / (1 + std::exp(-logit)), 1e-300, highest_threshold); }

// A quarter of the way serves where no fp32 lies between the two: half-way may be rounded up.
static double divider(double below, double lowest) {
    if (std::isinf(below)) {
        const double p = sigmoid(lowest - 1);
        return divides(p, below, lowest) ? p : undefined_score;
    }
    for (const double share : {0.5, 0.25})
        if (const double p = sigmoid(below + share * (lowest - below)); divides(p, below, lowest)) return p;
    return undefined_score;
}

// As few digits as divide the same.
static double rounded(double p, double below, double lowest) {
    for (int digits = 3; digits < 17; ++digits) {
        const double shorter = std::stod(fmt::format("{:.{}g}", p, digits));
        if (shorter > 0 && shorter <= highest_threshold && divides(shorter, below, lowest)) return shorter;
    }
    return p;
}

double PrecisionRecall::highest_below(size_t bin) const {
    while (bin > 0 && bins_[bin - 1].empty()) --bin;
    return bin > 0 ? highest_of(bin - 1) : -std::numeric_limits<double>::infinity();
}

PrecisionRecall::Point PrecisionRecall::point(size_t bin, int64_t found, int64_t false_alarms) const {
    const double below = highest_below(bin), p = divider(below, lowest_of(bin));
    return {std::isnan(p) ? p : rounded(p, below, lowest_of(bin)), double(found) / double(found + false_alarms),
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
        if (dice > best.dice && !std::isnan(divider(highest_below(bin), lowest_of(bin))))
            best = {bin, found, false_alarms, dice};
    });
    if (best.dice < 0) return {undefined_score, undefined_score, undefined_score};
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
