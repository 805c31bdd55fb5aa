#include "models/encoder_unet.h"

#include "engine/ops/elementwise.h"
#include "engine/ops/resize.h"
#include "models/blocks.h"
#include "models/resnet.h"

namespace atrous {

static ConvOptions conv3x3(int64_t in, int64_t out) {
    return {.in_channels = in,
            .out_channels = out,
            .kernel = 3,
            .padding = 1,
            .bias = false,
            .init = Init::kaiming_uniform};
}

struct EncoderUNet::Block : Module {
    ConvNormRelu conv1, conv2;
    Block(Module& parent, const std::string& name, int64_t below, int64_t skip, int64_t out)
        : Module(parent, name),
          conv1(*this, "conv1", conv3x3(below + skip, out)),
          conv2(*this, "conv2", conv3x3(out, out)) {}
    Tensor forward(const Tensor& x, const Tensor& skip) {
        const ModuleScope scope(name());
        const Tensor raised = nearest(x, 2 * x.dim(1), 2 * x.dim(2));
        return conv2.forward(conv1.forward(skip.defined() ? concat(raised, skip) : raised));
    }
};

EncoderUNet::EncoderUNet(const std::string& encoder, int64_t in_channels, int64_t out_channels)
    : in_channels_(in_channels),
      out_channels_(out_channels),
      encoder_(make_encoder(encoder, *this, "encoder", {.in_channels = in_channels})) {
    if (!dynamic_cast<ResNet*>(encoder_.get()))
        throw UsageError("model unet takes resnet18 to resnet152 as its encoder, not " + encoder +
                         "; unet11 and unet16 are the U-Nets on VGG");
    const auto& levels = encoder_->levels();
    int64_t below = levels.back().channels, out = 256;
    for (int i = 0; i < 5; ++i, out /= 2) {
        const int64_t skip = i < 4 ? levels[size_t(3 - i)].channels : 0;
        blocks_.push_back(std::make_unique<Block>(sequence_, std::to_string(i), below, skip, out));
        below = out;
    }
    head_ = std::make_unique<Conv2d>(*this, "segmentation_head.0",
                                     ConvOptions{.in_channels = below,
                                                 .out_channels = out_channels,
                                                 .kernel = 3,
                                                 .padding = 1,
                                                 .init = Init::xavier_uniform});
}

EncoderUNet::~EncoderUNet() = default;

NetOutputs EncoderUNet::compute(const Tensor& x, bool) {
    std::vector<Tensor> skips = encoder_->features(x);
    Tensor y = skips.back();
    {
        const ModuleScope scope(decoder_.name() + "." + sequence_.name());
        for (auto& block : blocks_) {
            skips.pop_back();
            y = block->forward(y, skips.empty() ? Tensor() : skips.back());
        }
    }
    return {head_->forward(y), {}};
}

}  // namespace atrous
