#include "engine/ops/norm.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/onnx_graph.h"
#include "engine/ops/shapes.h"
#include "kernels/norm.h"

namespace atrous {

namespace k = kernels;

// saved: x, gamma, beta, mean, inv_std, and y where ReLU and a residual meet.
// x may be its own residual: its buffer then takes both gradients, one kernel after the other.
static void batch_norm_backward(Gradients& g, const BatchNormOptions& o, bool has_residual, bool own_residual) {
    k::BatchNormBackwardArgs a;
    a.dy = g.output().view();
    a.x = g.saved(0).view();
    a.gamma = g.saved(1).data();
    a.beta = g.saved(2).data();
    a.mean = g.saved(3).data();
    a.inv_std = g.saved(4).data();
    if (has_residual && o.relu) a.y = g.saved(5).view();
    a.dx = g.grad_target(0);
    a.dgamma = g.vector_grad_target(1);
    a.dbeta = g.vector_grad_target(2);
    const Tensor apart = own_residual && g.wants(3) ? empty_like(g.saved(0)) : Tensor();
    if (apart.defined())
        a.dresidual = {apart.view(), false};
    else if (has_residual)
        a.dresidual = g.grad_target(3);
    a.training = o.training;
    a.relu = o.relu;
    run(g.output().device(),
        {k::reference::batch_norm_backward, k::cpu::batch_norm_backward, k::cuda::batch_norm_backward}, a);
    if (apart.defined()) g.give(3, apart);
}

static void check_moments(const Tensor& x, const OutputMoments& m) {
    if (!m.data.defined()) return;
    if (m.pixels < 1)
        throw ShapeError(
            fmt::format("batch_norm {}: its moments are in runs of {} pixels, which must be 1 or more; hand on those "
                        "that conv2d_with_moments gave",
                        ModuleScope::path(), m.pixels));
    const int64_t pixels = x.dim(0) * x.dim(1) * x.dim(2);
    const Shape wanted{k::ChannelMoments{nullptr, m.pixels}.runs(pixels), 2, x.dim(3)};
    if (m.data.shape() != wanted || m.data.dtype() != DType::f32 || m.data.device() != x.device())
        throw ShapeError(fmt::format(
            "batch_norm {}: its moments are {} {} on {}; those of an input of {} in runs of {} pixels are {} f32 on "
            "{}; hand on those that conv2d_with_moments gave with this input",
            ModuleScope::path(), m.data.shape().text(), name_of(m.data.dtype()), name_of(m.data.device()),
            x.shape().text(), m.pixels, wanted.text(), name_of(x.device())));
}

Tensor batch_norm(const Tensor& x, const BatchNormParameters& p, const BatchNormOptions& o, const Tensor& residual,
                  const Tensor& destination, const OutputMoments& moments) {
    check_rank4("batch_norm", x);
    check_vector("batch_norm", "gamma", p.gamma, x);
    check_vector("batch_norm", "beta", p.beta, x);
    check_vector("batch_norm", "running_mean", p.running_mean, x);
    check_vector("batch_norm", "running_var", p.running_var, x);
    check_moments(x, moments);
    if (residual.defined()) check_same("batch_norm with a residual", x, residual);
    if (o.training && x.dim(0) * x.dim(1) * x.dim(2) < 2)
        throw ShapeError("batch_norm " + ModuleScope::path() +
                         ": training needs more than one value per channel, the input is " + x.shape().text() +
                         "; use a larger batch, larger images, or frozen statistics (`freeze-bn`)");
    const DType statistics = accumulator_of(x.dtype());
    Tensor y = output_or("batch_norm", destination, x.shape(), x);
    Tensor mean = Tensor::empty({x.dim(3)}, statistics, x.device()), inv_std = empty_like(mean);
    const bool update = o.training && o.update_running;
    k::BatchNormForwardArgs a{x.view(),
                              residual.defined() ? residual.view() : View{},
                              y.view(),
                              p.gamma.data(),
                              p.beta.data(),
                              mean.data(),
                              inv_std.data(),
                              p.running_mean.data(),
                              p.running_var.data(),
                              update ? p.batches_tracked.as<int64_t>() : nullptr,
                              o.momentum,
                              o.epsilon,
                              o.training,
                              update,
                              o.relu,
                              moments.view()};
    run(x.device(), {k::reference::batch_norm_forward, k::cpu::batch_norm_forward, k::cuda::batch_norm_forward}, a);

    const bool has_residual = residual.defined(), own_residual = has_residual && residual.id() == x.id();
    std::vector<Tensor> inputs{x, p.gamma, p.beta};
    std::vector<Saved> saved{x, p.gamma, p.beta, mean, inv_std};
    if (has_residual) inputs.push_back(residual);
    if (has_residual && o.relu) saved.emplace_back(y);
    return record(
        {.op = "batch_norm",
         .inputs = std::move(inputs),
         .output = y,
         .attributes = {{"epsilon", o.epsilon}, {"momentum", o.momentum}, {"training", o.training}, {"relu", o.relu}},
         .constants = {p.running_mean, p.running_var},
         .saved = std::move(saved),
         .backward = [o, has_residual, own_residual](Gradients& g) {
             batch_norm_backward(g, o, has_residual, own_residual);
         }});
}

static OpResults call(const OpArguments& a) {
    const BatchNormParameters p{
        a.tensor("weight"), a.tensor("bias"), a.tensor("running_mean"), a.tensor("running_var"), {}};
    const BatchNormOptions options{.momentum = a.number("momentum"),
                                   .epsilon = a.number("epsilon"),
                                   .training = a.flag("training"),
                                   .relu = a.flag("relu")};
    const Tensor y = batch_norm(a.tensor("x"), p, options, a.tensor("residual"));
    return {{{"y"}, y},
            {{"running_mean", OperandKind::vector}, p.running_mean},
            {{"running_var", OperandKind::vector}, p.running_var}};
}

static std::string fused(const Entry& e) {
    return std::string(e.inputs.size() > 3 ? "+add" : "") + (attribute(e, "relu", false) ? "+relu" : "");
}

static std::string onnx(const Entry& e, OnnxGraph& g) {
    if (attribute(e, "training", true))
        throw Error("batch_norm " + e.module +
                    ": takes the batch's statistics and cannot be exported; call set_training(false)");
    constexpr auto vector = OperandKind::vector;
    std::string y = g.node("BatchNormalization",
                           {g.name(e.inputs[0]), g.parameter(e.inputs[1], vector), g.parameter(e.inputs[2], vector),
                            g.parameter(e.constants.at(0), vector), g.parameter(e.constants.at(1), vector)},
                           {{"epsilon", float(attribute(e, "epsilon", 1e-5))}});
    if (e.inputs.size() > 3) y = g.node("Add", {y, g.name(e.inputs[3])});
    return attribute(e, "relu", false) ? g.node("Relu", {y}) : y;
}

OpDescriptor describe_batch_norm() {
    return {.name = "batch_norm",
            .inputs = {{"x"},
                       {"weight", OperandKind::vector},
                       {"bias", OperandKind::vector},
                       {"running_mean", OperandKind::vector, true, false},
                       {"running_var", OperandKind::vector, true, false},
                       {"residual", OperandKind::activation, false}},
            .attributes = {{"training", "true"}, {"momentum", "0.1"}, {"epsilon", "1e-5"}, {"relu", "false"}},
            .call = call,
            .reach = same_position,
            .fused = fused,
            .onnx = onnx};
}

}  // namespace atrous
