// A configuration holds everything that is needed to build a net again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/label_form.h"
#include "models/model.h"

namespace atrous {

// Checkpoints carry it. Settings that several models share are fields of it; a model takes those that it names.
struct NetConfig {
    std::string model = "unet";
    int64_t in_channels = 3, out_channels = 1;
    std::string encoder = {};          // empty: the model's own
    int64_t output_stride = 0;         // of the encoder; 0: the model's own
    std::vector<int64_t> rates = {};   // of the ASPP; empty: the model's own
    bool pooled = true;                // the ASPP's branch of the mean
    double aux_weight = 0.5;           // of the auxiliary head's loss, where the model has one; 0: no such head
    bool progressive_decoder = false;  // a decoder of x2 steps
    bool dropout = true;               // false: none, for comparisons
    OneOfEach<Model> models = {};      // the settings that each has of its own
};

// These numbers lie in these ranges, whoever sets them: an option, or a checkpoint.
namespace net_ranges {
struct Range {
    int64_t low, high;
};
inline constexpr Range in_channels{1, 1024}, out_channels{1, 255};
inline constexpr int64_t max_rates = 32;
}  // namespace net_ranges

// Describes the choice of the model, the shared settings and those of every model, but for the numbers of channels.
void describe(Settings& settings, NetConfig& config);

// Two classes that exclude each other are one logit.
inline int64_t logits_of(int64_t classes, LabelForm form = LabelForm::ids) {
    return classes > 2 || (form == LabelForm::bits && classes > 0) ? classes : 1;
}
inline int64_t classes_of(int64_t logits) { return logits > 1 ? logits : 2; }

}  // namespace atrous
