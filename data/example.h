// A sample on its way into a batch, as augmentations see and change it.
#pragma once

#include "base/label_form.h"
#include "data/transform.h"

namespace atrous::data {

// An image and its labels, before normalization.
struct Example {
    Image image, labels;                 // labels: class ids or bits; h = 0 where the sample has no mask
    int64_t source_h = 0, source_w = 0;  // before resizing
    ValueRange range = {};               // of the image's values
    Fill fill = {};                      // what lies beyond the image: the mean colour
    LabelForm form = LabelForm::ids;     // of the labels
};

// The image, and the labels where there are some, become what f makes of them.
template <class F>
void both(Example& sample, F f) {
    sample.image = f(sample.image);
    if (sample.labels.h) sample.labels = f(sample.labels);
}

// Bilinear for the image, nearest for the labels.
inline void resize(Example& sample, int64_t h, int64_t w) {
    sample.image = resize_bilinear(sample.image, h, w);
    if (sample.labels.h) sample.labels = resize_nearest(sample.labels, h, w);
}

}  // namespace atrous::data
