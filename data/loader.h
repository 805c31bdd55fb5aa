// Batches from a data set: decodes, resizes, augments and normalises ahead of the consumer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/transform.h"
#include "engine/host_batch.h"

namespace atrous::data {

// Probabilities and ranges; the defaults change nothing.
struct Augmentation {
    double hflip = 0, vflip = 0;          // probability
    bool turn = false;                    // by 0, 90, 180 or 270 degrees, transposed or not; not square: by 0 or 180
    double rotate_degrees = 0;            // an angle in [-r, r], mirrored at the border
    std::vector<double> scale{1, 1};      // the picture is resized by a factor in this range, then cropped or padded
    double brightness = 0, contrast = 0;  // factors in [1 - b, 1 + b]
    bool random_crop = true;              // where there is a crop size: anywhere, or in the middle
};

void describe(Settings& settings, Augmentation& augmentation);
void check(const Augmentation& augmentation);  // UsageError

enum class LastBatch { keep, drop, merge };  // merge: a last partial batch joins the one before it

struct LoaderOptions {
    int64_t batch_size = 4;
    int64_t resize_h = 0, resize_w = 0;  // 0: the picture's own size
    int64_t crop_h = 0, crop_w = 0;      // 0: none; smaller pictures are padded
    int64_t size_multiple = 1;           // height and width of a batch are padded to a multiple of this
    int channels = 3;
    Normalisation normalisation;
    Augmentation augmentation;
    bool augment = false, shuffle = false;
    LastBatch last = LastBatch::keep;
    uint64_t seed = 0;
    int workers = 0;          // threads beside the consumer; 0: the consumer does the work
    int prefetch = 2;         // batches ahead of the consumer
    int64_t cache_bytes = 0;  // decoded and resized samples are kept up to this sum
};

// A picture and its labels as they enter a batch, before normalisation.
struct Prepared {
    Image picture, labels;               // labels: class ids; h = 0 where the sample has no mask
    int64_t source_h = 0, source_w = 0;  // before resizing
};

// Decoded and resized, not augmented; the crop is taken from the middle. For prediction and for looking at samples.
Prepared load_sample(const Sample& sample, const MaskRule& rule, const LoaderOptions& options);
// The same with the augmentation of (seed, epoch, index).
Prepared load_sample(const Sample& sample, const MaskRule& rule, const LoaderOptions& options, int64_t epoch,
                     int64_t index);

// Pictures of a batch that differ in size are padded at the bottom and right to the largest, rounded up to
// size_multiple, with the mean colour and the ignored class.
void assemble(const std::vector<Prepared>& samples, const LoaderOptions& options, HostBatch& batch);

// The same batches whatever the number of workers. What a worker throws, next() throws at the batch concerned.
std::unique_ptr<BatchSource> make_loader(std::vector<Sample> samples, MaskRule rule, const LoaderOptions& options);

}  // namespace atrous::data
