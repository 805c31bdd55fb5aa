// The options that say which net a verb builds.
#pragma once

#include "apps/options.h"
#include "models/catalogue.h"

namespace atrous::app {

struct NetOptions {
    explicit NetOptions(Options& o, const std::string& group = "Net");
    // UsageError for an option on the command line that the chosen model does not take.
    NetConfig config(int64_t in_channels, int64_t out_channels) const;

    Setting<std::string>&model, &encoder;
    Setting<int64_t>& output_stride;
    Setting<std::vector<int64_t>>& rates;
    Setting<bool>& pooled;
    Setting<double>& aux_weight;
    Setting<bool>&gentle, &separable;
    Setting<int64_t>&base_channels, &depth, &kernel;
    Setting<bool>&bilinear, &align_corners, &full_width, &batch_norm;

 private:
    void refuse_strangers() const;
};

}  // namespace atrous::app
