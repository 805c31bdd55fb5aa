// A range test of the learning rate (engine/train/rate_range_test.h) with the data, net and optimizer of a training, which
// is not begun: no file is written and no weight kept.
#pragma once

#include <string>

#include "engine/train/rate_range_test.h"
#include "segmentation/training_setup.h"

namespace atrous {

RangeTest find_rate(const TrainingSetup& setup, const RangeTestOptions& range, Messages& messages,
                    const std::function<bool(int64_t steps_done)>& go_on);

// Rates with their losses, some of them; what ended the test; and the rates that it suggests.
std::string text_of(const RangeTest& test);
std::string csv_of(const RangeTest& test);  // step,lr,loss,smoothed

}  // namespace atrous
