// How an experiment looks at its data set.
#pragma once

#include "data/dataset.h"
#include "data/loader.h"
#include "segmentation/experiment.h"
#include "segmentation/messages.h"
#include "segmentation/model_card.h"

namespace atrous {

// Before the data set is found; the index of earlier checks is the caller's to add.
data::CheckOptions check_options(const Experiment& experiment, Messages& messages);

// Adds what the set says of itself: what is known of it goes before what its values look like, and after what the user
// says; the samples of `train` come before those of `val`.
void know_dataset(data::CheckOptions& options, const data::Dataset& dataset);

// What the model card says of how the net sees images: their size, channels and normalization.
void describe_view(ModelCard& card, const Experiment& experiment, const data::DatasetReport& report);

// Empty, or why the names of the set's classes cannot be used where so many are trained: a fault where the user gave
// them, else worth a warning.
std::string unfit_names(const Experiment& experiment, const data::Dataset& dataset, int classes);

// As a training sees the images of a checked set, but for the net's multiple, workers and cache: neither shuffled nor
// augmented before the caller says so.
data::LoaderOptions loader_options(const Experiment& experiment, const data::DatasetReport& report);

}  // namespace atrous
