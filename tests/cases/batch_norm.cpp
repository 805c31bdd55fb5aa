#include "engine/ops/norm.h"
#include "tests/cases/case.h"

namespace atrous::cases {

namespace {

struct Setup {
    std::string label;
    Shape x;
    BatchNormOptions options = {};
    bool residual = false, tracked = false;
    double offset = 0;  // of x: a large mean beside a small deviation
};

Case batch_norm_case(const Setup& u) {
    const Shape vector{u.x[3]};
    const bool updates = u.options.training && u.options.update_running;
    Case c{.label = u.label};
    c.inputs = {
        {.name = "x", .shape = u.x, .offset = u.offset},
        {"gamma", vector, Role::parameter},
        {"beta", vector, Role::parameter},
        {.name = "running_mean", .shape = vector, .role = Role::parameter, .differentiable = false, .written = true},
        {.name = "running_var",
         .shape = vector,
         .role = Role::parameter,
         .fill = Fill::positive,
         .differentiable = false,
         .written = true}};
    if (u.tracked)
        c.inputs.push_back({.name = "batches_tracked",
                            .shape = {1},
                            .role = Role::counts,
                            .differentiable = false,
                            .written = updates});
    if (u.residual) c.inputs.push_back({"residual", u.x});
    c.call = [u](const std::vector<Tensor>& in, const Tensor& to) {
        const BatchNormParameters p{in[1], in[2], in[3], in[4], u.tracked ? in[5] : Tensor()};
        return batch_norm(in[0], p, u.options, u.residual ? in.back() : Tensor(), to);
    };
    c.takes_destination = true;
    c.flops = 8 * double(u.x.count());
    c.backward_flops = 12 * double(u.x.count());
    if (u.options.training) {  // statistics first, values after: x is read twice, and on the way back x and dy are
        c.forward_extra.elements = double(u.x.count());
        c.backward_extra.elements = 2 * double(u.x.count());
    }
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

void add_modes(std::vector<Case>& cases, Setup u, const std::string& mode) {
    const std::string shape = u.label;
    for (bool relu : {false, true})
        for (bool residual : {false, true}) {
            u.options.relu = relu;
            u.residual = residual;
            u.label = mode + (relu ? "_relu" : "") + (residual ? "_residual_" : "_") + shape;
            cases.push_back(batch_norm_case(u));
        }
}

Case batch_norm_at(const Request& r) {
    Setup u{"", r.shape(0)};
    u.options.relu = r.number("relu", 1) != 0;
    u.options.training = r.number("training", 1) != 0;
    u.options.epsilon = r.number("epsilon", u.options.epsilon);
    u.options.momentum = r.number("momentum", u.options.momentum);
    u.residual = r.shapes.size() > 1;
    return batch_norm_case(u);
}

const Family family("batch_norm", batch_norm_at, [] {
    std::vector<Case> cases;
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
