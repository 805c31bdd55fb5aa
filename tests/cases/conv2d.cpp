#include "engine/ops/conv.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

namespace {

struct Setup {
    std::string label;
    Shape x;  // [N][H][W][I]
    int64_t o, r, s;
    ConvGeometry geometry;
    bool bias = false;
};

Tested conv2d_case(const Setup& u) {
    Request r{.shapes = {u.x}, .parameters = {{u.o, u.r, u.s, u.x[3]}}};
    if (u.bias) r.parameters.push_back({u.o});
    const ConvGeometry& g = u.geometry;
    r.numbers = {{"stride", g.stride}, {"padding", g.padding}, {"dilation", g.dilation}};
    Tested c("conv2d", u.label, r);
    c.exact = true;
    c.least_nonzero =
        0.05;  // where stride and dilation pass over inputs, or taps lie in the padding, gradients are zero
    return c;
}

// stride, padding, dilation
const std::vector<Setup> setups = {
    {"k1_one_value", {1, 1, 1, 1}, 1, 1, 1, {}, true},
    {"k1_one_pixel", {1, 1, 1, 16}, 8, 1, 1, {}},
    {"k1_odd", {2, 5, 7, 3}, 5, 1, 1, {}, true},
    {"k1_vectors", {2, 6, 5, 16}, 24, 1, 1, {}, true},
    {"k1_stride2", {2, 7, 9, 8}, 16, 1, 1, {.stride = 2}},
    {"k1_stride2_odd", {1, 6, 5, 7}, 3, 1, 1, {.stride = 2}, true},
    {"k1_classifier", {2, 8, 8, 32}, 1, 1, 1, {}, true},
    {"k1_many_pixels", {1, 17, 19, 8}, 8, 1, 1, {}},
    {"k1_padding", {1, 3, 4, 8}, 8, 1, 1, {.padding = 1}, true},
    {"k3_one_pixel", {1, 1, 1, 5}, 3, 3, 3, {.padding = 1}, true},
    {"k3_rgb", {2, 9, 11, 3}, 16, 3, 3, {.padding = 1}, true},
    {"k3_odd", {1, 7, 5, 5}, 7, 3, 3, {.padding = 1}},
    {"k3_vectors", {1, 8, 8, 16}, 16, 3, 3, {.padding = 1}},
    {"k3_vectors_batch3", {3, 5, 6, 8}, 24, 3, 3, {.padding = 1}, true},
    {"k3_prime", {1, 13, 11, 17}, 13, 3, 3, {.padding = 1}},
    {"k3_valid", {2, 7, 6, 8}, 8, 3, 3, {}},
    {"k3_valid_exact_fit", {1, 3, 3, 9}, 4, 3, 3, {}, true},
    {"k3_padding2", {1, 4, 5, 8}, 8, 3, 3, {.padding = 2}},
    {"k3_stride2", {2, 9, 8, 8}, 16, 3, 3, {.stride = 2, .padding = 1}},
    {"k3_stride2_odd", {1, 8, 7, 3}, 5, 3, 3, {.stride = 2, .padding = 1}, true},
    {"k3_stride2_valid", {1, 10, 8, 8}, 8, 3, 3, {.stride = 2}},
    {"k3_stride3", {1, 11, 10, 8}, 8, 3, 3, {.stride = 3, .padding = 1}},
    {"k3_dilation2", {1, 9, 8, 8}, 16, 3, 3, {.padding = 2, .dilation = 2}},
    {"k3_dilation2_odd", {2, 7, 9, 5}, 3, 3, 3, {.padding = 2, .dilation = 2}, true},
    {"k3_dilation4", {1, 11, 12, 16}, 8, 3, 3, {.padding = 4, .dilation = 4}},
    {"k3_dilation12_small", {1, 8, 9, 8}, 8, 3, 3, {.padding = 12, .dilation = 12}},
    {"k3_dilation2_stride2", {1, 11, 9, 8}, 8, 3, 3, {.stride = 2, .padding = 2, .dilation = 2}, true},
    {"k3_dilation3_valid", {1, 9, 10, 8}, 8, 3, 3, {.dilation = 3}},
    {"k3_wide_output", {1, 4, 4, 8}, 80, 3, 3, {.padding = 1}},
    {"k3_deep_input", {1, 4, 5, 72}, 8, 3, 3, {.padding = 1}},
    {"k3_classifier", {1, 6, 6, 24}, 1, 3, 3, {.padding = 1}, true},
    {"k3_grey", {2, 8, 7, 1}, 8, 3, 3, {.padding = 1}},
    {"k5_padding2", {1, 7, 9, 8}, 8, 5, 5, {.padding = 2}, true},
    {"k5_stride2", {1, 9, 9, 3}, 8, 5, 5, {.stride = 2, .padding = 2}},
    {"k7_stem", {1, 13, 15, 3}, 16, 7, 7, {.stride = 2, .padding = 3}},
    {"k2_stride2", {1, 6, 8, 8}, 8, 2, 2, {.stride = 2}},
    {"k2_odd", {1, 5, 4, 3}, 2, 2, 2, {}, true},
    {"k1x3", {1, 5, 7, 8}, 8, 1, 3, {}},
    {"k3x1", {1, 7, 5, 4}, 8, 3, 1, {}, true},
    {"k3_row", {1, 1, 23, 8}, 8, 3, 3, {.padding = 1}},
    {"k3_column", {2, 19, 1, 8}, 8, 3, 3, {.padding = 1}},
};

const Family family("conv2d", [] {
    std::vector<Tested> cases;
    for (const Setup& u : setups) cases.push_back(conv2d_case(u));
    return cases;
});

}  // namespace

}  // namespace atrous::cases
