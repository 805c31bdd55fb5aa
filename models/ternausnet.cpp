#include "models/ternausnet.h"

#include "engine/ops/activation.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/resize.h"

namespace atrous {

struct TernausNet::ConvRelu : Module {
    Conv2d conv;
    ConvRelu(Module& parent, const std::string& name, int64_t in, int64_t out)
        : Module(parent, name),
          conv(*this, "conv", {.in_channels = in, .out_channels = out, .kernel = 3, .padding = 1}) {}
    Tensor forward(const Tensor& x) {
        const ModuleScope scope(name());
        return relu(conv.forward(x));
    }
};

struct TernausNet::DecoderBlock : Module {
    Group block{*this, "block"};
    ConvRelu first, second;
    DecoderBlock(Module& parent, const std::string& name, int64_t in, int64_t middle, int64_t out)
        : Module(parent, name), first(block, "1", in, middle), second(block, "2", middle, out) {}
    Tensor forward(const Tensor& x) {
        const ModuleScope scope(name() + ".block");
        return second.forward(first.forward(bilinear(x, 2 * x.dim(1), 2 * x.dim(2), false)));
    }
};

namespace {
struct Block {
    const char* name;
    int64_t skip, below, middle, out;  // channels; skip: of the encoder's features
};
struct Plan {
    const char* encoder;
    std::vector<Block> blocks;
    const char* last;
    int64_t last_in;
};

Plan plan_of(TernausKind kind) {
    if (kind == TernausKind::unet11)
        return {"vgg11",
                {{"center", 0, 512, 512, 256},
                 {"dec5", 512, 256, 512, 256},
                 {"dec4", 512, 256, 512, 128},
                 {"dec3", 256, 128, 256, 64},
                 {"dec2", 128, 64, 128, 32}},
                "dec1",
                64 + 32};
    if (kind == TernausKind::unet16)
        return {"vgg16",
                {{"center", 0, 512, 512, 256},
                 {"dec5", 512, 256, 512, 256},
                 {"dec4", 512, 256, 512, 256},
                 {"dec3", 256, 256, 256, 64},
                 {"dec2", 128, 64, 128, 32}},
                "dec1",
                64 + 32};
    return {"resnet34",
            {{"center", 0, 512, 512, 256},
             {"dec5", 512, 256, 512, 256},
             {"dec4", 256, 256, 512, 256},
             {"dec3", 128, 256, 256, 64},
             {"dec2", 64, 64, 128, 128},
             {"dec1", 0, 128, 128, 32}},
            "dec0",
            32};
}
}  // namespace

// AlbuNet pools 2x2 behind the first convolution, where ResNet pools 3x3.
TernausNet::TernausNet(TernausKind kind, int64_t in_channels, int64_t out_channels)
    : on_resnet_(kind == TernausKind::albunet34),
      in_channels_(in_channels),
      out_channels_(out_channels),
      encoder_(
          make_encoder(plan_of(kind).encoder, *this, "encoder", {.in_channels = in_channels, .stem_pool = {2, 2, 0}})) {
    const Plan plan = plan_of(kind);
    for (const Block& b : plan.blocks)
        blocks_.push_back(std::make_unique<DecoderBlock>(*this, b.name, b.skip + b.below, b.middle, b.out));
    last_ = std::make_unique<ConvRelu>(*this, plan.last, plan.last_in, 32);
    final_ = std::make_unique<Conv2d>(*this, "final",
                                      ConvOptions{.in_channels = 32, .out_channels = out_channels, .kernel = 1});
}

TernausNet::~TernausNet() = default;

NetOutputs TernausNet::compute(const Tensor& x, bool) {
    std::vector<Tensor> skips = encoder_->features(x);
    Tensor y;
    if (on_resnet_) {
        skips.erase(skips.begin());  // the stem, before its pool, joins nothing
        y = max_pool(skips.back());
    } else {
        y = skips.back();  // VGG's features end with the pooled fifth stage
        skips.pop_back();
    }
    for (size_t i = 0; i < blocks_.size(); ++i) {
        y = blocks_[i]->forward(y);
        if (skips.empty()) continue;
        y = concat(y, skips.back());
        skips.pop_back();
    }
    return {final_->forward(last_->forward(y)), {}};
}

std::string TernausNetModel::name() const {
    static constexpr const char* names[] = {"unet11", "unet16", "albunet34"};
    return names[size_t(kind_)];
}

}  // namespace atrous
