// A drawn data set: cars, discs and polygons over textured backgrounds, with masks that are exact by construction. It
// lets one try training without a download, and tests know the right answer for every pixel.
#pragma once

#include <cstdint>
#include <string>

#include "base/image_size.h"
#include "data/image.h"

namespace atrous::data {

struct SynthOptions {
    bool cars = true, discs = true, polygons = true;
    bool class_per_kind = false;  // car 1, disc 2, polygon 3; otherwise any object is 1. Background is 0
    int max_objects = 4;
    bool distractors = true;  // lines, frames and rectangles that belong to the background
    double noise = 7;         // standard deviation of the sensor noise, of 255
};

struct SynthSample {
    Image image;  // RGB, edges anti-aliased
    Image mask;   // class ids; a pixel has the class of what covers its centre
};

// Gives the same sample for the same (seed, index, size, options).
SynthSample draw_sample(uint64_t seed, uint64_t index, ImageSize size, const SynthOptions& options = {});

// Writes <dir>/{train,val}/{images,masks}/*.png. Masks hold 0 and 255, or the class ids under class_per_kind; the last
// round(val_fraction * count) samples validate.
void write_dataset(const std::string& dir, int64_t count, ImageSize size, uint64_t seed, double val_fraction,
                   const SynthOptions& options = {});

}  // namespace atrous::data
