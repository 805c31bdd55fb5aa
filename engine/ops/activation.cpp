#include "engine/ops/activation.h"

#include "engine/context.h"
#include "engine/ops/onnx_graph.h"
#include "engine/ops/shapes.h"
#include "kernels/activation.h"

namespace atrous {

namespace k = kernels;

using Forward = k::ActivationArgs;
using Backwards = k::ActivationBackwardArgs;

// Both gradients are functions of the output alone.
static Tensor activation(const char* name, const Tensor& x, const Kernel<Forward>& forward,
                         const Kernel<Backwards>& backward, const Tensor& destination = {}) {
    Tensor y = output_or(name, destination, x.shape(), x);
    run(x.device(), forward, Forward{x.view(), y.view()});
    return record(
        {.op = name, .inputs = {x}, .output = y, .saved = {y}, .backward = [backward](Gradients& g) {
             run(g.output().device(), backward, Backwards{g.output().view(), g.saved(0).view(), g.grad_target(0)});
         }});
}

Tensor relu(const Tensor& x, const Tensor& destination) {
    return activation("relu", x, {k::reference::relu, k::cpu::relu, k::cuda::relu},
                      {k::reference::relu_backward, k::cpu::relu_backward, k::cuda::relu_backward}, destination);
}

Tensor sigmoid(const Tensor& x) {
    return activation("sigmoid", x, {k::reference::sigmoid, k::cpu::sigmoid, k::cuda::sigmoid},
                      {k::reference::sigmoid_backward, k::cpu::sigmoid_backward, k::cuda::sigmoid_backward});
}

static OpDescriptor describe(const char* name, Tensor (*f)(const Tensor&), const char* onnx) {
    return {.name = name,
            .inputs = {{"x"}},
            .call = [f](const OpArguments& a) { return result(f(a.tensor("x"))); },
            .reach = same_position,
            .onnx = [onnx](const Entry& e, OnnxGraph& g) { return g.node(onnx, {g.name(e.inputs[0])}); }};
}

OpDescriptor describe_relu() {
    return describe(
        "relu", [](const Tensor& x) { return relu(x); }, "Relu");
}

OpDescriptor describe_sigmoid() { return describe("sigmoid", sigmoid, "Sigmoid"); }

}  // namespace atrous
