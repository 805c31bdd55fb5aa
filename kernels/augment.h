// Random changes of the images of a batch, from the bytes that they are stored as to what a net sees. A sample's changes
// are drawn on the host and travel as an AugmentedSample (kernels/augmented_sample.h). In this order:
//
//   resize     by the weights of `filters`, across, then down, each rounded to 8 bits (labels: the nearest)
//   rotate     about the centre, bilinear and rounded to 8 bits, mirrored at the border (labels: the nearest)
//   crop       of a canvas in which the image lies; what is not of the image is `fill`, and ignored
//   orient     flips and quarter turns of the crop
//   colour     v -> clamp(low + (mean + (v - mean) * contrast - low) * brightness), mean over the whole crop
//   pad        at the bottom and right to the batch's size with `fill`, ignored
//   normalize  levels[c % kinds][v], rounded to the element type (kernels/normalize.h)
//
// Arithmetic is in integers or in doubles with fused multiplications and additions where kernels/augmented_pixel.h says,
// so that every device gives the same bits.
#pragma once

#include "base/error.h"
#include "base/view.h"
#include "kernels/augmented_sample.h"
#include "kernels/normalize.h"
#include "kernels/queue.h"

namespace atrous::kernels {

struct AugmentArgs {
    const uint8_t* sources = nullptr;          // images [h][w][C] and
    const uint8_t* source_labels = nullptr;    // class ids [h][w] of samples of any size
    const AugmentedSample* samples = nullptr;  // [N]
    const int32_t* filters = nullptr;
    const float* levels = nullptr;  // [kinds][256]
    int64_t kinds = 1;
    View y;                     // [N][H][W][C], dense
    uint8_t* labels = nullptr;  // [N][H][W]
    int ignored = 255;
};

// What every implementation requires.
inline void check(const AugmentArgs& a) {
    require(a.sources && a.source_labels && a.samples && a.filters && a.levels && a.labels,
            "augment: sources, samples, filters, levels and labels are needed");
    require(a.y.dense() && a.y.c <= augmented_channels, "augment: y is dense and has at most 16 channels");
    require(a.y.n <= 65535 && a.y.h * a.y.w < (int64_t(1) << 31), "augment: at most 65535 images below 2^31 pixels");
    require(a.kinds >= 1 && a.kinds <= max_level_kinds, "augment: levels of 1 to 16 kinds are needed");
}

// clang-format off
namespace reference { void augment(Queue&, const AugmentArgs&); }
namespace cpu { void augment(Queue&, const AugmentArgs&); }
namespace cuda { void augment(Queue&, const AugmentArgs&); }
// clang-format on

}  // namespace atrous::kernels
