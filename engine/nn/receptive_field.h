// Finds how the pixels of a net's feature maps lie on the image, from what a tape recorded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/autograd/tape.h"
#include "engine/ops/reach.h"

namespace atrous {

// The rectangle of image pixels that one pixel of a feature map depends on: the widest over the positions around the
// map's middle (upsampled maps differ from one to the next), as if the image had no borders, so that it may exceed the
// image. `whole`: a global pooling lies on the path. Batch norm's statistics are not counted.
struct ReceptiveField {
    int64_t height = 1, width = 1;
    bool whole = false;
};

// The rectangle itself, rows and columns.
struct ImageBox {
    Reach::Range axis[2];
    bool whole;
    int64_t size(int i) const { return axis[i].last - axis[i].first + 1; }
};

// A window whose sides lie at multiples of `stride` has, `pixels` inside its borders and more, the values that the whole
// image has there, unless a layer varies with the image's size.
struct Halo {
    int64_t pixels = 0;          // as far as a pixel of the output reaches, to any side
    int64_t stride = 1;          // of the coarsest map
    std::string varies_by = {};  // the first layer that varies: a pooling over the image, or a resize; empty: none
    int64_t multiple = 1;        // to which the net pads an image; `stride` is a multiple of it
};
// Of two nets that see the same windows.
Halo joined(const Halo& a, const Halo& b);
// Of the last map, which is the net's output. The image is so large that maps of one pixel do not occur.
Halo halo_of(const std::vector<Entry>& entries, const Value& image);

// Returns that of every entry's output. `image` is the id of the value that the net was given.
std::vector<ReceptiveField> receptive_fields(const std::vector<Entry>& entries, int64_t image);

// The pixels that one pixel of an entry's output depends on, as if the image had no borders.
ImageBox field_at(const std::vector<Entry>& entries, int64_t image, size_t entry, int64_t y, int64_t x);

// Image pixels from one pixel of each entry's output to its neighbour: products of strides. A map that was resized has
// the stride of the first map of its size, or else that of its input times the ratio of sizes. A map of one pixel that
// stands for all has the image's height.
std::vector<double> output_strides(const std::vector<Entry>& entries, const Value& image);

}  // namespace atrous
