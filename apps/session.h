// What verbs that run a net share: devices, threads, the net of a checkpoint, scores as text, pictures of results.
#pragma once

#include <memory>
#include <string>

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

// "Dice 0.91 (images 0.89), mIoU …", and the table by class.
std::string scores_line(const Scores& scores);
std::string scores_table(const Scores& scores, const std::vector<std::string>& class_names);
// What a useless net scores on the same data: one that calls everything foreground, or everything the class with the
// most pixels; and an untrained one, if its scores are given.
std::string baseline_line(const Scores& scores, const std::vector<std::string>& class_names,
                          const Scores* untrained = nullptr);
// A row a true class, a column a predicted one, in pixels.
void write_confusion(const std::string& path, const Scores& scores, const std::vector<std::string>& class_names);

// Class ids of one image of the logits (host values, [h][w][c]).
data::Image classes_of(const float* logits, int64_t h, int64_t w, int64_t c, double threshold = 0);
std::vector<float> host_logits(const Tensor& logits);

// Pictures, truth and prediction of some samples of a set, as a contact sheet.
data::Image result_sheet(SegmentationNet& net, const Recipe& recipe, DType compute,
                         const std::vector<data::Sample>& samples, int64_t rows);

std::string rule_text(const data::MaskRule& rule);  // in --mask-values' words

}  // namespace atrous::app
