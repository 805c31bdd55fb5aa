// The two halves of load_sample: one does not change from epoch to epoch and may be kept, the other does.
#pragma once

#include "data/loader.h"

namespace atrous::data {

// The steps of decode_sample: the image with the channels of the net, its labels, both at the size for the net.
Example decode_image(const Sample& sample, const LoaderOptions& options);
void decode_labels(Example& example, const Sample& sample, const MaskRule& rule);
void resize_for_net(Example& example, const LoaderOptions& options);
Example decode_sample(const Sample& sample, const MaskRule& rule, const LoaderOptions& options);
// Pads on all sides to at least this size, with the mean colour and the ignored class.
void pad_around(Example& sample, ImageSize size, const Normalization& normalization);
void finish_plain(Example& sample, const LoaderOptions& options);
void finish_augmented(Example& sample, const LoaderOptions& options, int64_t epoch, int64_t index);

}  // namespace atrous::data
