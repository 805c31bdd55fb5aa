// The layers that nets are made of. Constructors take the parent and the name PyTorch's state dict has.
#pragma once

#include "engine/nn/module.h"
#include "engine/ops/conv.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/dropout.h"
#include "engine/ops/norm.h"

namespace atrous {

struct ConvOptions {
    int64_t in_channels = 1, out_channels = 1;
    int kernel = 3, stride = 1, padding = 0, dilation = 1;
    bool bias = true;
    Init init = Init::kaiming_uniform_pytorch;
    bool fan_out = false;  // kaiming initializations by fan-out (outputs times taps) in place of fan-in
};

// torch.nn.Conv2d: weight, bias.
class Conv2d : public Module {
 public:
    Conv2d(Module& parent, const std::string& name, const ConvOptions& options);
    Tensor forward(const Tensor& x, OutputMoments* moments = nullptr);  // moments: asked for by `normalized`

 private:
    ConvGeometry geometry_;
    Parameter& weight_;
    Parameter* bias_ = nullptr;
};

// torch.nn.Linear(in * extent * extent, out) on a flattened [N][extent][extent][in] feature map: weight, bias.
class Linear : public Module {
 public:
    Linear(Module& parent, const std::string& name, int64_t in_channels, int64_t out_channels, int64_t extent = 1,
           Init init = Init::kaiming_uniform_pytorch);
    Tensor forward(const Tensor& x);  // -> [N][1][1][out]

 private:
    int64_t extent_;
    Parameter &weight_, &bias_;
};

// torch.nn.Conv2d with groups = in_channels = out_channels: weight, bias. out_channels is not read.
class DepthwiseConv2d : public Module {
 public:
    DepthwiseConv2d(Module& parent, const std::string& name, const ConvOptions& options);
    Tensor forward(const Tensor& x);

 private:
    ConvGeometry geometry_;
    Parameter& weight_;
    Parameter* bias_ = nullptr;
};

// torch.nn.ConvTranspose2d(in, out, kernel_size=2, stride=2): weight, bias.
class ConvTranspose2x2 : public Module {
 public:
    ConvTranspose2x2(Module& parent, const std::string& name, int64_t in_channels, int64_t out_channels);
    Tensor forward(const Tensor& x, const Tensor& destination = {});

 private:
    Parameter &weight_, &bias_;
};

// torch.nn.Dropout: drops while training, under a StepRandomness (engine/ops/dropout.h). No parameters.
class Dropout : public Module {
 public:
    Dropout(Module& parent, const std::string& name, double p) : Module(parent, name), p_(p) {}
    Tensor forward(const Tensor& x);

 private:
    double p_;
};

// torch.nn.BatchNorm2d: weight, bias, running_mean, running_var, num_batches_tracked.
class BatchNorm2d : public Module {
 public:
    BatchNorm2d(Module& parent, const std::string& name, int64_t channels, double epsilon = 1e-5,
                double momentum = 0.1);
    struct Fused {
        bool relu = false;
        Tensor residual = {}, destination = {};
        OutputMoments moments = {};  // of x
    };
    Tensor forward(const Tensor& x, const Fused& fused);
    Tensor forward(const Tensor& x) { return forward(x, Fused{}); }
    double* momentum() override { return &momentum_; }

 private:
    double epsilon_, momentum_;
    Parameter &gamma_, &beta_;
    Buffer &mean_, &var_, &tracked_;
};

// norm(conv(x)). While batch statistics are taken, the convolution hands on what it knows of them.
template <class Convolution>
Tensor normalized(BatchNorm2d& norm, Convolution& conv, const Tensor& x, BatchNorm2d::Fused fused = {}) {
    const Tensor y = conv.forward(x, norm.training() ? &fused.moments : nullptr);
    return norm.forward(y, fused);
}

}  // namespace atrous
