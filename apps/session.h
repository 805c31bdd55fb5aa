// What verbs that run a net share: devices, threads, the net of a checkpoint, scores as text, pictures of results.
#pragma once

#include <memory>
#include <string>

#include "apps/options.h"
#include "apps/recipe.h"
#include "data/palette.h"
#include "engine/train/evaluate.h"

namespace atrous::app {

// parse_device, and the number of host threads (0: all).
Device open_device(const std::string& name, int threads);

struct LoadedNet {
    Recipe recipe;
    std::unique_ptr<SegmentationNet> net;
    DType compute = DType::f32;
};
// Builds the net a checkpoint describes, on the device, in evaluation mode. `precision`: empty for the checkpoint's.
LoadedNet load_net(const std::string& checkpoint, Device device, const std::string& precision);

// Four decimals, or "-" for a score that is not defined.
std::string score_text(double score);
// "Dice 0.91 (images 0.89), mIoU …", and the table by class.
std::string scores_line(const Scores& scores);
std::string scores_table(const Scores& scores, const std::vector<std::string>& class_names);
// What a useless net scores on the same data: one that calls everything foreground, or everything the class with the
// most pixels; and an untrained one, if its scores are given.
std::string baseline_line(const Scores& scores, const std::vector<std::string>& class_names,
                          const Scores* untrained = nullptr);
// A row a true class, a column a predicted one, in pixels.
void write_confusion(const std::string& path, const Scores& scores, const std::vector<std::string>& class_names);

// "DIR: images + masks; 90 train, 10 validate"
std::string data_line(const std::string& folder, const data::Dataset& dataset);

// --threshold, and what it means for a net's logits. UsageError where it is given to a net of several classes.
Setting<double>& threshold_option(Options& o);
double logit_threshold(const Setting<double>& threshold, const Recipe& recipe);

// NumericError that names the pictures for which the net gave NaN or Inf, if there are any.
void refuse_nonfinite(const std::vector<std::string>& names, int64_t of);

// Class ids of one image of the logits (host values, [h][w][c]).
data::Image classes_of(const float* logits, int64_t h, int64_t w, int64_t c, double threshold = 0);
std::vector<float> host_logits(const Tensor& logits);
// 0..255: the probability of the foreground (one channel), or of the class with the largest logit, which is its softmax
// or, where every channel is a class by itself, its sigmoid.
data::Image probability_of(const float* logits, int64_t h, int64_t w, int64_t c, bool softmax);

// Pictures, truth and prediction of some samples of a set, as a contact sheet.
data::Image result_sheet(SegmentationNet& net, const Recipe& recipe, DType compute,
                         const std::vector<data::Sample>& samples, int64_t rows, double threshold = 0);

}  // namespace atrous::app
