#include "data/sample_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace atrous::data {

static_assert(kernels::augmented_channels == max_channels);

SamplePlan::SamplePlan(int64_t h, int64_t w, int channels) : h_(h), w_(w), channels_(channels) {
    sample_.h = sample_.resized_h = sample_.crop_h = int32_t(h);
    sample_.w = sample_.resized_w = sample_.crop_w = int32_t(w);
}

// An axis's filter behind the others.
static kernels::FilterPlace append_filter(int64_t in, int64_t out, std::vector<int32_t>& filters) {
    if (in == out) return {};
    const ByteFilter filter = byte_filter(in, out);
    const kernels::FilterPlace place{int64_t(filters.size()), int32_t(filter.taps)};
    for (int64_t i = 0; i < out; ++i) {
        filters.push_back(int32_t((2 * i + 1) * in / (2 * out)));  // as resize_nearest
        filters.push_back(int32_t(filter.first[size_t(i)]));
        filters.push_back(int32_t(filter.count[size_t(i)]));
        const auto weights = filter.weights.begin() + i * filter.taps;
        filters.insert(filters.end(), weights, weights + filter.taps);
    }
    return place;
}

void SamplePlan::resize(int64_t h, int64_t w) {
    require(!cropped_ && !sample_.rotates && filters_.empty(), "sample plan: one resize, before rotation and crop");
    sample_.rows = append_filter(h_, h, filters_);
    sample_.columns = append_filter(w_, w, filters_);
    h_ = h, w_ = w;
    sample_.resized_h = sample_.crop_h = int32_t(h);
    sample_.resized_w = sample_.crop_w = int32_t(w);
}

void SamplePlan::rotate(double degrees) {
    require(!cropped_ && !sample_.rotates, "sample plan: one rotation, before the crop");
    const double radians = radians_of(degrees);
    sample_.rotates = true;
    sample_.cosine = std::cos(radians);
    sample_.sine = std::sin(radians);
}

void SamplePlan::crop(int64_t top, int64_t left, int64_t h, int64_t w) {
    require(!cropped_, "sample plan: one crop");
    cropped_ = true;
    h_ = h, w_ = w;
    sample_.top = int32_t(top), sample_.left = int32_t(left);
    sample_.crop_h = int32_t(h), sample_.crop_w = int32_t(w);
}

// The crop's own size and place do not change any more.
void SamplePlan::require_crop() const {
    require(cropped_, "sample plan: flips, turns and colours come after the crop");
}

// Each lets position (y, x) show what the sides, mirrored or exchanged, showed there: `from` maps to places of the crop.
void SamplePlan::flip_horizontal() {
    require_crop();
    for (auto& row : sample_.from) row[2] += row[1] * int32_t(w_ - 1), row[1] = -row[1];
}

void SamplePlan::flip_vertical() {
    require_crop();
    for (auto& row : sample_.from) row[2] += row[0] * int32_t(h_ - 1), row[0] = -row[0];
}

void SamplePlan::transpose() {
    require_crop();
    for (auto& row : sample_.from) std::swap(row[0], row[1]);
    std::swap(h_, w_);
}

void SamplePlan::rotate90(int quarter_turns) {
    require_crop();
    for (int turn = 0; turn < ((quarter_turns % 4) + 4) % 4; ++turn) {
        flip_horizontal();
        transpose();
    }
}

void SamplePlan::adjust(double brightness, double contrast) {
    require_crop();
    require(!sample_.coloured, "sample plan: one change of colour");
    sample_.coloured = true;
    sample_.brightness = brightness;
    sample_.contrast = contrast;
}

int64_t SamplePlan::reads() const {
    const auto taps = [](const kernels::FilterPlace& axis) { return std::max<int64_t>(axis.taps, 1); };
    return taps(sample_.rows) * taps(sample_.columns) * (sample_.rotates ? 4 : 1);
}

kernels::AugmentedSample SamplePlan::sample(const Fill& fill, const ValueRange& range, int64_t filters) const {
    kernels::AugmentedSample s = sample_;
    s.crop_h = int32_t(h_), s.crop_w = int32_t(w_);  // of what is shown, which a turn may have exchanged
    for (int c = 0; c < channels_; ++c) s.fill[c] = uint8_t(fill[size_t(c)]);
    s.low = range.low, s.high = range.high;
    for (kernels::FilterPlace* axis : {&s.rows, &s.columns})
        if (axis->at != kernels::no_filter) axis->at += filters;
    return s;
}

}  // namespace atrous::data
