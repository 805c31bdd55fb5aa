#include "engine/ops/conv.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

namespace {

struct Setup {
    std::string label;
    Shape x;
    int64_t r, s;
    ConvGeometry geometry;
    bool bias = false;
};

Tested depthwise_case(const Setup& u) {
    Request r{.shapes = {u.x}, .parameters = {{1, u.r, u.s, u.x[3]}}};
    if (u.bias) r.parameters.push_back({u.x[3]});
    const ConvGeometry& g = u.geometry;
    r.numbers = {{"stride", g.stride}, {"padding", g.padding}, {"dilation", g.dilation}};
    Tested c("depthwise_conv2d", u.label, r);
    c.exact = true;
    c.least_nonzero =
        0.05;  // where stride and dilation pass over inputs, or taps lie in the padding, gradients are zero
    return c;
}

// stride, padding, dilation
const std::vector<Setup> setups = {
    {"k1_one_value", {1, 1, 1, 1}, 1, 1, {}, true},
    {"k1_vectors", {2, 5, 4, 16}, 1, 1, {}},
    {"k3_odd", {2, 7, 5, 5}, 3, 3, {.padding = 1}, true},
    {"k3_vectors", {1, 8, 7, 16}, 3, 3, {.padding = 1}},
    {"k3_prime", {1, 13, 11, 17}, 3, 3, {.padding = 1}, true},
    {"k3_wide", {2, 5, 6, 136}, 3, 3, {.padding = 1}},
    {"k3_valid", {1, 6, 9, 8}, 3, 3, {}},
    {"k3_stride2", {2, 9, 8, 8}, 3, 3, {.stride = 2, .padding = 1}, true},
    {"k3_stride2_odd", {1, 8, 7, 3}, 3, 3, {.stride = 2, .padding = 1}},
    {"k3_stride3_valid", {1, 11, 10, 8}, 3, 3, {.stride = 3}},
    {"k3_dilation2", {1, 9, 8, 24}, 3, 3, {.padding = 2, .dilation = 2}, true},
    {"k3_dilation12", {1, 13, 15, 8}, 3, 3, {.padding = 12, .dilation = 12}},
    {"k3_dilation36_small", {1, 8, 9, 8}, 3, 3, {.padding = 36, .dilation = 36}},
    {"k3_dilation2_stride2", {1, 11, 9, 8}, 3, 3, {.stride = 2, .padding = 2, .dilation = 2}},
    {"k5_padding2", {1, 7, 9, 8}, 5, 5, {.padding = 2}, true},
    {"k7_stride2", {1, 13, 11, 4}, 7, 7, {.stride = 2, .padding = 3}},
    {"k1x3", {1, 5, 7, 8}, 1, 3, {}},
    {"k3x2_odd", {1, 7, 5, 4}, 3, 2, {}, true},
    {"k3_row", {1, 1, 23, 8}, 3, 3, {.padding = 1}},
    {"k3_many_pixels", {2, 37, 29, 8}, 3, 3, {.padding = 1}, true},
};

const Family family("depthwise_conv2d", [] {
    std::vector<Tested> cases;
    for (const Setup& u : setups) cases.push_back(depthwise_case(u));
    return cases;
});

}  // namespace

}  // namespace atrous::cases
