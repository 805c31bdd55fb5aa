#include "engine/nn/layers.h"

namespace atrous {

static double fan_of(const ConvOptions& o) {
    const double taps = o.kernel * o.kernel, in = double(o.in_channels) * taps, out = double(o.out_channels) * taps;
    if (o.init == Init::xavier_uniform) return (in + out) / 2;
    return o.fan_out ? out : in;
}

// PyTorch's default bias goes with its default weight; every other initialization starts biases at zero.
static Init bias_init(Init weight) {
    return weight == Init::kaiming_uniform_pytorch ? Init::bias_uniform_pytorch : Init::zeros;
}

Conv2d::Conv2d(Module& parent, const std::string& name, const ConvOptions& o)
    : Module(parent, name),
      geometry_{o.stride, o.padding, o.dilation},
      weight_(add_parameter({.name = "weight",
                             .shape = {o.out_channels, o.kernel, o.kernel, o.in_channels},
                             .layout = FileLayout::conv,
                             .init = o.init,
                             .fan = fan_of(o),
                             .computes_in_half = true})) {
    if (o.bias)
        bias_ = &add_parameter({.name = "bias",
                                .shape = {o.out_channels},
                                .init = bias_init(o.init),
                                .fan = weight_.fan,
                                .decays = false});
}

Tensor Conv2d::forward(const Tensor& x, OutputMoments* moments) {
    const ModuleScope scope(name());
    const Tensor bias = bias_ ? bias_->value : Tensor();
    if (moments) return conv2d_with_moments(x, weight_.used(), bias, geometry_, *moments);
    return in_evaluation() ? conv2d_same_everywhere(x, weight_.used(), bias, geometry_)
                           : conv2d(x, weight_.used(), bias, geometry_);
}

Linear::Linear(Module& parent, const std::string& name, int64_t in_channels, int64_t out_channels, int64_t extent,
               Init init)
    : Module(parent, name),
      extent_(extent),
      weight_(add_parameter({.name = "weight",
                             .shape = {out_channels, extent, extent, in_channels},
                             .layout = FileLayout::linear,
                             .init = init,
                             .fan = double(in_channels * extent * extent),
                             .computes_in_half = true})),
      bias_(add_parameter(
          {.name = "bias", .shape = {out_channels}, .init = bias_init(init), .fan = weight_.fan, .decays = false})) {}

Tensor Linear::forward(const Tensor& x) {
    const ModuleScope scope(name());
    if (x.dim(1) != extent_ || x.dim(2) != extent_)
        throw ShapeError(ModuleScope::path() + ": the feature map is " + x.shape().text() + ", expected " +
                         std::to_string(extent_) + "x" + std::to_string(extent_) + " pixels");
    return conv2d(x, weight_.used(), bias_.value, {});
}

DepthwiseConv2d::DepthwiseConv2d(Module& parent, const std::string& name, const ConvOptions& o)
    : Module(parent, name),
      geometry_{o.stride, o.padding, o.dilation},
      weight_(add_parameter({.name = "weight",
                             .shape = {1, o.kernel, o.kernel, o.in_channels},
                             .layout = FileLayout::depthwise,
                             .init = o.init,
                             .fan = double(o.kernel * o.kernel),
                             .computes_in_half = true})) {
    if (o.bias)
        bias_ = &add_parameter(
            {.name = "bias", .shape = {o.in_channels}, .init = bias_init(o.init), .fan = weight_.fan, .decays = false});
}

Tensor DepthwiseConv2d::forward(const Tensor& x) {
    const ModuleScope scope(name());
    return depthwise_conv2d(x, weight_.used(), bias_ ? bias_->value : Tensor(), geometry_);
}

// PyTorch counts the fan-in of a transposed convolution over its output channels (weight.size(1) * 2 * 2).
ConvTranspose2x2::ConvTranspose2x2(Module& parent, const std::string& name, int64_t in_channels, int64_t out_channels)
    : Module(parent, name),
      weight_(add_parameter({.name = "weight",
                             .shape = {2, 2, out_channels, in_channels},
                             .layout = FileLayout::conv_transpose,
                             .init = Init::kaiming_uniform_pytorch,
                             .fan = double(out_channels) * 4,
                             .computes_in_half = true})),
      bias_(add_parameter({.name = "bias",
                           .shape = {out_channels},
                           .init = Init::bias_uniform_pytorch,
                           .fan = double(out_channels) * 4,
                           .decays = false})) {}

Tensor ConvTranspose2x2::forward(const Tensor& x, const Tensor& destination) {
    const ModuleScope scope(name());
    return conv_transpose2x2(x, weight_.used(), bias_.value, destination);
}

Tensor Dropout::forward(const Tensor& x) {
    const ModuleScope scope(name());
    return dropout(x, p_, training());
}

BatchNorm2d::BatchNorm2d(Module& parent, const std::string& name, int64_t channels, double epsilon, double momentum)
    : Module(parent, name),
      epsilon_(epsilon),
      momentum_(momentum),
      gamma_(add_parameter({.name = "weight", .shape = {channels}, .init = Init::ones, .decays = false})),
      beta_(add_parameter({.name = "bias", .shape = {channels}, .init = Init::zeros, .decays = false})),
      mean_(add_buffer({.name = "running_mean", .shape = {channels}})),
      var_(add_buffer({.name = "running_var", .shape = {channels}, .initial = 1})),
      tracked_(add_buffer(
          {.name = "num_batches_tracked", .shape = {1}, .dtype = DType::i64, .layout = FileLayout::scalar})) {}

Tensor BatchNorm2d::forward(const Tensor& x, const Fused& fused) {
    const ModuleScope scope(name());
    return batch_norm(x, {gamma_.value, beta_.value, mean_.value, var_.value, tracked_.value},
                      {.momentum = momentum_, .epsilon = epsilon_, .training = training(), .relu = fused.relu},
                      fused.residual, fused.destination, fused.moments);
}

}  // namespace atrous
