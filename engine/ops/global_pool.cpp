#include "engine/ops/global_pool.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/onnx_graph.h"
#include "engine/ops/shapes.h"
#include "kernels/global_pool.h"

namespace atrous {

namespace k = kernels;

Tensor global_average_pool(const Tensor& x) {
    check_rank4("global_average_pool", x);
    if (x.dim(1) * x.dim(2) == 0)
        throw ShapeError(fmt::format("global_average_pool: the input {} has no pixels", x.shape().text()));
    Tensor y = Tensor::empty({x.dim(0), 1, 1, x.dim(3)}, x.dtype(), x.device());
    run(x.device(), {k::reference::global_pool_forward, k::cpu::global_pool_forward, k::cuda::global_pool_forward},
        k::GlobalPoolForwardArgs{x.view(), y.view()});
    return record(
        {.op = "global_average_pool", .inputs = {x}, .output = y, .backward = [](Gradients& g) {
             run(g.output().device(),
                 {k::reference::global_pool_backward, k::cpu::global_pool_backward, k::cuda::global_pool_backward},
                 k::GlobalPoolBackwardArgs{g.output().view(), g.grad_target(0)});
         }});
}

OpDescriptor describe_global_average_pool() {
    return {.name = "global_average_pool",
            .inputs = {{"x"}},
            .call = [](const OpArguments& a) { return result(global_average_pool(a.tensor("x"))); },
            .reach = [](const Entry&, int) { return Reach::all(); },
            .onnx = [](const Entry& e, OnnxGraph& g) { return g.node("GlobalAveragePool", {g.name(e.inputs[0])}); }};
}

}  // namespace atrous
