#include "engine/ops/norm.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

namespace {

struct Setup {
    std::string label;
    Shape x;
    BatchNormOptions options = {};
    bool residual = false, tracked = false;
    double offset = 0;  // of x: a large mean beside a small deviation
};

Tested batch_norm_case(const Setup& u) {
    Request r{.shapes = {u.x}};
    if (u.residual) r.shapes.push_back(u.x);
    r.numbers = {{"relu", u.options.relu},
                 {"training", u.options.training},
                 {"update_running", u.options.update_running},
                 {"momentum", u.options.momentum},
                 {"epsilon", u.options.epsilon},
                 {"tracked", u.tracked}};
    Tested c("batch_norm", u.label, r);
    c.inputs[0].offset = u.offset;
    c.takes_destination = true;
    c.least_nonzero = 0.15;  // ReLU
    if (u.offset != 0) {
        // inv_std amplifies the rounding of a mean of 100 by 100 / deviation.
        c.tolerance.f64 = 1e-11;
        c.tolerance.f32 = 2e-4;
        c.supports = [](DeviceKind, DType t) { return !is_half(t); };
    }
    return c;
}

const std::vector<Setup> shapes = {
    {"two_values", {1, 2, 1, 3}, {.epsilon = 0.5}},  // a small epsilon would make two values' gradients vanish
    {"odd", {2, 3, 5, 3}},
    {"prime", {1, 7, 11, 17}},
    {"vectors", {2, 5, 4, 16}},
    {"many_pixels", {1, 37, 29, 8}},
    {"batch_of_vectors", {7, 1, 1, 24}},
    {"wide_channels", {1, 3, 2, 136}},
};

void add_modes(std::vector<Tested>& cases, Setup u, const std::string& mode) {
    const std::string shape = u.label;
    for (bool relu : {false, true})
        for (bool residual : {false, true}) {
            u.options.relu = relu;
            u.residual = residual;
            u.label = mode + (relu ? "_relu" : "") + (residual ? "_residual_" : "_") + shape;
            cases.push_back(batch_norm_case(u));
        }
}

const Family family("batch_norm", [] {
    std::vector<Tested> cases;
    for (Setup u : shapes) {
        u.tracked = u.x[3] % 8 != 0;
        add_modes(cases, u, "train");
        u.options.training = false;
        add_modes(cases, u, "eval");
    }
    Setup u{"frozen_statistics", {2, 3, 5, 8}, {.update_running = false}, false, true};
    cases.push_back(batch_norm_case(u));
    cases.push_back(batch_norm_case({"momentum", {2, 3, 5, 8}, {.momentum = 0.9, .epsilon = 1e-3}, false, true}));
    cases.push_back(batch_norm_case({"large_mean", {2, 6, 5, 8}, {.relu = true}, false, false, 100}));
    cases.push_back(batch_norm_case({"eval_one_pixel", {1, 1, 1, 5}, {.training = false}}));
    return cases;
});

}  // namespace

}  // namespace atrous::cases
