// Blocks that several nets are made of.
#pragma once

#include <memory>
#include <string>

#include "engine/nn/layers.h"

namespace atrous {

// A convolution; separable, where its kernel is larger than 1x1: one filter a channel ("body.0"), then 1x1 ("body.1"),
// which is Chollet, "Xception: Deep learning with depthwise separable convolutions", CVPR 2017, without anything
// between.
class AnyConv2d : public Module {
 public:
    AnyConv2d(Module& parent, const std::string& name, ConvOptions o, bool separable) : Module(parent, name) {
        if (separable && o.kernel > 1) {
            depthwise_ = std::make_unique<DepthwiseConv2d>(*this, "body.0", o);
            o.kernel = o.stride = o.dilation = 1;
            o.padding = 0;
        }
        conv_ = std::make_unique<Conv2d>(*this, depthwise_ ? "body.1" : "", o);
    }
    Tensor forward(const Tensor& x, OutputMoments* moments = nullptr) {
        const ModuleScope scope(name());
        return conv_->forward(depthwise_ ? depthwise_->forward(x) : x, moments);
    }

 private:
    std::unique_ptr<DepthwiseConv2d> depthwise_;
    std::unique_ptr<Conv2d> conv_;
};

// Convolution, batch norm, ReLU: entries `first` and `first` + 1 of a torch.nn.Sequential of this name.
class ConvNormRelu : public Module {
 public:
    struct Form {
        int first = 0;
        bool separable = false;
    };
    ConvNormRelu(Module& parent, const std::string& name, const ConvOptions& options, const Form& form)
        : Module(parent, name),
          conv_(*this, std::to_string(form.first), options, form.separable),
          norm_(*this, std::to_string(form.first + 1), options.out_channels) {}
    ConvNormRelu(Module& parent, const std::string& name, const ConvOptions& options)
        : ConvNormRelu(parent, name, options, Form{}) {}

    Tensor forward(const Tensor& x, const Tensor& destination = {}) {
        const ModuleScope scope(name());
        return normalized(norm_, conv_, x, {.relu = true, .destination = destination});
    }

 private:
    AnyConv2d conv_;
    BatchNorm2d norm_;
};

}  // namespace atrous
