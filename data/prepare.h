// The two halves of load_sample: one does not change from epoch to epoch and may be kept, the other does.
#pragma once

#include "data/loader.h"

namespace atrous::data {

Example decode_sample(const Sample& sample, const MaskRule& rule, const LoaderOptions& options);
void finish_plain(Example& sample, const LoaderOptions& options);
void finish_augmented(Example& sample, const LoaderOptions& options, int64_t epoch, int64_t index);

}  // namespace atrous::data
