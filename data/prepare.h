// The two halves of load_sample: one does not change from epoch to epoch and may be kept, the other does.
#pragma once

#include "data/loader.h"

namespace atrous::data {

// The steps of decode_sample: the image with the channels of the net, its labels, both at the size for the net.
Example decode_image(const Sample& sample, const LoaderOptions& options);
void decode_labels(Example& example, const Sample& sample, const MaskRule& rule);
void resize_for_net(Example& example, const LoaderOptions& options);
Example decode_sample(const Sample& sample, const MaskRule& rule, const LoaderOptions& options);
bool has_bytes(const Image& image);  // 8 bits
// The mean colour, rounded as the image's values are.
Fill fill_of(const Image& image, const Normalization& normalization);
// What draws the decisions of this stream about a sample.
Random random_of(const LoaderOptions& options, int64_t epoch, int64_t index, uint64_t stream);
// Of a batch of n images of at most that size.
void set_shape(HostBatch& batch, const LoaderOptions& options, int64_t n, int64_t h, int64_t w);
// Pads on all sides to at least this size, with the mean colour and the ignored class.
void pad_around(Example& sample, ImageSize size, const Normalization& normalization);
void finish_plain(Example& sample, const LoaderOptions& options);
// The samples of a training, decoded, from which augmentations mix some into others. None: nothing is mixed.
struct MixedSamples {
    int64_t count = 0;
    std::function<Example(int64_t index)> decoded = {};
};
void finish_augmented(Example& sample, const LoaderOptions& options, int64_t epoch, int64_t index,
                      const MixedSamples& mixed = {});

// A sample whose augmentation is left to a device.
struct PlannedSample {
    std::shared_ptr<const Example> source;
    SamplePlan plan;
};
bool can_be_planned(const Example& source, const LoaderOptions& options);
// The changes that finish_augmented would make, by the same draws.
SamplePlan plan_augmented(const Example& source, const LoaderOptions& options, int64_t epoch, int64_t index);
void collate(const std::vector<PlannedSample>& samples, const LoaderOptions& options, HostBatch& batch);

}  // namespace atrous::data
