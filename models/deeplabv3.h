// DeepLabV3 (Chen, Papandreou, Schroff & Adam, "Rethinking atrous convolution for semantic image segmentation", 2017),
// as torchvision builds it, on any encoder:
//
//   encoder, output stride 8 ─ ASPP ─ 3x3 ─ 1x1 to classes ─ bilinear to the size of the input
//
// and the form that the comma10k road segmentation uses: ASPP with biases, straight to the classes, on a ResNet whose
// dilated stages are dilated from their first block on (fregu856/deeplabv3).
#pragma once

#include "models/aspp.h"
#include "models/backbone_net.h"

namespace atrous {

struct DeepLabV3Options {
    BackboneOptions backbone;
    std::vector<int64_t> rates = {};   // empty: default_rates
    bool pooled = true;                // the ASPP's branch of the mean
    bool progressive_decoder = false;  // raise x2 at a time, each with a 3x3 convolution, in place of one bilinear step
    bool aspp_bias = false;            // biases in the ASPP, and no dropout there
    bool wide_classifier = true;       // the 3x3 convolution between ASPP and classes

    static DeepLabV3Options comma10k();  // ResNet-18, rates 6, 12, 18, no auxiliary head
};

class DeepLabV3 : public BackboneNet {
 public:
    explicit DeepLabV3(const DeepLabV3Options& options);

 protected:
    Tensor head(const std::vector<Tensor>& features, const Tensor& image) override;

 private:
    Group classifier_{*this, "classifier"};
    Aspp aspp_;
    std::unique_ptr<ConvNormRelu> conv_;
    Group steps_;
    std::vector<std::unique_ptr<ConvNormRelu>> raises_;
    std::unique_ptr<Conv2d> logits_;
};

class DeepLabV3Model : public Copied<DeepLabV3Model, Model> {
 public:
    std::string name() const override { return "deeplabv3"; }
    std::vector<std::string> takes() const override {
        return {"encoder", "output-stride", "rates", "aspp-pooling", "aux-weight", "progressive-decoder"};
    }
    std::unique_ptr<SegmentationNet> make(const NetConfig& config) const override;
};

class Comma10kModel : public Copied<Comma10kModel, Model> {
 public:
    std::string name() const override { return "deeplabv3-comma10k"; }
    std::vector<std::string> takes() const override {
        return {"encoder", "output-stride", "rates", "aspp-pooling", "progressive-decoder"};
    }
    std::unique_ptr<SegmentationNet> make(const NetConfig& config) const override;
};

}  // namespace atrous
