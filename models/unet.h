// U-Net (Ronneberger, Fischer & Brox, "U-Net: Convolutional networks for biomedical image segmentation", MICCAI 2015)
// with padded convolutions, under the names of milesial/Pytorch-UNet:
//
//   inc ─ down1 ─ … ─ down<depth> ─ up1 ─ … ─ up<depth> ─ outc
//
// inc: two convolutions to base_channels; each down: 2x2 max pool and two convolutions to twice the channels; each up:
// 2x2 transposed convolution (or bilinear x2), the encoder's features in front, two convolutions.
#pragma once

#include <memory>
#include <vector>

#include "engine/nn/layers.h"
#include "engine/nn/segmentation_net.h"
#include "models/net_config.h"

namespace atrous {

struct UNetOptions {
    int64_t in_channels = 3, out_channels = 1;
    int64_t base_channels = 64;
    int depth = 4;              // times the resolution is halved
    bool bilinear = false;      // bilinear upsampling in place of transposed convolution
    bool align_corners = true;  // of the bilinear upsampling
    bool full_width = false;    // bilinear: deep levels keep all their channels; else milesial's half, so that what is
                                // raised has as many channels as what it is joined with
    bool batch_norm = true;     // false: convolutions have biases instead
    int kernel = 3;             // of the convolutions: odd
};

class UNet : public SegmentationNet {
 public:
    explicit UNet(const UNetOptions& options);
    ~UNet() override;
    int64_t in_channels() const override { return options_.in_channels; }
    int64_t out_channels() const override { return options_.out_channels; }
    int64_t input_multiple() const override { return int64_t(1) << options_.depth; }

 protected:
    NetOutputs compute(const Tensor& x, bool with_auxiliary) override;

 private:
    struct DoubleConv;
    struct Down;
    struct Up;
    struct OutConv;
    UNetOptions options_;
    std::unique_ptr<DoubleConv> inc_;
    std::vector<std::unique_ptr<Down>> downs_;
    std::vector<std::unique_ptr<Up>> ups_;
    std::unique_ptr<OutConv> outc_;
};

// With an encoder it is models/encoder_unet.h, which has no options.
class UNetModel : public Copied<UNetModel, Model> {
 public:
    UNetOptions options;  // but for the channels

    std::string name() const override { return "unet"; }
    std::vector<std::string> takes() const override { return {"encoder"}; }
    void describe(Settings& settings) override;
    bool own_settings_with_encoder() const override { return false; }
    void check(const Settings& settings) const override;
    std::unique_ptr<SegmentationNet> make(const NetConfig& config) const override;
};

NetConfig unet(const UNetOptions& options);

}  // namespace atrous
