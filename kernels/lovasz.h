// Lovász loss: the convex surrogate of 1 - intersection over union (Berman, Triki, Blaschko: The Lovász-Softmax loss,
// CVPR 2018, https://arxiv.org/abs/1705.08790), and the slopes that its gradient is made of.
//
// Logits z [N][H][W][C], labels l u8 [N][H][W][1]; a pixel counts unless its label is ignore_index or C and above (C = 1:
// any label but 0 is class 1). The error of a pixel for class c is
//   C > 1 (Lovász softmax)   |[l = c] - softmax(z)[c]|
//   C = 1 (Lovász hinge)     max(0, 1 - y * z), y = 1 where l is not 0, else -1
// Errors of a class are sorted, NaN first, then the largest, equal ones as their pixels lie. Where the errors e_1, e_2, …
// have in front of them and with them the Jaccard loss J_i = 1 - (T - t_i) / (T + i - t_i), of T pixels of the class of
// which t_i are among the first i,
//   lovasz of a class = sum of e_i * (J_i - J_(i-1)), J_0 = 0
// over all images, or over each by itself (per_image) and then averaged over images. Classes are averaged: those that
// occur (of the image, where per_image), or all. The hinge has one class, which counts always. 0 where no class counts.
//   loss = weight * lovasz
// slopes[c] = d(lovasz)/d(p[c]), of C = 1 d(lovasz)/d(z), J held fixed as in the authors' code; 0 where the error is 0.
// On a GPU and of f32, bf16 or f16 errors are compared as floats, else in the logits' type. Nothing depends on what is
// sorted but values and order: a recorded step replays it.
#pragma once

#include "base/error.h"
#include "kernels/softmax_loss.h"

namespace atrous::kernels {

enum class LovaszClasses { present, all };

struct LovaszOptions {
    double weight = 1;
    LovaszClasses classes = LovaszClasses::present;
    bool per_image = false;
    int ignore_index = 255;  // -1: every pixel of a class counts
};

// Classes and images are sorted in segments: all pixels of a class, or those of one image. Segment s has the elements
// [s * length, (s + 1) * length) of an array [C][N*H*W].
struct LovaszSegments {
    int64_t images, count, length;  // images: that are averaged

    LovaszSegments(const View& z, const LovaszOptions& o)
        : images(o.per_image ? z.n : 1), count(images * z.c), length(z.pixels() / images) {}
};

struct LovaszForwardArgs {
    View logits;
    const uint8_t* labels = nullptr;
    void* slopes = nullptr;  // out [C][N*H*W], accumulator type
    void* loss = nullptr;    // out [3], accumulator type: loss, lovasz, counted pixels
    LovaszOptions options;
};

// What every implementation requires.
inline void check(const LovaszForwardArgs& a) {
    require(a.labels && a.slopes && a.loss, "lovasz: labels, slopes and loss are needed");
    require(a.logits.count() > 0 && a.logits.c <= max_classes, "lovasz: 1 to 256 channels are needed, and pixels");
    require(LovaszSegments(a.logits, a.options).length < (int64_t(1) << 31),
            "lovasz: fewer than 2^31 pixels are sorted together");
}

namespace reference {
void lovasz_forward(Queue&, const LovaszForwardArgs&);
}
namespace cpu {
void lovasz_forward(Queue&, const LovaszForwardArgs&);
}
namespace cuda {
void lovasz_forward(Queue&, const LovaszForwardArgs&);
}

}  // namespace atrous::kernels
