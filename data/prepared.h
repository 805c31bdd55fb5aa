// A sample on its way into a batch: what augmentations change.
#pragma once

#include "data/transform.h"

namespace atrous::data {

// A picture and its labels, before normalisation.
struct Prepared {
    Image picture, labels;               // labels: class ids; h = 0 where the sample has no mask
    int64_t source_h = 0, source_w = 0;  // before resizing
};

// The picture, and the labels where there are some, become what f makes of them.
template <class F>
void both(Prepared& sample, F f) {
    sample.picture = f(sample.picture);
    if (sample.labels.h) sample.labels = f(sample.labels);
}

// Bilinear for the picture, nearest for the labels.
inline void resize(Prepared& sample, int64_t h, int64_t w) {
    sample.picture = resize_bilinear(sample.picture, h, w);
    if (sample.labels.h) sample.labels = resize_nearest(sample.labels, h, w);
}

}  // namespace atrous::data
