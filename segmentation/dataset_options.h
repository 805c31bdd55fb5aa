// How an experiment looks at its data set.
#pragma once

#include "data/dataset.h"
#include "segmentation/experiment.h"
#include "segmentation/messages.h"

namespace atrous {

// Before the data set is found; the index of earlier checks is the caller's to add.
data::CheckOptions check_options(const Experiment& experiment, Messages& messages);

// Adds what the set says of itself: what is known of it goes before what its values look like, and after what the user
// says; the samples of `train` come before those of `val`.
void know_dataset(data::CheckOptions& options, const data::Dataset& dataset);

}  // namespace atrous
