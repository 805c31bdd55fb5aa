// Turns logits into masks.
#pragma once

#include <vector>

#include "base/class_thresholds.h"
#include "segmentation/model_card.h"

namespace atrous {

// Of one image, [h][w][c], which begins at (top, left) of the logits [1][H][W][c]; what they have around it, where the
// image was padded, is left out.
std::vector<float> host_logits(const Tensor& logits, int64_t h, int64_t w, int64_t top = 0, int64_t left = 0);
// Class ids of one image of the logits (host values, [h][w][c]).
data::Image class_ids(const float* logits, int64_t h, int64_t w, int64_t c, double threshold = 0);
// Tells whether a pixel with this label is of the class; an ignored one is of none.
bool is_of_class(uint8_t label, int64_t c, LabelForm form);
// Class ids as labels of the form: bit k is set where logit k is above its threshold.
data::Image labels_of(const float* logits, int64_t h, int64_t w, int64_t c, const ClassThresholds& thresholds,
                      LabelForm form);
// 0..255: the probability of the foreground (one channel, or a softmax of two), or of the class with the largest logit, which is its softmax
// or, where every channel is a class by itself, its sigmoid.
data::Image probability_map(const float* logits, int64_t h, int64_t w, int64_t c, bool softmax);
// 0..255: each channel's own sigmoid, in as many channels.
data::Image sigmoid_maps(const float* logits, int64_t h, int64_t w, int64_t c);

}  // namespace atrous
