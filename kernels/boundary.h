// Boundary loss (Kervadec et al.: Boundary loss for highly unbalanced segmentation, MIDL 2019,
// https://arxiv.org/abs/1812.07032): probabilities times signed distances to the true contours.
//
// Logits z [N][H][W][C], labels l u8 [N][H][W][1]; a pixel counts unless its label is ignore_index or C and above (C = 1:
// any label but 0 is class 1). p = softmax(z); of C = 1, p[1] = sigmoid(z). Of the image that a pixel is in,
//   distance[c] = that to the nearest counted pixel of class c, where the pixel is of another class
//                 1 - that to the nearest counted pixel of another class, where it is of class c
// exact, Euclidean, in pixels between their centres. So it is negative inside, 0 along the contour inside and 1 next to
// it, as the authors' code has it. It is 0 everywhere in an image whose counted pixels are all of class c, or none.
//   boundary = sum over counted pixels and classes of p[c] * distance[c], divided by the number of both
//   loss     = weight * boundary
// Class 0 is one of these classes if `background` is set, never where C = 1. 0 where no pixel counts. The loss may be
// negative: it is at its least where the classes lie inside their contours.
// slopes[c] = d(boundary)/d(p[c]), of C = 1 d(boundary)/d(z): what class_slopes.h takes.
// On a GPU distances are squared in integers, and the rest is float. Nothing depends on what is found but values: a
// recorded step replays it.
#pragma once

#include "base/error.h"
#include "kernels/softmax_loss.h"

namespace atrous::kernels {

struct BoundaryOptions {
    double weight = 1;
    bool background = false;
    int ignore_index = 255;  // -1: every pixel of a class counts
};

// The channels of the classes with distances are [first, first + count); of C = 1 channel 0 is that of class 1.
struct BoundaryClasses {
    int64_t first, count;

    BoundaryClasses(const View& z, const BoundaryOptions& o)
        : first(z.c > 1 && !o.background ? 1 : 0), count(z.c - first) {}
};

struct BoundaryForwardArgs {
    View logits;
    const uint8_t* labels = nullptr;
    void* slopes = nullptr;  // out [C][N*H*W], accumulator type
    void* loss = nullptr;    // out [3], accumulator type: loss, boundary, counted pixels
    BoundaryOptions options;
};

constexpr int64_t longest_boundary_side = 32767;  // whose squares, two of them, are int32

// What every implementation requires.
inline void check(const BoundaryForwardArgs& a) {
    require(a.labels && a.slopes && a.loss, "boundary: labels, slopes and loss are needed");
    require(a.logits.count() > 0 && a.logits.c <= max_classes, "boundary: 1 to 256 channels are needed, and pixels");
    require(a.logits.h <= longest_boundary_side && a.logits.w <= longest_boundary_side,
            "boundary: images of at most 32767 pixels a side are needed");
}

namespace reference {
void boundary_forward(Queue&, const BoundaryForwardArgs&);
}
namespace cpu {
void boundary_forward(Queue&, const BoundaryForwardArgs&);
}
namespace cuda {
void boundary_forward(Queue&, const BoundaryForwardArgs&);
}

}  // namespace atrous::kernels
