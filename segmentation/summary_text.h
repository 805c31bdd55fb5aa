// A net's summary and memory plan, as tables for people and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/image_size.h"
#include "engine/nn/summary.h"
#include "engine/train/memory_plan.h"
#include "models/net_config.h"

namespace atrous {

std::string grouped(int64_t n);  // 31,037,633
std::string scaled(int64_t n);   // 48.2 G
std::string layer_table(const Summary& summary, int64_t batch);
// Tells what the size of the images means to this net: padding, dead taps.
std::string size_notes(const SegmentationNet& net, const NetConfig& config, ImageSize size);

nlohmann::json json_of(const Summary& summary);
nlohmann::json json_of(const MemoryPlan& plan);

}  // namespace atrous
