#include "engine/nn/layers.h"

namespace atrous {

Conv2d::Conv2d(Module& parent, const std::string& name, const ConvOptions& o)
    : Module(parent, name),
      geometry_{o.stride, o.padding, o.dilation},
      weight_(add_parameter({.name = "weight",
                             .shape = {o.out_channels, o.kernel, o.kernel, o.in_channels},
                             .layout = FileLayout::conv,
                             .init = Init::kaiming_uniform_pytorch,
                             .fan_in = o.in_channels * o.kernel * o.kernel,
                             .computes_in_half = true})) {
    if (o.bias)
        bias_ = &add_parameter({.name = "bias",
                                .shape = {o.out_channels},
                                .init = Init::bias_uniform_pytorch,
                                .fan_in = weight_.fan_in,
                                .decays = false});
}

Tensor Conv2d::forward(const Tensor& x) {
    const ModuleScope scope(name());
    return conv2d(x, weight_.used(), bias_ ? bias_->value : Tensor(), geometry_);
}

DepthwiseConv2d::DepthwiseConv2d(Module& parent, const std::string& name, const ConvOptions& o)
    : Module(parent, name),
      geometry_{o.stride, o.padding, o.dilation},
      weight_(add_parameter({.name = "weight",
                             .shape = {1, o.kernel, o.kernel, o.in_channels},
                             .layout = FileLayout::depthwise,
                             .init = Init::kaiming_uniform_pytorch,
                             .fan_in = o.kernel * o.kernel,
                             .computes_in_half = true})) {
    if (o.bias)
        bias_ = &add_parameter({.name = "bias",
                                .shape = {o.in_channels},
                                .init = Init::bias_uniform_pytorch,
                                .fan_in = weight_.fan_in,
                                .decays = false});
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
                             .fan_in = out_channels * 4,
                             .computes_in_half = true})),
      bias_(add_parameter({.name = "bias",
                           .shape = {out_channels},
                           .init = Init::bias_uniform_pytorch,
                           .fan_in = out_channels * 4,
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
                      fused.residual, fused.destination);
}

}  // namespace atrous
