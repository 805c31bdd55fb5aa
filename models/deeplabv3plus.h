// DeepLabV3+ (Chen, Zhu, Papandreou, Schroff & Adam, "Encoder-decoder with atrous separable convolution for semantic
// image segmentation", ECCV 2018, figure 2), under the names of VainF/DeepLabV3Plus-Pytorch:
//
//   encoder ─┬─ last features ─ ASPP ─ bilinear ─┐
//            └─ features at stride 4 ─ 1x1 to 48 ┴─ concatenation ─ 3x3 ─ 1x1 to classes ─ bilinear to the input's size
#pragma once

#include "models/aspp.h"
#include "models/backbone_net.h"

namespace atrous {

struct DeepLabV3PlusOptions {
    BackboneOptions backbone{.output_stride = 16, .auxiliary = false};
    std::vector<int64_t> rates = {};  // empty: default_rates
    bool pooled = true;
    bool separable = false;  // depthwise separable 3x3 convolutions in the ASPP and the decoder
};

class DeepLabV3Plus : public BackboneNet {
 public:
    explicit DeepLabV3Plus(const DeepLabV3PlusOptions& options);

 protected:
    Tensor head(const std::vector<Tensor>& features, const Tensor& image) override;

 private:
    size_t low_level_;  // the feature map at stride 4
    Group head_{*this, "classifier"};
    ConvNormRelu project_;
    Aspp aspp_;
    Group classifier_{head_, "classifier"};
    ConvNormRelu conv_;
    Conv2d logits_;
};

class DeepLabV3PlusModel : public Copied<DeepLabV3PlusModel, Model> {
 public:
    bool separable = false;

    std::string name() const override { return "deeplabv3plus"; }
    std::vector<std::string> takes() const override { return {"encoder", "output-stride", "rates", "aspp-pooling"}; }
    void describe(Settings& s) override {
        s.bind("separable", separable, "deeplabv3plus: depthwise separable convolutions").when_resumed(Resume::fixed);
    }
    std::unique_ptr<SegmentationNet> make(const NetConfig& config) const override;
};

}  // namespace atrous
