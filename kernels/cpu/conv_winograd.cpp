// Convolutions by Winograd's minimal filtering (winograd.h) as members of the kernel families.
#include "kernels/cpu/conv_winograd.h"

#include <algorithm>

#include "base/variant.h"
#include "kernels/cpu/weight_gradient.h"
#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_tiles.h"

namespace atrous::kernels::cpu {

namespace {

using winograd::Convolution;

bool supports(const View& x, const View& w, const ConvGeometry& g) {
    return x.dtype == DType::f32 && w.h == 3 && w.w == 3 && g.stride == 1;
}

template <int m>
const char* name_of(const char* two, const char* four) {
    return m == 2 ? two : four;
}

// The rule of winograd.h, of a convolution from x to y that multiplies panels of so many channels.
template <int m>
bool is_faster(const View& x, const View& y, const ConvGeometry& g, int64_t in_panels) {
    const int64_t tiles = y.n * winograd::Tiles<m>{y.h, y.w, g.dilation}.an_image();
    const int64_t panels = ceil_div(in_panels, winograd::panel_channels);
    return std::min(x.c, y.c) >= 16 && 4 * in_panels >= 3 * panels * winograd::panel_channels &&
           tiles >= std::max<int64_t>(24, x.c * y.c / 8192) && 2 * y.pixels() >= tiles * m * m;
}

// ---- forward

bool supports_forward(Queue&, const ConvForwardArgs& a) { return !a.same_everywhere && supports(a.x, a.w, a.geometry); }

template <int m>
bool forward_is_faster(Queue&, const ConvForwardArgs& a) {
    return is_faster<m>(a.x, a.y, a.geometry, a.y.c);
}

template <int m>
void forward(Queue& q, const ConvForwardArgs& a) {
    ran(name_of<m>("conv_forward/winograd2_f32", "conv_forward/winograd4_f32"));
    winograd::convolve<m>(q, {.x = a.x,
                              .y = a.y,
                              .w = a.w.as<float>(),
                              .w_t = a.w.c,
                              .w_c = 1,
                              .w_o = 9 * a.w.c,
                              .bias = static_cast<const float*>(a.bias),
                              .padding = a.geometry.padding,
                              .dilation = a.geometry.dilation});
}

// ---- input gradient: the convolution of dy with the weights turned by half a turn

bool supports_backward_input(Queue&, const ConvBackwardInputArgs& a) {
    return !a.same_everywhere && supports(a.dy, a.w, a.geometry);
}

template <int m>
bool backward_input_is_faster(Queue&, const ConvBackwardInputArgs& a) {
    return is_faster<m>(a.dy, a.dx.view, a.geometry, a.dx.view.c);
}

template <int m>
void backward_input(Queue& q, const ConvBackwardInputArgs& a) {
    ran(name_of<m>("conv_backward_input/winograd2_f32", "conv_backward_input/winograd4_f32"));
    winograd::convolve<m>(q, {.x = a.dy,
                              .y = a.dx.view,
                              .w = a.w.as<float>() + 8 * a.w.c,
                              .w_t = -a.w.c,
                              .w_c = 9 * a.w.c,
                              .w_o = 1,
                              .padding = int64_t{2} * a.geometry.dilation - a.geometry.padding,
                              .dilation = a.geometry.dilation,
                              .accumulate = a.dx.accumulate});
}

// ---- weight gradient

bool supports_backward_weight(Queue&, const ConvBackwardWeightArgs& a) { return supports(a.x, a.dw.view, a.geometry); }

template <int m>
bool backward_weight_is_faster(Queue&, const ConvBackwardWeightArgs& a) {
    return is_faster<m>(a.x, a.dy, a.geometry, a.x.c);
}

template <int m>
void backward_weight(Queue& q, const ConvBackwardWeightArgs& a) {
    if (a.dbias) channel_sums(q, a.dy, a.dbias);
    ran(name_of<m>("conv_backward_weight/winograd2_f32", "conv_backward_weight/winograd4_f32"));
    winograd::weight_gradient<m>(q, a);
}

template <int m, class Problem>
Implementation<Problem> member(const char* needs, bool (*supports)(Queue&, const Problem&),
                               bool (*faster)(Queue&, const Problem&), void (*run)(Queue&, const Problem&)) {
    return {.name = name_of<m>("winograd2", "winograd4"),
            .needs = needs,
            .supports = supports,
            .faster = faster,
            .run = run};
}

}  // namespace

template <int m>
Implementation<ConvForwardArgs> forward_by_winograd() {
    return member<m, ConvForwardArgs>("f32, 3x3, stride 1, no evaluation", supports_forward, forward_is_faster<m>,
                                      forward<m>);
}
template <int m>
Implementation<ConvBackwardInputArgs> backward_input_by_winograd() {
    return member<m, ConvBackwardInputArgs>("f32, 3x3, stride 1, no evaluation", supports_backward_input,
                                            backward_input_is_faster<m>, backward_input<m>);
}
template <int m>
Implementation<ConvBackwardWeightArgs> backward_weight_by_winograd() {
    return member<m, ConvBackwardWeightArgs>("f32, 3x3, stride 1", supports_backward_weight,
                                             backward_weight_is_faster<m>, backward_weight<m>);
}
template Implementation<ConvForwardArgs> forward_by_winograd<2>();
template Implementation<ConvForwardArgs> forward_by_winograd<4>();
template Implementation<ConvBackwardInputArgs> backward_input_by_winograd<2>();
template Implementation<ConvBackwardInputArgs> backward_input_by_winograd<4>();
template Implementation<ConvBackwardWeightArgs> backward_weight_by_winograd<2>();
template Implementation<ConvBackwardWeightArgs> backward_weight_by_winograd<4>();

}  // namespace atrous::kernels::cpu
