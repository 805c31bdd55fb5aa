// Scores of the boundaries of class maps: how far a predicted contour lies from the true one, which overlap measures such
// as Dice hardly see of a large object.
//
// The boundary of a class in an image are those of its pixels that have a 4-neighbour of another class, or lie at the
// image's edge: its mask XOR the mask's erosion by a cross, as MONAI's get_mask_edges. Distances are between centres of
// pixels. Let d be the distances from each predicted boundary pixel to the nearest true one, and e those from each
// true one to the nearest predicted one:
//
//   hd95           max(95th percentile of d, of e), percentiles linear between neighbours (MONAI's
//                  compute_hausdorff_distance, percentile=95), in pixels
//   mean_distance  mean of d and e together (MONAI's compute_average_surface_distance, symmetric=True), in pixels
//   boundary_f1    2 P R / (P + R), P the share of d that is at most the tolerance, R that of e (the BF score of Csurka,
//                  Larlus, Perronnin: What is a good evaluation measure for semantic segmentation?, 2013)
//
// Of a class that an image has in truth or in prediction alone the distances are undefined, and boundary_f1 is 0; of one
// that it has in neither all are undefined. Ignored pixels belong to no class, in truth and prediction: a contour along
// them is one that both have.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/train/metric.h"

namespace atrous {

struct SurfaceScore {
    double hd95 = undefined_score, mean_distance = undefined_score, boundary_f1 = undefined_score;
};

// `truth` and `predicted`: class ids [h][w]; truth 255 is ignored. `tolerance` in pixels.
SurfaceScore surface_score(const uint8_t* truth, const uint8_t* predicted, int64_t h, int64_t w, int c,
                           double tolerance);

// The share of an image's diagonal that is the tolerance of boundary_f1 in its paper.
inline constexpr double usual_tolerance = 0.0075;

// Means over images of each class, each over those that have a value.
class SurfaceScores {
 public:
    // `tolerance` in pixels; 0: usual_tolerance of each image's diagonal.
    explicit SurfaceScores(int64_t classes = 0, double tolerance = 0)
        : classes_(size_t(classes)), tolerance_(tolerance) {}

    // O(h w) and, of each class that occurs, its bounding box.
    void add(const uint8_t* truth, const uint8_t* predicted, int64_t h, int64_t w);

    struct Mean {
        double sum = 0;
        int64_t images = 0;  // that have a value
        double value() const { return images ? sum / double(images) : undefined_score; }
    };
    struct OfClass {
        Mean hd95, mean_distance, boundary_f1;
    };
    const std::vector<OfClass>& classes() const { return classes_; }
    SurfaceScore of_class(size_t c) const;
    // Class 1 of two, or the mean over the classes that have a value.
    SurfaceScore whole() const;

 private:
    std::vector<OfClass> classes_;
    double tolerance_;
};

}  // namespace atrous
