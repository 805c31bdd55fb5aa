// U-Nets on a classification encoder, of the TernausNet family (Iglovikov & Shvets, "TernausNet: U-Net with VGG11
// encoder pre-trained on ImageNet for image segmentation", 2018; ternaus/robot-surgery-segmentation), whose decoders
// raise bilinearly:
//
//   encoder (five levels) ─ pool ─ center ─ dec5 ─ … ─ dec1 ─ [dec0] ─ final
//
// Each decoder block: bilinear x2, 3x3 convolution, ReLU, 3x3 convolution, ReLU; its input is what comes from below
// with the encoder's features behind. unet11 and unet16 stand on VGG, where dec1 is one convolution at full
// resolution; albunet34 stands on ResNet-34, where dec1 has no features to join and dec0 is that convolution.
#pragma once

#include "engine/nn/segmentation_net.h"
#include "models/encoder.h"
#include "models/net_config.h"

namespace atrous {

enum class TernausKind { unet11, unet16, albunet34 };

class TernausNet : public SegmentationNet {
 public:
    TernausNet(TernausKind kind, int64_t in_channels, int64_t out_channels);
    ~TernausNet() override;
    int64_t in_channels() const override { return in_channels_; }
    int64_t out_channels() const override { return out_channels_; }
    int64_t input_multiple() const override { return on_resnet_ ? 64 : 32; }
    Encoder* encoder() override { return encoder_.get(); }

 protected:
    NetOutputs compute(const Tensor& x, bool with_auxiliary) override;

 private:
    struct ConvRelu;
    struct DecoderBlock;
    bool on_resnet_;
    int64_t in_channels_, out_channels_;
    std::unique_ptr<Encoder> encoder_;
    std::vector<std::unique_ptr<DecoderBlock>> blocks_;  // center, dec5, …
    std::unique_ptr<ConvRelu> last_;
    std::unique_ptr<Conv2d> final_;
};

class TernausNetModel : public Copied<TernausNetModel, Model> {
 public:
    explicit TernausNetModel(TernausKind kind) : kind_(kind) {}
    std::string name() const override;
    std::unique_ptr<SegmentationNet> make(const NetConfig& c) const override {
        return std::make_unique<TernausNet>(kind_, c.in_channels, c.out_channels);
    }

 private:
    TernausKind kind_;
};

}  // namespace atrous
