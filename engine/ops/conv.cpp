#include "engine/ops/conv.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/onnx_graph.h"
#include "engine/ops/shapes.h"
#include "engine/side_branch.h"
#include "kernels/conv_transpose.h"

namespace atrous {

namespace k = kernels;

static std::vector<Tensor> with_bias(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    if (bias.defined()) return {x, weight, bias};
    return {x, weight};
}

// Where a concatenation took the same value, its gradient may be a channel slice, which convolutions on the cpu refuse.
static void conv2d_backward_input(const Tensor& dy, const Tensor& weight, GradTarget dx, const ConvGeometry& geometry,
                                  bool same_everywhere) {
    Tensor apart;
    if (backend_kind(dy.device()) == DeviceKind::cpu && !dx.view.dense())
        apart = Tensor::empty({dx.view.n, dx.view.h, dx.view.w, dx.view.c}, dx.view.dtype, dy.device());
    run(dy.device(),
        {k::reference::conv_backward_input, k::cpu::conv_backward_input, k::cuda::conv_backward_input, cpu_has_dry_run},
        k::ConvBackwardInputArgs{dy.view(), weight.view(), apart.defined() ? GradTarget{apart.view(), false} : dx,
                                 geometry, same_everywhere});
    if (apart.defined()) copy_into(apart, dx);
}

static void conv2d_backward(Gradients& g, const ConvGeometry& geometry, bool has_bias, bool same_everywhere) {
    const Tensor &x = g.saved(0), &weight = g.saved(1), dy = g.output().dense();
    const bool bias_wanted = has_bias && g.wants(2), weights_wanted = g.wants(1) || bias_wanted;
    SideBranch beside(dy.device(), weights_wanted && g.wants(0));
    const auto run_weights = [&] {
        beside.run({k::reference::conv_backward_weight, k::cpu::conv_backward_weight, k::cuda::conv_backward_weight,
                    cpu_has_dry_run},
                   k::ConvBackwardWeightArgs{x.view(), dy.view(), g.grad_target(1),
                                             bias_wanted ? g.vector_grad_target(2) : VectorGradTarget{}, geometry});
    };
    if (beside.branches()) run_weights();
    if (g.wants(0)) conv2d_backward_input(dy, weight, g.grad_target(0), geometry, same_everywhere);
    if (weights_wanted && !beside.branches()) run_weights();
    beside.join();
}

static OutputMoments moments_for(const k::ConvForwardArgs& conv, Device device) {
    if (backend_kind(device) != DeviceKind::gpu) return {};
    OutputMoments m;
    ask_gpu(device, k::cuda::conv_moments_pixels, k::ConvMomentsQuestion{conv, m.pixels});
    if (m.pixels == 0) return {};
    m.data =
        Tensor::empty({k::ChannelMoments{nullptr, m.pixels}.runs(conv.y.pixels()), 2, conv.y.c}, DType::f32, device);
    if (auto* simulation = MemorySimulation::current(); simulation && device.kind == DeviceKind::meta)
        simulation->name(m.data, BlockUse::activation, "moments for batch_norm");
    return m;
}

static Tensor convolve(const Tensor& input, const Tensor& weight, const Tensor& bias, ConvGeometry geometry,
                       OutputMoments* moments, bool same_everywhere = false) {
    check_rank4("conv2d", input);
    if (weight.dim(3) != input.dim(3))
        throw ShapeError(fmt::format("conv2d: the input {} has {} channels, the weight [out][kh][kw][in] {} wants {}",
                                     input.shape().text(), input.dim(3), weight.shape().text(), weight.dim(3)));
    const int64_t p = geometry.output_size(input.dim(1), weight.dim(1)),
                  q = geometry.output_size(input.dim(2), weight.dim(2));
    if (p < 1 || q < 1)
        throw ShapeError(
            fmt::format("conv2d: a {}x{} kernel with dilation {} and padding {} does not fit an input of {}x{}",
                        weight.dim(1), weight.dim(2), geometry.dilation, geometry.padding, input.dim(1), input.dim(2)));
    const Tensor x = backend_kind(input.device()) == DeviceKind::cpu ? input.dense() : input;
    Tensor y = Tensor::empty({x.dim(0), p, q, weight.dim(0)}, x.dtype(), x.device());
    k::ConvForwardArgs args{x.view(), weight.view(), bias.data(), y.view(), geometry};
    args.same_everywhere = same_everywhere;
    if (moments) *moments = moments_for(args, x.device()), args.moments = moments->view();
    run(x.device(), {k::reference::conv_forward, k::cpu::conv_forward, k::cuda::conv_forward, cpu_has_dry_run}, args);
    const bool has_bias = bias.defined();
    return record({.op = "conv2d",
                   .inputs = with_bias(input, weight, bias),
                   .output = y,
                   .attributes = {{"stride", int64_t(geometry.stride)},
                                  {"padding", int64_t(geometry.padding)},
                                  {"dilation", int64_t(geometry.dilation)}},
                   .saved = {x, weight},
                   .backward = [geometry, has_bias, same_everywhere](Gradients& g) {
                       conv2d_backward(g, geometry, has_bias, same_everywhere);
                   }});
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvGeometry geometry) {
    return convolve(x, weight, bias, geometry, nullptr);
}

Tensor conv2d_same_everywhere(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvGeometry geometry) {
    return convolve(x, weight, bias, geometry, nullptr, true);
}

Tensor conv2d_with_moments(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvGeometry geometry,
                           OutputMoments& moments) {
    return convolve(x, weight, bias, geometry, &moments);
}

static void conv_transpose_backward(Gradients& g, bool has_bias) {
    const Tensor &x = g.saved(0), &weight = g.saved(1), &dy = g.output();
    const bool bias_wanted = has_bias && g.wants(2), weights_wanted = g.wants(1) || bias_wanted;
    SideBranch beside(dy.device(), weights_wanted && g.wants(0));
    const auto run_weights = [&] {
        beside.run({k::reference::conv_transpose_backward_weight, k::cpu::conv_transpose_backward_weight,
                    k::cuda::conv_transpose_backward_weight, cpu_has_dry_run},
                   k::ConvTransposeBackwardWeightArgs{x.view(), dy.view(), g.grad_target(1),
                                                      bias_wanted ? g.vector_grad_target(2) : VectorGradTarget{}});
    };
    if (beside.branches()) run_weights();
    if (g.wants(0))
        run(dy.device(),
            {k::reference::conv_transpose_backward_input, k::cpu::conv_transpose_backward_input,
             k::cuda::conv_transpose_backward_input, cpu_has_dry_run},
            k::ConvTransposeBackwardInputArgs{dy.view(), weight.view(), g.grad_target(0)});
    if (weights_wanted && !beside.branches()) run_weights();
    beside.join();
}

Tensor conv_transpose2x2(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& destination) {
    check_rank4("conv_transpose2x2", x);
    if (weight.dim(3) != x.dim(3) || weight.dim(0) != 2 || weight.dim(1) != 2)
        throw ShapeError(fmt::format("conv_transpose2x2: the input {} does not fit the weight [2][2][out][in] {}",
                                     x.shape().text(), weight.shape().text()));
    const Shape shape{x.dim(0), 2 * x.dim(1), 2 * x.dim(2), weight.dim(2)};
    Tensor y = output_or("conv_transpose2x2", destination, shape, x);
    run(x.device(),
        {k::reference::conv_transpose_forward, k::cpu::conv_transpose_forward, k::cuda::conv_transpose_forward,
         cpu_has_dry_run},
        k::ConvTransposeForwardArgs{x.view(), weight.view(), bias.data(), y.view()});
    const bool has_bias = bias.defined();
    return record({.op = "conv_transpose2x2",
                   .inputs = with_bias(x, weight, bias),
                   .output = y,
                   .saved = {x, weight},
                   .backward = [has_bias](Gradients& g) { conv_transpose_backward(g, has_bias); }});
}

// Every pixel of `map` meets every weight.
static int64_t products(const Value& map, const Value& weight) {
    return map.shape[0] * map.shape[1] * map.shape[2] * weight.shape.count();
}

static Reach window_reach(const Entry& e, int axis) {
    const int64_t one = 1, zero = 0;
    return Reach::window(e.inputs[1].shape[1 + axis], attribute(e, "stride", one), attribute(e, "padding", zero),
                         attribute(e, "dilation", one));
}

static std::vector<std::string> onnx_operands(const Entry& e, OnnxGraph& g, OperandKind weight) {
    std::vector<std::string> names{g.name(e.inputs[0]), g.parameter(e.inputs[1], weight)};
    if (e.inputs.size() > 2) names.push_back(g.parameter(e.inputs[2], OperandKind::vector));
    return names;
}

static std::string onnx_convolution(const Entry& e, OnnxGraph& g, OperandKind kind) {
    using Pair = std::vector<int64_t>;
    const Shape& weight = e.inputs[1].shape;
    const int64_t one = 1, zero = 0, stride = attribute(e, "stride", one), padding = attribute(e, "padding", zero),
                  dilation = attribute(e, "dilation", one),
                  groups = kind == OperandKind::depthwise_weight ? weight[3] : 1;
    return g.node("Conv", onnx_operands(e, g, kind),
                  {{"kernel_shape", Pair{weight[1], weight[2]}},
                   {"strides", Pair{stride, stride}},
                   {"pads", Pair{padding, padding, padding, padding}},
                   {"dilations", Pair{dilation, dilation}},
                   {"group", groups}});
}

static std::string onnx_conv_transpose(const Entry& e, OnnxGraph& g) {
    const std::vector<int64_t> two{2, 2};
    return g.node("ConvTranspose", onnx_operands(e, g, OperandKind::conv_transpose_weight),
                  {{"kernel_shape", two}, {"strides", two}});
}

OpDescriptor describe_convolution(const char* name, OperandKind weight,
                                  Tensor (*f)(const Tensor&, const Tensor&, const Tensor&, ConvGeometry)) {
    return {.name = name,
            .inputs = {{"x"}, {"weight", weight}, {"bias", OperandKind::vector, false}},
            .attributes = {{"stride", "1"}, {"padding", "0"}, {"dilation", "1"}},
            .call =
                [f](const OpArguments& a) {
                    const ConvGeometry geometry{.stride = int(a.integer("stride", 1)),
                                                .padding = int(a.integer("padding", 0)),
                                                .dilation = int(a.integer("dilation", 1))};
                    return result(f(a.tensor("x"), a.tensor("weight"), a.tensor("bias"), geometry));
                },
            .reach = window_reach,
            .multiply_adds = [](const Entry& e) { return products(e.output, e.inputs[1]); },
            .onnx = [weight](const Entry& e, OnnxGraph& g) { return onnx_convolution(e, g, weight); }};
}

OpDescriptor describe_conv2d() { return describe_convolution("conv2d", OperandKind::conv_weight, conv2d); }

OpDescriptor describe_conv_transpose2x2() {
    return {.name = "conv_transpose2x2",
            .inputs = {{"x"}, {"weight", OperandKind::conv_transpose_weight}, {"bias", OperandKind::vector, false}},
            .call =
                [](const OpArguments& a) {
                    return result(conv_transpose2x2(a.tensor("x"), a.tensor("weight"), a.tensor("bias")));
                },
            .reach = [](const Entry&, int) { return Reach::transposed(2, 2); },
            .multiply_adds = [](const Entry& e) { return products(e.inputs[0], e.inputs[1]); },
            .onnx = onnx_conv_transpose};
}

}  // namespace atrous
