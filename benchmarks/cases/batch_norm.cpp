#include "benchmarks/cases/case.h"
#include "engine/ops/norm.h"

namespace atrous::cases {

// Numbers: relu (1 where absent), training, epsilon, momentum as the op's attributes; update_running; tracked, which
// adds a count of batches. A second shape is the residual's.
static Case batch_norm_at(const Request& r) {
    const Shape &x = r.shape(0), vector{x[3]};
    BatchNormOptions o;
    o.relu = r.number("relu", 1) != 0;
    o.training = r.number("training", o.training) != 0;
    o.update_running = r.number("update_running", o.update_running) != 0;
    o.epsilon = r.number("epsilon", o.epsilon);
    o.momentum = r.number("momentum", o.momentum);
    const bool residual = r.shapes.size() > 1, tracked = r.number("tracked", 0) != 0;
    Input mean{.name = "running_mean", .shape = vector, .role = Role::parameter};
    mean.differentiable = false;
    mean.written = true;
    Input variance = mean;
    variance.name = "running_var";
    variance.fill = Fill::positive;
    Case c{.inputs = {{"x", x}, {"gamma", vector, Role::parameter}, {"beta", vector, Role::parameter}, mean, variance}};
    if (tracked)
        c.inputs.push_back({.name = "batches_tracked",
                            .shape = {1},
                            .role = Role::counts,
                            .differentiable = false,
                            .written = o.training && o.update_running});
    if (residual) c.inputs.push_back({"residual", x});
    c.call = [=](const std::vector<Tensor>& in, const Tensor& to) {
        const BatchNormParameters p{in[1], in[2], in[3], in[4], tracked ? in[5] : Tensor()};
        return batch_norm(in[0], p, o, residual ? in.back() : Tensor(), to);
    };
    c.flops = 8 * double(x.count());
    c.backward_flops = 12 * double(x.count());
    if (o.training) {  // statistics first, values after: x is read twice, and on the way back x and dy are
        c.forward_extra.elements = double(x.count());
        c.backward_extra.elements = 2 * double(x.count());
    }
    return c;
}

static const Measured measured("batch_norm", batch_norm_at);

}  // namespace atrous::cases
