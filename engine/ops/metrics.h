// Confusion counts of predictions; conventions in kernels/metrics.h.
#pragma once

#include "base/class_thresholds.h"
#include "base/label_form.h"
#include "engine/ops/descriptor.h"

namespace atrous {

// Adds to counts, i64 [classes * classes], truth-major; of labels in bits [classes * 4]. Dense labels u8 [N][H][W][1].
void count_confusion(const Tensor& logits, const Tensor& labels, Tensor& counts, const ClassThresholds& thresholds = {},
                     int ignore_index = 255, LabelForm form = LabelForm::ids);

OpDescriptor describe_confusion();
inline const AddedOps confusion_added{describe_confusion};

}  // namespace atrous
