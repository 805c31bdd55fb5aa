// What the augmentations of a sample come to, for a device to carry out: the same draws, the same arithmetic and so the same
// bytes as on the host (kernels/augment.h has the formulas).
#pragma once

#include <cstdint>
#include <vector>

#include "data/example.h"
#include "kernels/augmented_sample.h"

namespace atrous::data {

// Changes in the order in which they are called: at most one resize, then at most one rotation, a crop, then the others,
// of which colour is adjusted at most once. Error for any other order.
class SamplePlan {
 public:
    SamplePlan(int64_t h, int64_t w, int channels);  // of an image of 8 bits

    int64_t h() const { return h_; }  // after the changes so far
    int64_t w() const { return w_; }
    int channels() const { return channels_; }
    // As the functions of these names do it (data/example.h, data/transform.h), to the bit.
    void resize(int64_t h, int64_t w);
    void rotate(double degrees);
    void crop(int64_t top, int64_t left, int64_t h, int64_t w);  // beyond the image lies the fill
    void flip_horizontal();
    void flip_vertical();
    void transpose();
    void rotate90(int quarter_turns);
    void adjust(double brightness, double contrast);

    // The sample's with this fill and range; filters lie behind `filters` integers of other samples.
    kernels::AugmentedSample sample(const Fill& fill, const ValueRange& range, int64_t filters) const;
    const std::vector<int32_t>& filters() const { return filters_; }
    int64_t reads() const;  // how many stored values one value is made of

 private:
    void require_crop() const;

    int64_t h_, w_;
    int channels_;
    bool cropped_ = false;
    kernels::AugmentedSample sample_;
    std::vector<int32_t> filters_;
};

}  // namespace atrous::data
