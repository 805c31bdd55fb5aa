// The hardest regions of one validation: of each image the square in which its pixels have the highest mean loss, and of
// all images those with the hardest ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "segmentation/model_card.h"
#include "segmentation/report/validation_picture.h"

namespace atrous::report {

inline constexpr size_t shown_regions = 6;  // one of an image
inline constexpr int64_t sampled_pixels = 64
                                          << 10;  // of an image, about: of larger ones every so many rows and columns

// The cross-entropy of a pixel in nats, from its logits z and its class t, whatever loss the net is trained with:
//   one channel   log(1 + exp(-z)) of the foreground, log(1 + exp(z)) of the background
//   softmax       log Σ exp(z_k) - z_t
//   else          the sum of the channels' own
// Labels in bits are a question a channel.
double pixel_loss(const float* logits, int64_t channels, uint8_t label, bool softmax, LabelForm form = LabelForm::ids);

// Means of losses over the squares of an image, which overlap by half: their side is a tenth of the image's longer one,
// and 8 pixels at least, less where the image ends. A square counts where a quarter of its pixels in the image do.
class RegionLosses {
 public:
    RegionLosses(int64_t h, int64_t w);
    int64_t step() const { return step_; }  // rows and columns at multiples of it are sampled
    // Logits [w][channels] and class ids of row y, a multiple of step(). Losses that are not finite are left out.
    void add_row(int64_t y, const float* logits, const uint8_t* labels, int64_t channels, bool softmax,
                 LabelForm form = LabelForm::ids);

    struct Region {
        Part place;
        double loss;
    };
    std::optional<Region> hardest() const;  // of equal ones the first; none where no square counts

 private:
    struct Cell {  // a quarter of a square
        double sum = 0;
        int64_t counted = 0;
    };

    int64_t h_, w_, step_, side_, rows_, columns_;  // side_: of a cell
    std::vector<Cell> cells_;
};

// A place in a picture, in shares of its width and height.
struct Frame {
    double left, top, width, height;
};

struct HardRegion {
    std::string name;          // of the image
    double loss, wrong;        // mean of its pixels; share of those that count which are taken for another class
    int64_t truth, predicted;  // the most frequent mistake; equal where there is none
    double mistaken;           // share of the pixels that count with that mistake; 0 of labels in bits
    ValidationPicture whole, close;
    Frame in_whole, in_close;
};

class HardRegions {
 public:
    explicit HardRegions(const ModelCard& card) : card_(card) {}
    void clear() { regions_.clear(); }
    void add(const ImageResult& image, const RegionLosses& losses);
    const std::vector<HardRegion>& regions() const { return regions_; }  // the hardest first

 private:
    HardRegion shown(const ImageResult& image, const RegionLosses::Region& region) const;

    const ModelCard& card_;
    std::vector<HardRegion> regions_;
};

}  // namespace atrous::report
