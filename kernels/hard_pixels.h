// Online hard example mining (Shrivastava, Gupta, Girshick: Training region-based object detectors with online hard
// example mining, CVPR 2016, https://arxiv.org/abs/1604.03540), of pixels as HRNet and BiSeNet train with it: a new map
// of labels in which pixels that the net gets right with ease are ignored.
//
// Logits z [N][H][W][C], labels l u8 [N][H][W][1]; a pixel counts unless its label is ignore_index or C and above (C = 1:
// any label but 0 is class 1). Let q be the probability of a pixel's class: softmax(z)[l], of C = 1 the sigmoid or what it
// lacks to 1. Counted pixels of all images are ordered: NaN first, then the smallest q, equal ones as they lie.
//   kept = those with q < thresh, and NaN; and the first ceil(keep * counted) in that order
// mined = the pixel's class where it is kept, else `easy_label`, which is ignored from there on.
//
// What is compared is not q but the logarithm of the odds against it, log((1 - q) / q) = log(sum over the other classes c
// of exp(z[c] - z[l])), which orders pixels the other way round, keeps digits where q is close to 0 or 1 and overflows
// nowhere. It is NaN where the loss is no number: z[l] (C = 1: z) is not finite, or another logit is NaN or infinity.
// Reference and cpu compute it in double, and keep the same pixels of the same logits; a GPU computes it in float, where
// pixels may change places that agree in a float's last digits. Nothing depends on what is found but values: a recorded
// step replays it.
//
// HRNet divides the loss of the kept pixels by their number; ops/ohem.h, by the sum of their class weights.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels {

constexpr int easy_label = 255;

struct HardPixelOptions {
    double thresh = 0.7;     // from 0 to 1
    double keep = 0.0625;    // share of the counted pixels that is kept at least, above 0, up to 1
    int ignore_index = 255;  // -1: every pixel of a class counts
};

struct HardPixelsArgs {
    View logits;
    const uint8_t* labels = nullptr;
    uint8_t* mined = nullptr;  // out [N*H*W]
    HardPixelOptions options;
};

// The log odds that belong to thresh, from infinity for 0 to -infinity for 1: harder pixels have more.
inline double log_odds_limit(const HardPixelOptions& o) { return std::log1p(-o.thresh) - std::log(o.thresh); }

// Of a pixel of class `id`; logit(c) is z[c].
template <class Logit>
double log_odds_against(int64_t channels, int64_t id, const Logit& logit) {
    const double own = logit(channels == 1 ? 0 : id);
    if (!std::isfinite(own)) return std::numeric_limits<double>::quiet_NaN();
    if (channels == 1) return id == 1 ? -own : own;
    double largest = std::numeric_limits<double>::lowest(), sum = 0;  // finite, so that -infinity less it is no NaN
    for (int64_t c = 0; c < channels; ++c)
        if (c != id) largest = std::max(largest, logit(c) - own);  // which passes over NaN; the sum does not
    for (int64_t c = 0; c < channels; ++c)
        if (c != id) sum += std::exp(logit(c) - own - largest);
    return largest + std::log(sum);
}

// What every implementation requires.
inline void check(const HardPixelsArgs& a) {
    require(a.labels && a.mined, "hard_pixels: labels and mined are needed");
    require(a.logits.count() > 0 && a.logits.c <= easy_label, "hard_pixels: 1 to 255 channels are needed, and pixels");
    require(a.logits.pixels() < (int64_t(1) << 31), "hard_pixels: fewer than 2^31 pixels are compared");
    require(a.options.thresh >= 0 && a.options.thresh <= 1, "hard_pixels: thresh is to be from 0 to 1");
    require(a.options.keep > 0 && a.options.keep <= 1, "hard_pixels: keep is to be above 0, and 1 at the most");
}

namespace reference {
void hard_pixels(Queue&, const HardPixelsArgs&);
}
namespace cpu {
void hard_pixels(Queue&, const HardPixelsArgs&);
}
namespace cuda {
void hard_pixels(Queue&, const HardPixelsArgs&);
}

}  // namespace atrous::kernels
