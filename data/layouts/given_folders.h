// Samples of the folders that `images`, `masks` and their like give.
#pragma once

#include "data/dataset.h"

namespace atrous::data {

bool has_given_folders(const DatasetOptions& options);

// UsageError where one setting lacks another that belongs to it.
Dataset dataset_of_given_folders(const DatasetOptions& options);

}  // namespace atrous::data
