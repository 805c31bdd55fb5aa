// Pictures of an image of a validation, or of a part of it: as it went into the net, its truth and its prediction.
#pragma once

#include <cstdint>

#include "base/label_form.h"
#include "data/image.h"
#include "data/transform.h"
#include "engine/train/evaluate.h"

namespace atrous::report {

// Of an image as the net sees it, in pixels.
struct Part {
    int64_t top, left, h, w;
    bool operator==(const Part&) const = default;
};

// The image without the borders that letterbox puts around it: without the rows and columns at its edges that are ignored
// throughout and of one colour. The whole image where nothing else would be left.
Part content_of(const HostBatch& batch, int64_t index);

struct ValidationPicture {
    data::Image picture;            // RGB of 8 bits
    data::Image truth, prediction;  // labels
};

// Pictures of the part whose longer side has `side` pixels at most. Of the logits only the rows that are shown are
// fetched from the device.
ValidationPicture picture_of(const ImageResult& image, const Part& part, const data::Normalization& how, int64_t side,
                             LabelForm form = LabelForm::ids);

}  // namespace atrous::report
