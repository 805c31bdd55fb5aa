// The member "narrow" of convolution's families on a GPU: 1x1 to at most 8 output channels, such as the layer of a net that
// gives its classes. Such a layer moves memory and computes little.
#pragma once

#include "kernels/conv.h"

namespace atrous::kernels::cuda {

bool fits_narrow(const View& x, const View& w, const View& y, const ConvGeometry& g);
inline bool fits_narrow(const ConvForwardArgs& a) { return fits_narrow(a.x, a.w, a.y, a.geometry); }
inline bool fits_narrow(const ConvBackwardInputArgs& a) { return fits_narrow(a.dx.view, a.w, a.dy, a.geometry); }
inline bool fits_narrow(const ConvBackwardWeightArgs& a) { return fits_narrow(a.x, a.dw.view, a.dy, a.geometry); }
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
    i.run = [](Queue& q, const Args& a) { run_narrow(q, a); };
    return i;
}

}  // namespace atrous::kernels::cuda
