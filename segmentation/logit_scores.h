// Scores that follow from more than counts of classes: from the probabilities (precision-recall, calibration) and from
// the places of pixels (boundaries). `eval` finds them; validations, which come every epoch, do not.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/train/calibration.h"
#include "engine/train/precision_recall.h"
#include "engine/train/scores.h"
#include "engine/train/surface_scores.h"
#include "segmentation/model_card.h"

namespace atrous {

// ---- from probabilities

class ProbabilityScores {
 public:
    // Thresholds are of nets of two classes: of one channel, or two that exclude each other. Where classes overlap, each has a
    // curve, and calibration is that of all their questions.
    explicit ProbabilityScores(const ModelCard& card);

    // Logits [pixels][channels] and labels, of which 255 is ignored. `thresholds`: of the logits above which
    // a pixel is foreground (nets of one channel: the first) or of a class (where classes overlap).
    void add(const float* logits, const uint8_t* labels, int64_t pixels, const ClassThresholds& thresholds);

    const Calibration& calibration() const { return calibration_; }
    const std::optional<PrecisionRecall>& precision_recall() const { return precision_recall_; }
    const std::vector<PrecisionRecall>& of_classes() const {
        return of_classes_;
    }                                                        // empty where they exclude each other
    bool takes_threshold() const { return channels_ == 1; }  // of two channels the likelier is taken

 private:
    int64_t channels_;
    bool softmax_;
    Calibration calibration_;
    std::optional<PrecisionRecall> precision_recall_;
    std::vector<PrecisionRecall> of_classes_;
};

// "average precision 0.93, best threshold 0.430: Dice 0.91 (at 0.5: 0.89), calibration error 0.03"; `scores` are those at
// `threshold`, a probability. Where classes overlap, the mean of their average precisions.
std::string probability_line(const ProbabilityScores& p, const Scores& scores, double threshold);
// "best thresholds by class: blue 0.43 (Dice 0.91), red 0.612 (Dice 0.88)\n" of classes that overlap, of others nothing.
std::string best_thresholds_line(const ProbabilityScores& p, const std::vector<std::string>& class_names);
// Adds average_precision, precision_recall (a list of threshold, precision and recall), calibration_error and
// calibration_bins, and of nets with one channel best_threshold and best_threshold_dice. Of classes that overlap
// average_precision is their mean, and each of them has its own, best_threshold and best_threshold_dice too.
void add_to(nlohmann::json& json, const ProbabilityScores& p);

// ---- of boundaries

// Of an image's logits [h][w][channels] and class ids, at one size.
void add_image(SurfaceScores& surfaces, const float* logits, const uint8_t* labels, int64_t h, int64_t w,
               int64_t channels, double threshold);
std::string surface_line(const SurfaceScores& surfaces);  // "boundary F1 0.83, HD95 3.1 px, mean distance 0.8 px"
std::string surface_table(const SurfaceScores& surfaces, const std::vector<std::string>& class_names);
// Adds hd95, mean_surface_distance and boundary_f1, and to each of its classes these and the images they are means of.
void add_to(nlohmann::json& json, const SurfaceScores& surfaces);

}  // namespace atrous
