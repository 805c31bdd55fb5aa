// Segmentation scores from confusion counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace atrous {

struct ClassScore {
    double dice = 0, iou = 0;                            // NaN where the class occurs in neither truth nor prediction
    int64_t truth = 0, predicted = 0, intersection = 0;  // pixels
};

// A score that is not defined is NaN, never 0 or 1: it is shown as absent and chooses nothing.
inline constexpr double undefined_score = std::numeric_limits<double>::quiet_NaN();

struct Scores {
    std::vector<ClassScore> classes;
    std::vector<int64_t> confusion;           // [truth][predicted], pixels
    double dice = undefined_score;            // over the data set; binary: of class 1, else the mean over classes that
                                              // occur; undefined where none occurs in truth or prediction
    double image_dice = undefined_score;      // the same for each image by itself, averaged over those that have one
    double mean_iou = undefined_score;        // mean over classes that occur
    double pixel_accuracy = undefined_score;  // undefined where no pixel counts
    double loss = undefined_score;            // of each image by itself, averaged over images with a pixel that counts;
                                              // undefined where there is none, or where `nonfinite` names one
    int64_t images = 0, pixels = 0;
    std::vector<std::string> nonfinite = {};  // images for which the net gave NaN or Inf
};

// Adds up images one at a time: `counts` is one image's [truth][predicted] matrix.
class ScoreKeeper {
 public:
    explicit ScoreKeeper(int64_t classes) : classes_(classes), total_(static_cast<size_t>(classes * classes)) {}
    void add(const int64_t* counts);
    Scores scores() const;

 private:
    int64_t classes_;
    std::vector<int64_t> total_;
    double dice_sum_ = 0;
    int64_t images_ = 0, images_with_dice_ = 0;
};

// Dice of a binary matrix's class 1, or the mean over classes that occur. Undefined where nothing was there and nothing
// was claimed.
double dice_of(const int64_t* counts, int64_t classes);

}  // namespace atrous
