// Nets of torchvision's form: an encoder ("backbone"), a head on its last feature map, raised bilinearly to the size of
// the input, and for training an auxiliary head on the feature map before the last.
#pragma once

#include "engine/nn/segmentation_net.h"
#include "models/blocks.h"
#include "models/encoder.h"
#include "models/net_config.h"

namespace atrous {

// Every net of this form needs these options.
struct BackboneOptions {
    int64_t in_channels = 3, out_channels = 1;
    std::string encoder = "resnet50";
    int output_stride = 8;
    bool dilate_first_block = false;  // see EncoderOptions
    bool auxiliary = true;
    bool dropout = true;  // false: none, in any head
};
// A model's own options, with those of the configuration in place of what it leaves open.
BackboneOptions backbone_options(const NetConfig& config, BackboneOptions own);

// 3x3 convolution to a quarter of the channels, batch norm, ReLU, dropout, 1x1 convolution (Long, Shelhamer & Darrell,
// "Fully convolutional networks for semantic segmentation", CVPR 2015, as torchvision has it).
class FcnHead : public Module {
 public:
    FcnHead(Module& parent, const std::string& name, int64_t in_channels, int64_t out_channels, bool dropout)
        : Module(parent, name),
          conv_(
              *this, "0",
              {.in_channels = in_channels, .out_channels = in_channels / 4, .kernel = 3, .padding = 1, .bias = false}),
          norm_(*this, "1", in_channels / 4),
          drop_(*this, "3", dropout ? 0.1 : 0),
          logits_(*this, "4", {.in_channels = in_channels / 4, .out_channels = out_channels, .kernel = 1}) {}
    Tensor forward(const Tensor& x) {
        const ModuleScope scope(name());
        return logits_.forward(drop_.forward(normalized(norm_, conv_, x, {.relu = true})));
    }

 private:
    Conv2d conv_;
    BatchNorm2d norm_;
    Dropout drop_;
    Conv2d logits_;
};

class BackboneNet : public SegmentationNet {
 public:
    int64_t in_channels() const override { return options_.in_channels; }
    int64_t out_channels() const override { return options_.out_channels; }
    int64_t input_multiple() const override { return backbone_->input_multiple(); }
    Encoder* encoder() override { return backbone_.get(); }

 protected:
    explicit BackboneNet(const BackboneOptions& options);
    void add_auxiliary();  // after the head, as torchvision orders them
    // Logits at any resolution, from the encoder's feature maps.
    virtual Tensor head(const std::vector<Tensor>& features, const Tensor& image) = 0;
    NetOutputs compute(const Tensor& x, bool with_auxiliary) override;
    const BackboneOptions& options() const { return options_; }
    const std::vector<Encoder::Level>& levels() const { return backbone_->levels(); }

 private:
    BackboneOptions options_;
    std::unique_ptr<Encoder> backbone_;
    std::unique_ptr<FcnHead> auxiliary_;
};

}  // namespace atrous
