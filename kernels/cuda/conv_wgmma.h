// The member "wgmma" of convolution's families on a GPU: products by the tensor cores and the copy unit of Hopper (capability
// 9.0), for stride 1 in bf16 and f16. The kernels are in implicit_gemm_wgmma.cu and wgrad_gemm_wgmma.cu, and gemm_wgmma.h says how they work.
//
// In the order of `auto` it stands in front of "mma" where its tiles fill the GPU and more than 60 % of what they multiply is
// useful (wgmma_is_faster): a small problem has more and smaller tiles there. Of far dilations it stands in front of cuDNN
// too, which has no Hopper kernels for them. All this is counted, not measured.
#pragma once

#include "kernels/conv.h"

namespace atrous::kernels::cuda {

// Whether there are taps apart from each other by a dilation at which cuDNN has no Hopper kernels (docs/cudnn.md).
inline bool is_far(const View& weights, const ConvGeometry& g, int first) {
    return g.dilation >= first && weights.h * weights.w > 1;
}
inline bool is_far(const ConvForwardArgs& a) { return is_far(a.w, a.geometry, 10); }
inline bool is_far(const ConvBackwardInputArgs& a) { return is_far(a.w, a.geometry, 11); }
inline bool is_far(const ConvBackwardWeightArgs& a) { return is_far(a.dw.view, a.geometry, 9); }

// One line: why this process can compute nothing by it; empty: it can.
std::string why_wgmma_is_absent();
// Why it does not take this problem on the current device; null: it does.
const char* why_not_wgmma(const ConvForwardArgs&);
const char* why_not_wgmma(const ConvBackwardInputArgs&);
const char* why_not_wgmma(const ConvBackwardWeightArgs&);
// Of what it takes.
bool wgmma_is_faster(const ConvForwardArgs&);
bool wgmma_is_faster(const ConvBackwardInputArgs&);
bool wgmma_is_faster(const ConvBackwardWeightArgs&);
// The results that a block computes: pixels by channels, or output by input channels.
struct ResultTile {
    int rows, columns;
};
ResultTile wgmma_tile(const ConvForwardArgs&);
ResultTile wgmma_tile(const ConvBackwardInputArgs&);
ResultTile wgmma_tile(const ConvBackwardWeightArgs&);
void run_wgmma(Queue&, const ConvForwardArgs&);
void run_wgmma(Queue&, const ConvBackwardInputArgs&);
void run_wgmma(Queue&, const ConvBackwardWeightArgs&);

// Whether it comes in front of libraries too.
template <class Args>
bool wgmma_leads(const Args& a) {
    return is_far(a) && !why_not_wgmma(a) && wgmma_is_faster(a);
}

template <class Args>
Implementation<Args> by_wgmma() {
    Implementation<Args> i;
    i.name = "wgmma";
    i.needs = "capability 9.0; bf16 or fp16, stride 1, channels in multiples of 8, 16-byte aligned";
    i.why_absent = why_wgmma_is_absent;
    i.supports = [](Queue&, const Args& a) { return !why_not_wgmma(a); };
    i.faster = [](Queue&, const Args& a) { return wgmma_is_faster(a); };
    i.run = [](Queue& q, const Args& a) { run_wgmma(q, a); };
    return i;
}

}  // namespace atrous::kernels::cuda
