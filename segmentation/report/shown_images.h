// The pictures of a report: of the images of one validation those with the lowest and those with the highest loss, as
// small as the page shows them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "segmentation/model_card.h"
#include "segmentation/report/validation_picture.h"

namespace atrous::report {

inline constexpr int64_t picture_side = 224;  // the longer one, at most, in pixels
inline constexpr size_t shown_each = 5;       // best images, and worst ones

struct ShownImage : ValidationPicture {
    std::string name;
    double loss, score;  // Dice of two classes, of more the mean IoU; NaN: not defined
};

// Collects while a validation goes on: what it holds is never more than shown_each images on either side.
class ShownImages {
 public:
    explicit ShownImages(const ModelCard& card) : card_(card) {}
    void clear();
    void add(const ImageResult& image);                              // one without a finite loss is passed over
    const std::vector<ShownImage>& worst() const { return worst_; }  // the worst first
    std::vector<ShownImage> best() const;                            // the best first, without those among the worst

 private:
    ShownImage shown(const ImageResult& image) const;

    const ModelCard& card_;
    std::vector<ShownImage> best_, worst_;
};

// Where truth and prediction differ, an id a pixel, to be drawn with error_palette().
data::Image error_map(const ValidationPicture& image, int64_t classes);
// Of two classes: neither, hit, missed, false alarm, ignored. Of more: right, wrong, -, -, ignored.
data::Palette error_palette(int64_t classes);

// The image as the text of a data URI.
std::string png_uri(const data::Image& ids, const data::Palette& palette);
std::string jpeg_uri(const data::Image& rgb);

}  // namespace atrous::report
