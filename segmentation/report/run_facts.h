// What is known of a training before its first step, for its report.
#pragma once

#include "segmentation/report/run_record.h"
#include "segmentation/training_setup.h"

namespace atrous::report {

Json net_facts(const TrainingSetup& setup, int64_t parameters, int64_t batches_per_epoch);
// Samples of each part, sizes, channels, mask rule; by class the pixels, and the samples that have it.
Json data_facts(const TrainingSetup& setup);
Json class_facts(const ModelCard& card);  // name and colour ("#rrggbb") of each
// As the page calls a metric: "Dice, mean over images".
std::string title_of(const Metric& metric);
std::string class_name(const ModelCard& card, int64_t id);

}  // namespace atrous::report
