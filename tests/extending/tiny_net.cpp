// A model: some 3x3 convolutions at full resolution, each with batch norm and ReLU, and a 1x1 one to the logits.
#include "engine/nn/segmentation_net.h"
#include "models/blocks.h"
#include "models/net_config.h"
#include "tests/extending/extensions.h"

namespace atrous::extending {

namespace {

class TinyNet : public SegmentationNet {
 public:
    TinyNet(const NetConfig& c, int64_t layers) : in_channels_(c.in_channels), out_channels_(c.out_channels) {
        for (int64_t i = 0, in = c.in_channels; i < layers; ++i, in = width)
            layers_.push_back(std::make_unique<ConvNormRelu>(
                *this, "layers." + std::to_string(i),
                ConvOptions{.in_channels = in, .out_channels = width, .kernel = 3, .padding = 1, .bias = false}));
        logits_ = std::make_unique<Conv2d>(
            *this, "logits", ConvOptions{.in_channels = width, .out_channels = c.out_channels, .kernel = 1});
    }
    int64_t in_channels() const override { return in_channels_; }
    int64_t out_channels() const override { return out_channels_; }
    int64_t input_multiple() const override { return 1; }

 protected:
    NetOutputs compute(const Tensor& x, bool) override {
        Tensor y = x;
        for (const auto& layer : layers_) y = layer->forward(y);
        return {logits_->forward(y), {}};
    }

 private:
    static constexpr int64_t width = 4;
    int64_t in_channels_, out_channels_;
    std::vector<std::unique_ptr<ConvNormRelu>> layers_;
    std::unique_ptr<Conv2d> logits_;
};

class TinyModel : public Copied<TinyModel, Model> {
 public:
    std::string name() const override { return "tiny"; }
    void describe(Settings& s) override {
        s.bind("tiny-layers", layers_, "tiny: convolutions").min(1).max(8).when_resumed(Resume::fixed);
    }
    std::unique_ptr<SegmentationNet> make(const NetConfig& c) const override {
        return std::make_unique<TinyNet>(c, layers_);
    }

 private:
    int64_t layers_ = 2;
};

}  // namespace

void add_tiny_net() { add_model(TinyModel()); }

}  // namespace atrous::extending
