// What the report takes from the logits of every pixel of a validation.
#pragma once

#include <optional>

#include "engine/train/precision_recall.h"
#include "segmentation/report/hard_regions.h"

namespace atrous::report {

// The curve of two classes is that of `eval` (docs/metrics.md). Memory: 16 MiB of two classes; of an image's logits 4 MiB
// at a time, as fp32.
class ValidationPixels {
 public:
    explicit ValidationPixels(const ModelCard& card);
    void clear();
    void add(const ImageResult& image);
    const std::optional<PrecisionRecall>& precision_recall() const { return precision_recall_; }
    const HardRegions& hard_regions() const { return hard_regions_; }

 private:
    const bool softmax_;
    const LabelForm form_;
    std::optional<PrecisionRecall> precision_recall_;  // of two classes
    HardRegions hard_regions_;
};

}  // namespace atrous::report
