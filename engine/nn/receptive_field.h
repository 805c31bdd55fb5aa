// Finds how the pixels of a net's feature maps lie on the image, from what a tape recorded.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/autograd/tape.h"

namespace atrous {

// The rectangle of image pixels that one pixel of a feature map depends on: the widest over the positions around the
// map's middle (upsampled maps differ from one to the next), as if the image had no borders, so that it may exceed the
// image. `whole`: a global pooling lies on the path. Batch norm's statistics are not counted.
struct ReceptiveField {
    int64_t height = 1, width = 1;
    bool whole = false;
};

// Returns that of every entry's output. `image` is the id of the value that the net was given.
std::vector<ReceptiveField> receptive_fields(const std::vector<Entry>& entries, int64_t image);

// Image pixels from one pixel of each entry's output to its neighbour: products of strides. A map that was resized has
// the stride of the first map of its size, or else that of its input times the ratio of sizes. A map of one pixel that
// stands for all has the image's height.
std::vector<double> output_strides(const std::vector<Entry>& entries, const Value& image);

}  // namespace atrous
