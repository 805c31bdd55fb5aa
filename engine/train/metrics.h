// Segmentation scores from confusion counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace atrous {

struct ClassScore {
    double dice = 0, iou = 0;                            // NaN where the class occurs in neither truth nor prediction
    int64_t truth = 0, predicted = 0, intersection = 0;  // pixels
};

struct Scores {
    std::vector<ClassScore> classes;
    std::vector<int64_t> confusion;  // [truth][predicted], pixels
    double dice = 0;                 // over the data set; binary: of class 1, else the mean over classes that occur
    double image_dice = 0;           // the same computed for each image, then averaged over images
    double mean_iou = 0;             // mean over classes that occur
    double pixel_accuracy = 0;
    double loss = 0;
    int64_t images = 0, pixels = 0;
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
    int64_t images_ = 0;
};

// Dice of a binary matrix's class 1, or the mean over classes that occur. An image without the class on either side
// scores 1: nothing was there and nothing was claimed.
double dice_of(const int64_t* counts, int64_t classes);

}  // namespace atrous
