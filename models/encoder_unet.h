// U-Net on a ResNet encoder as segmentation_models.pytorch's Unet, under its names:
//
//   encoder (stem, layer1 … layer4) ─ blocks.0 (256) ─ blocks.1 (128) ─ … ─ blocks.4 (16) ─ segmentation_head
//
// Each block: nearest x2, the encoder's features behind, and twice (3x3 convolution, batch norm, ReLU).
#pragma once

#include "engine/nn/segmentation_net.h"
#include "models/encoder.h"

namespace atrous {

class EncoderUNet : public SegmentationNet {
 public:
    EncoderUNet(const std::string& encoder, int64_t in_channels, int64_t out_channels);
    ~EncoderUNet() override;
    int64_t in_channels() const override { return in_channels_; }
    int64_t out_channels() const override { return out_channels_; }
    int64_t input_multiple() const override { return 32; }
    Encoder* encoder() override { return encoder_.get(); }

 protected:
    NetOutputs compute(const Tensor& x, bool with_auxiliary) override;

 private:
    struct Block;
    int64_t in_channels_, out_channels_;
    std::unique_ptr<Encoder> encoder_;
    Group decoder_{*this, "decoder"}, sequence_{decoder_, "blocks"};
    std::vector<std::unique_ptr<Block>> blocks_;
    std::unique_ptr<Conv2d> head_;
};

}  // namespace atrous
