// Samples of a data set as a training sees them, as a contact sheet (data/contact_sheet.h).
#pragma once

#include "segmentation/data_check.h"

namespace atrous {

// At most so many samples of train and val, spread evenly over them: image, mask and overlay at the size of the training,
// with the names and colours of the classes; with `augment` as its first epoch changes those that train. DataError where a
// training would refuse the set.
data::Image data_sheet(const Experiment& experiment, const DataCheck& check, int64_t rows, bool augment);

}  // namespace atrous
