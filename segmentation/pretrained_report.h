// Weights from elsewhere, and what there is to say of them.
#pragma once

#include <string>

#include "engine/io/pretrained.h"
#include "engine/nn/segmentation_net.h"
#include "segmentation/messages.h"

namespace atrous {

// Loads `path` into the net and says what it is, what fits, and in a table what does not. FormatError.
io::PretrainedReport load_pretrained(SegmentationNet& net, const std::string& path, bool new_head, Messages& messages);

// Tells whether the weights were trained on images minus ImageNet's mean over its deviation, as far as the file says.
bool wants_imagenet_normalization(const std::string& path);

// Throws the error of load_pretrained where it would fail, from shapes alone: `net` is not materialized yet, and is
// spent. Says nothing.
void check_pretrained(SegmentationNet& net, const std::string& path, bool new_head);

std::string text_of(const io::PretrainedReport& report);

}  // namespace atrous
