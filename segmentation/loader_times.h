// Measures how fast a loader makes batches, and where its time goes: what `atrous bench loader` shows.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "data/loader.h"

namespace atrous {

// Seconds of one thread for each step of an image's way into a batch, summed over the images.
struct LoaderSteps {
    double read = 0;     // the files' bytes, of the image and the mask
    double decode = 0;   // the image
    double mask = 0;     // the mask, decoded or drawn, and its values as classes
    double resize = 0;   // both
    double augment = 0;  // augmentations and the crop
    double convert = 0;  // to the batch's normalized floats, and what is padded
    int64_t images = 0;
    double total() const { return read + decode + mask + resize + augment + convert; }
    std::vector<std::pair<std::string, double>> named() const;  // in order, for tables
};

// Takes `images` samples in turn through each step by itself, of epoch 0. Their files have been read once before.
LoaderSteps time_loader_steps(const std::vector<data::Sample>& samples, const data::MaskRule& rule,
                              const data::LoaderOptions& options, int64_t images);

// Images a second that a consumer gets who does nothing else, with options.workers threads: the median over
// `repetitions` of at least `images` images each, behind one epoch's first batch. Nothing is cached.
double loader_throughput(const std::vector<data::Sample>& samples, const data::MaskRule& rule,
                         const data::LoaderOptions& options, int64_t images, int repetitions);

}  // namespace atrous
