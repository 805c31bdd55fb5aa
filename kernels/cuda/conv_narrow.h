// The member "narrow" of convolution's families on a GPU: 1x1 to at most 8 output channels, such as the layer of a net that
// gives its classes. Such a layer moves memory and computes little; with more than 4 outputs of more than 128 channels it
// computes enough that tensor cores come first where they fit, until both were measured.
#pragma once

#include "kernels/cuda/conv_work.h"

namespace atrous::kernels::cuda {

bool fits_narrow(const View& x, const View& w, const View& y, const ConvGeometry& g);
inline bool fits_narrow(const ConvForwardArgs& a) { return fits_narrow(a.x, a.w, a.y, a.geometry); }
bool fits_narrow(const ConvBackwardInputArgs&);
inline bool fits_narrow(const ConvBackwardWeightArgs& a) { return fits_narrow(a.x, a.dw.view, a.dy, a.geometry); }
inline bool moves_memory(const View& x, const View& y) { return y.c <= 4 || x.c <= 128; }
inline bool moves_memory(const ConvForwardArgs& a) { return moves_memory(a.x, a.y); }
inline bool moves_memory(const ConvBackwardInputArgs& a) { return moves_memory(a.dx.view, a.dy); }
inline bool moves_memory(const ConvBackwardWeightArgs& a) { return moves_memory(a.x, a.dy); }
void run_narrow(Queue&, const ConvForwardArgs&);
void run_narrow(Queue&, const ConvBackwardInputArgs&);
void run_narrow(Queue&, const ConvBackwardWeightArgs&);

template <class Args>
Implementation<Args> by_narrow() {
    Implementation<Args> i;
    i.name = "narrow";
    i.needs =
        "1x1 without stride or padding, at most 8 output channels, input channels in multiples of 16 bytes, aligned so";
    i.supports = [](Queue&, const Args& a) { return fits_narrow(a); };
    i.faster = [](Queue& q, const Args& a) { return moves_memory(a) || !fits_mma(q, a); };
    i.run = [](Queue& q, const Args& a) { run_narrow(q, a); };
    return i;
}

}  // namespace atrous::kernels::cuda
