// Scores as lines and tables for people.
#pragma once

#include <string>
#include <vector>

#include "engine/train/scores.h"
#include "engine/train/trainer.h"

namespace atrous {

// Four decimals, or "-" for a score that is not defined.
std::string score_text(double score);
// "Dice 0.91 (images 0.89), mIoU …", and the table by class.
std::string scores_line(const Scores& scores);
// "precision 0.91, recall …": the metrics that are details (engine/train/metric.h).
std::string details_line(const Scores& scores);
std::string scores_table(const Scores& scores, const std::vector<std::string>& class_names);
// "train loss 0.31, val loss 0.29, Dice 0.91 (images 0.89), mIoU 0.84, best"; a monitored score that is not among these
// stands behind them.
std::string epoch_line(const EpochReport& report);
// The scores of a useless net on the same data: of one that calls everything foreground, or everything the class with
// the most pixels; and of an untrained one, if its scores are given.
std::string baseline_line(const Scores& scores, const std::vector<std::string>& class_names,
                          const Scores* untrained = nullptr);

// NumericError that names the images for which the net gave NaN or Inf, if there are any.
void refuse_nonfinite(const std::vector<std::string>& names, int64_t of);

}  // namespace atrous
