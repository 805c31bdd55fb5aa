// Weights from elsewhere, as the program shows them.
#pragma once

#include <string>

#include "engine/io/pretrained.h"
#include "engine/nn/segmentation_net.h"

namespace atrous::app {

// Loads `path` into the net and prints what it is, what fits, and a table of what does not. FormatError.
io::PretrainedReport load_pretrained(SegmentationNet& net, const std::string& path, bool new_head);

// The same error where it would not fit, from shapes alone: `net` is not materialized yet, and is spent. Says nothing.
void check_pretrained(SegmentationNet& net, const std::string& path, bool new_head);

std::string text_of(const io::PretrainedReport& report);

}  // namespace atrous::app
