// A pass over shapes alone tells these things of a net before it trains.
#pragma once

#include <string>
#include <vector>

#include "models/catalogue.h"

namespace atrous {

// Parts of a net that a training leaves as they are. freeze() must be called before materialize().
struct FreezeOptions {
    bool batch_norm = false;  // running statistics are used and kept; scale and shift still train
    bool encoder = false;     // neither weights nor statistics of the encoder change
};
void freeze(SegmentationNet& net, const FreezeOptions& freezing);  // UsageError where there is no encoder

// Throws ShapeError naming the layer if a training step on `images` images of this size cannot work: batch norm over
// one value per channel, a kernel that does not fit.
void check_training_step(const NetConfig& config, const FreezeOptions& freezing, int64_t images, int64_t height,
                         int64_t width);

// Dilated convolutions that mostly read padding at this size; of those with one dilation and input size the first.
struct DeadTaps {
    std::string layer;
    int64_t dilation, height, width;  // of the convolution and its input
    int64_t taps;
    double live;  // taps that lie in the input, the mean over output pixels
};
std::vector<DeadTaps> mostly_dead_taps(const NetConfig& config, int64_t height, int64_t width);
std::string text_of(const DeadTaps& taps);  // a sentence, with what helps

}  // namespace atrous
