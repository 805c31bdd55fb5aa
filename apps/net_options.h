// The options that say which net a verb builds.
#pragma once

#include "apps/options.h"
#include "models/catalogue.h"

namespace atrous::app {

struct NetOptions {
    explicit NetOptions(Options& o, const std::string& group = "Net");
    // UsageError for an option on the command line that the chosen model does not take.
    NetConfig config(int64_t in_channels, int64_t out_channels) const;

    Option<std::string>&model, &encoder;
    Option<int64_t>& output_stride;
    Option<std::vector<int64_t>>& rates;
    Option<bool>& pooled;
    Option<double>& aux_weight;
    Option<bool>&gentle, &separable;
    Option<int64_t>&base_channels, &depth, &kernel;
    Option<bool>&bilinear, &align_corners, &full_width, &batch_norm;

 private:
    void refuse_strangers() const;
};

}  // namespace atrous::app
