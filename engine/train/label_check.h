// What is said of labels out of range (kernels/label_range.h): devices find them, this names the first one's place.
#pragma once

#include <string>

#include "base/label_form.h"
#include "engine/host_batch.h"
#include "kernels/label_range.h"

namespace atrous {

struct LabelCheck {
    int64_t out_channels = 0;  // of the net; 1: two classes
    int ignored = 255;         // -1: none is
    std::string where;         // "in step 5": what was counted in
    LabelForm form = LabelForm::ids;
};

// Throws DataError with sample, file, place and label of the first one, if there is any. The batches are what was counted, in
// order; the source, which gave them, tells the place in the mask's file and the value there. Where it cannot, the place is
// that in the net's image.
void check_labels(const kernels::LabelsOutOfRange& found, const HostBatch* batches, int64_t count,
                  const BatchSource& source, const LabelCheck& check);

}  // namespace atrous
