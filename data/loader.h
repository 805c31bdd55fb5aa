// Batches from a data set: decodes, resizes, augments and normalizes ahead of the consumer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/augmentation.h"
#include "data/dataset.h"
#include "data/example.h"
#include "data/resize_mode.h"
#include "engine/host_batch.h"

namespace atrous::data {

// What a sample that a device augments takes up in a batch at the most.
struct SampleRoom {
    int64_t pixels = 0;   // of its source
    int64_t filters = 0;  // integers
};

enum class LastBatch { keep, drop, merge };  // merge: a last partial batch joins the one before it

struct LoaderOptions {
    int64_t batch_size = 4;
    int64_t resize_h = 0, resize_w = 0;         // 0: the image's own size
    std::function<Fitted(ImageSize)> fit = {};  // instead, by the image's own size
    int64_t crop_h = 0, crop_w = 0;             // 0: none; smaller images are padded
    int64_t size_multiple = 1;                  // height and width of a batch are padded to a multiple of this
    int channels = 3;                           // of the net; 0: as the files have them, for looking at samples
    bool bytes = false;                         // batches whose images all have 8 bits hold them as they are
    bool plans = false;                         // and those of a training their sources, which the device augments
    SampleRoom room = {};  // of each of them, so that batches of n are of one size; 0: what it holds
    Normalization normalization;
    Augmentations augmentations;
    bool augment = false, shuffle = false;  // augment: also crops anywhere instead of in the middle
    LastBatch last = LastBatch::keep;
    uint64_t seed = 0;
    int workers = 0;          // threads beside the consumer; 0: the consumer does the work
    int prefetch = 2;         // batches ahead of the consumer
    int64_t cache_bytes = 0;  // decoded and resized samples are kept up to this sum
};

// Decodes and resizes without augmenting, for prediction and for looking at samples; the crop is taken from the middle.
Example load_sample(const Sample& sample, const MaskRule& rule, const LoaderOptions& options);
// Of a training's samples the index-th, with the augmentations of (seed, epoch, index).
Example load_sample(const std::vector<Sample>& samples, const MaskRule& rule, const LoaderOptions& options,
                    int64_t epoch, int64_t index);

// What the plans of images of this size come to, by some that are drawn.
struct PlanFigures {
    std::string failure;  // why an augmentation cannot be planned so; empty: all can
    int64_t filters = 0;  // integers of a sample, which others hardly exceed
    int64_t reads = 1;    // stored values that one value is made of
};
PlanFigures figures_of_plans(const LoaderOptions& options, ImageSize image);

// Where the pixels of an image of this size lie in what a net sees that is not trained on it.
struct Placement {
    int64_t top = 0, left = 0;
    ImageSize size;
};
Placement placement_of(const LoaderOptions& options, ImageSize image);

// Images of a batch that differ in size are padded at the bottom and right to the largest, rounded up to
// size_multiple, with the mean colour and the ignored class.
void collate(const std::vector<Example>& samples, const LoaderOptions& options, HostBatch& batch);

// Gives the same batches whatever the number of workers. An error of a worker is thrown by next() at the batch
// concerned.
std::unique_ptr<BatchSource> make_loader(std::vector<Sample> samples, MaskRule rule, const LoaderOptions& options);

}  // namespace atrous::data
