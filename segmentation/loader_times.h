// Measures how fast a loader makes batches, and where its time goes: what `atrous bench loader` shows.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "data/loader.h"
#include "engine/device.h"

namespace atrous {

// Seconds of one thread for each step of an image's way into a batch, summed over the images.
struct LoaderSteps {
    double read = 0;     // the files' bytes, of the image and the mask
    double decode = 0;   // the image
    double mask = 0;     // the mask, decoded or drawn, and its values as classes
    double resize = 0;   // both
    double augment = 0;  // augmentations and the crop; of plans, their draws
    double convert = 0;  // into the batch, and what is padded
    double upload = 0;   // to the device, until images lie in front of the net; of plans with all augmentation
    int64_t images = 0;
    double total() const { return read + decode + mask + resize + augment + convert + upload; }
    std::vector<std::pair<std::string, double>> named() const;  // in order, for tables
};

// Takes `images` samples in turn through each step by itself, of epoch 0, the device's in float. Their files have been read
// once before. Of what has a plan (data/loader.h: plans) the device does the augmentation.
LoaderSteps time_loader_steps(const std::vector<data::Sample>& samples, const data::MaskRule& rule,
                              const data::LoaderOptions& options, int64_t images, Device device);

// Images a second that a consumer gets who does nothing else, with options.workers threads: the median over
// `repetitions` of at least `images` images each, behind one epoch's first batch. Nothing is cached.
double loader_throughput(const std::vector<data::Sample>& samples, const data::MaskRule& rule,
                         const data::LoaderOptions& options, int64_t images, int repetitions);

}  // namespace atrous
