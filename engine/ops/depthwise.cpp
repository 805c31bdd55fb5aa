#include "engine/ops/depthwise.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/shapes.h"
#include "kernels/depthwise.h"

namespace atrous {

namespace k = kernels;

static void backward(Gradients& g, const ConvGeometry& geometry, bool has_bias) {
    const Tensor &x = g.saved(0), &weight = g.saved(1), &dy = g.output();
    if (g.wants(0))
        run(dy.device(),
            {k::reference::depthwise_backward_input, k::cpu::depthwise_backward_input,
             k::cuda::depthwise_backward_input},
            k::DepthwiseBackwardInputArgs{dy.view(), weight.view(), g.grad_target(0), geometry});
    const bool bias_wanted = has_bias && g.wants(2);
    if (g.wants(1) || bias_wanted)
        run(dy.device(),
            {k::reference::depthwise_backward_weight, k::cpu::depthwise_backward_weight,
             k::cuda::depthwise_backward_weight},
            k::DepthwiseBackwardWeightArgs{x.view(), dy.view(), g.grad_target(1),
                                           bias_wanted ? g.vector_grad_target(2) : VectorGradTarget{}, geometry});
}

Tensor depthwise_conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvGeometry geometry) {
    check_rank4("depthwise_conv2d", x);
    check_rank4("depthwise_conv2d", weight);
    check_vector("depthwise_conv2d", "bias", bias, x);
    if (weight.dim(0) != 1 || weight.dim(3) != x.dim(3) || weight.dtype() != x.dtype())
        throw ShapeError(
            fmt::format("depthwise_conv2d: the input {} {} does not fit the weight [1][kh][kw][channels] {} {}",
                        name_of(x.dtype()), x.shape().text(), name_of(weight.dtype()), weight.shape().text()));
    const int64_t p = geometry.output_size(x.dim(1), weight.dim(1)), q = geometry.output_size(x.dim(2), weight.dim(2));
    if (p < 1 || q < 1)
        throw ShapeError(fmt::format(
            "depthwise_conv2d: a {}x{} kernel with dilation {} and padding {} does not fit an input of {}x{}",
            weight.dim(1), weight.dim(2), geometry.dilation, geometry.padding, x.dim(1), x.dim(2)));
    Tensor y = Tensor::empty({x.dim(0), p, q, x.dim(3)}, x.dtype(), x.device());
    run(x.device(), {k::reference::depthwise_forward, k::cpu::depthwise_forward, k::cuda::depthwise_forward},
        k::DepthwiseForwardArgs{x.view(), weight.view(), bias.data(), y.view(), geometry});
    const bool has_bias = bias.defined();
    return record({.op = "depthwise_conv2d",
                   .inputs = has_bias ? std::vector<Tensor>{x, weight, bias} : std::vector<Tensor>{x, weight},
                   .output = y,
                   .attributes = {{"stride", int64_t(geometry.stride)},
                                  {"padding", int64_t(geometry.padding)},
                                  {"dilation", int64_t(geometry.dilation)}},
                   .saved = {x, weight},
                   .backward = [geometry, has_bias](Gradients& g) { backward(g, geometry, has_bias); }});
}

OpDescriptor describe_depthwise_conv2d() {
    return describe_convolution("depthwise_conv2d", OperandKind::depthwise_weight, depthwise_conv2d);
}

}  // namespace atrous
