#include "segmentation/report/hard_regions.h"

#include <algorithm>
#include <cmath>

#include "data/mask.h"
#include "engine/shape.h"
#include "engine/train/confusion_matrix.h"
#include "segmentation/postprocess.h"
#include "segmentation/report/shown_images.h"

namespace atrous::report {

static double log_1p_exp(double z) { return std::max(z, 0.) + std::log1p(std::exp(-std::abs(z))); }

double pixel_loss(const float* z, int64_t channels, uint8_t label, bool softmax, LabelForm form) {
    if (channels == 1) return log_1p_exp(label == 1 ? -z[0] : z[0]);
    double sum = 0;
    if (!softmax) {
        for (int64_t k = 0; k < channels; ++k) sum += log_1p_exp(is_of_class(label, k, form) ? -z[k] : z[k]);
        return sum;
    }
    const float most = *std::max_element(z, z + channels);
    for (int64_t k = 0; k < channels; ++k) sum += std::exp(z[k] - most);
    return std::log(sum) + most - z[label];
}

// ---- one image

static int64_t step_of(int64_t h, int64_t w) {
    return std::max<int64_t>(1, int64_t(std::ceil(std::sqrt(double(h) * double(w) / double(sampled_pixels)))));
}

RegionLosses::RegionLosses(int64_t h, int64_t w)
    : h_(h),
      w_(w),
      step_(step_of(h, w)),
      side_(std::max<int64_t>(4, ceil_div(std::max(h, w), 20))),
      rows_(ceil_div(h, side_)),
      columns_(ceil_div(w, side_)),
      cells_(size_t(rows_ * columns_)) {}

void RegionLosses::add_row(int64_t y, const float* logits, const uint8_t* labels, int64_t channels, bool softmax,
                           LabelForm form) {
    for (int64_t x = 0; x < w_; x += step_) {
        if (labels[x] == data::ignored_class) continue;
        const double loss = pixel_loss(logits + x * channels, channels, labels[x], softmax, form);
        if (!std::isfinite(loss)) continue;
        Cell& cell = cells_[size_t(y / side_ * columns_ + x / side_)];
        cell.sum += loss;
        ++cell.counted;
    }
}

std::optional<RegionLosses::Region> RegionLosses::hardest() const {
    std::optional<Region> hardest;
    for (int64_t r = 0; r == 0 || r + 1 < rows_; ++r)
        for (int64_t c = 0; c == 0 || c + 1 < columns_; ++c) {
            Cell square;
            for (int64_t y = r; y < std::min(r + 2, rows_); ++y)
                for (int64_t x = c; x < std::min(c + 2, columns_); ++x) {
                    square.sum += cells_[size_t(y * columns_ + x)].sum;
                    square.counted += cells_[size_t(y * columns_ + x)].counted;
                }
            const int64_t top = r * side_, left = c * side_;
            const Part place{top, left, std::min(2 * side_, h_ - top), std::min(2 * side_, w_ - left)};
            const int64_t enough = std::max<int64_t>(1, place.h * place.w / (4 * step_ * step_));
            const double loss = square.sum / double(square.counted);
            if (square.counted < enough || (hardest && !(loss > hardest->loss))) continue;
            hardest = {place, loss};
        }
    return hardest;
}

// ---- of all images

// What lies within both; for squares that count it is not empty.
static Part within(const Part& part, const Part& around) {
    const int64_t top = std::max(part.top, around.top), left = std::max(part.left, around.left);
    return {top, left, std::min(part.top + part.h, around.top + around.h) - top,
            std::min(part.left + part.w, around.left + around.w) - left};
}

// Twice as large, and moved to lie in the image.
static Part surroundings(const Part& part, const Part& image) {
    const int64_t h = std::min(2 * part.h, image.h), w = std::min(2 * part.w, image.w);
    return {std::clamp(part.top - (h - part.h) / 2, image.top, image.top + image.h - h),
            std::clamp(part.left - (w - part.w) / 2, image.left, image.left + image.w - w), h, w};
}

static Frame frame_of(const Part& part, const Part& around) {
    const double h = double(around.h), w = double(around.w);
    return {double(part.left - around.left) / w, double(part.top - around.top) / h, double(part.w) / w,
            double(part.h) / h};
}

static ConfusionMatrix counts_of(const ValidationPicture& picture, int64_t classes) {
    std::vector<int64_t> counts(size_t(classes * classes));
    for (size_t i = 0; i < picture.truth.u8.size(); ++i)
        if (const uint8_t truth = picture.truth.u8[i]; truth != data::ignored_class)
            ++counts[size_t(truth * classes + picture.prediction.u8[i])];
    return {classes, counts.data()};
}

HardRegion HardRegions::shown(const ImageResult& image, const RegionLosses::Region& region) const {
    const Part content = content_of(image.batch, image.index), place = within(region.place, content),
               around = surroundings(place, content);
    const LabelForm form = card_.label_form();
    const auto picture = [&](const Part& part, int64_t side) {
        return picture_of(image, part, card_.normalization, side, form);
    };
    HardRegion hard{image.name(),
                    region.loss,
                    0,
                    0,
                    0,
                    0,
                    picture(content, picture_side),
                    picture(around, picture_side),
                    frame_of(place, content),
                    frame_of(place, around)};
    const int64_t classes = label_values(form, card_.classes());
    const ConfusionMatrix counts = counts_of(picture(place, std::max(place.h, place.w)), classes);
    int64_t wrong = 0, most = 0;
    for (int64_t t = 0; t < classes; ++t)
        for (int64_t p = 0; p < classes; ++p) {
            if (t == p) continue;
            wrong += counts.at(t, p);
            if (counts.at(t, p) <= most || form == LabelForm::bits) continue;
            most = counts.at(t, p);
            hard.truth = t;
            hard.predicted = p;
        }
    const double pixels = double(std::max<int64_t>(1, counts.pixels()));
    hard.wrong = double(wrong) / pixels;
    hard.mistaken = double(most) / pixels;
    return hard;
}

void HardRegions::add(const ImageResult& image, const RegionLosses& losses) {
    const auto region = losses.hardest();
    if (!region) return;
    const auto at = std::find_if(regions_.begin(), regions_.end(),
                                 [&](const HardRegion& other) { return region->loss > other.loss; });
    if (at == regions_.end() && regions_.size() >= shown_regions) return;
    regions_.insert(at, shown(image, *region));
    if (regions_.size() > shown_regions) regions_.pop_back();
}

}  // namespace atrous::report
