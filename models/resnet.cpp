#include "models/resnet.h"

#include "engine/ops/global_pool.h"

namespace atrous {

namespace {
struct Kind {
    const char* name;
    bool bottleneck;
    int blocks[4];
};
constexpr Kind kinds[] = {{"resnet18", false, {2, 2, 2, 2}},
                          {"resnet34", false, {3, 4, 6, 3}},
                          {"resnet50", true, {3, 4, 6, 3}},
                          {"resnet101", true, {3, 4, 23, 3}},
                          {"resnet152", true, {3, 8, 36, 3}}};
}  // namespace

std::vector<std::string> ResNet::names() {
    std::vector<std::string> all;
    for (const Kind& k : kinds) all.push_back(k.name);
    return all;
}

static ConvOptions convolution(int64_t in, int64_t out, int kernel, int stride = 1, int dilation = 1) {
    return {.in_channels = in,
            .out_channels = out,
            .kernel = kernel,
            .stride = stride,
            .padding = kernel / 2 * dilation,
            .dilation = dilation,
            .bias = false,
            .init = Init::kaiming_normal,
            .fan_out = true};
}

struct Shortcut : Module {
    Conv2d conv;
    BatchNorm2d norm;
    Shortcut(Module& parent, int64_t in, int64_t out, int stride)
        : Module(parent, "downsample"), conv(*this, "0", convolution(in, out, 1, stride)), norm(*this, "1", out) {}
    Tensor forward(const Tensor& x) {
        const ModuleScope scope(name());
        return normalized(norm, conv, x);
    }
};

// ReLU(branch(x) + x), where a 1x1 convolution fits x to the branch if channels or resolution change.
struct ResNet::Block : Module {
    std::unique_ptr<Shortcut> downsample;
    using Module::Module;
    virtual Tensor forward(const Tensor& x) = 0;

 protected:
    void fit(int64_t in, int64_t out, int stride) {
        if (in != out || stride != 1) downsample = std::make_unique<Shortcut>(*this, in, out, stride);
    }
    Tensor identity(const Tensor& x) { return downsample ? downsample->forward(x) : x; }
};

struct ResNet::BasicBlock : Block {
    Conv2d conv1;
    BatchNorm2d bn1;
    Conv2d conv2;
    BatchNorm2d bn2;

    BasicBlock(Module& parent, const std::string& name, int64_t in, int64_t width, int stride, int dilation)
        : Block(parent, name),
          conv1(*this, "conv1", convolution(in, width, 3, stride, dilation)),
          bn1(*this, "bn1", width),
          conv2(*this, "conv2", convolution(width, width, 3, 1, dilation)),
          bn2(*this, "bn2", width) {
        fit(in, width, stride);
    }
    Tensor forward(const Tensor& x) override {
        const ModuleScope scope(name());
        const Tensor y = normalized(bn1, conv1, x, {.relu = true});
        return normalized(bn2, conv2, y, {.relu = true, .residual = identity(x)});
    }
};

struct ResNet::Bottleneck : Block {
    Conv2d conv1;
    BatchNorm2d bn1;
    Conv2d conv2;
    BatchNorm2d bn2;
    Conv2d conv3;
    BatchNorm2d bn3;

    Bottleneck(Module& parent, const std::string& name, int64_t in, int64_t width, int stride, int dilation)
        : Block(parent, name),
          conv1(*this, "conv1", convolution(in, width, 1)),
          bn1(*this, "bn1", width),
          conv2(*this, "conv2", convolution(width, width, 3, stride, dilation)),
          bn2(*this, "bn2", width),
          conv3(*this, "conv3", convolution(width, 4 * width, 1)),
          bn3(*this, "bn3", 4 * width) {
        fit(in, 4 * width, stride);
    }
    Tensor forward(const Tensor& x) override {
        const ModuleScope scope(name());
        Tensor y = normalized(bn1, conv1, x, {.relu = true});
        y = normalized(bn2, conv2, y, {.relu = true});
        return normalized(bn3, conv3, y, {.relu = true, .residual = identity(x)});
    }
};

struct ResNet::Layer : Module {
    std::vector<std::unique_ptr<Block>> blocks;
    using Module::Module;

    void add(bool bottleneck, int64_t in, int64_t width, int stride, int dilation) {
        const std::string name = std::to_string(blocks.size());
        if (bottleneck)
            blocks.push_back(std::make_unique<Bottleneck>(*this, name, in, width, stride, dilation));
        else
            blocks.push_back(std::make_unique<BasicBlock>(*this, name, in, width, stride, dilation));
    }
    Tensor forward(Tensor x) {
        const ModuleScope scope(name());
        for (auto& block : blocks) x = block->forward(x);
        return x;
    }
};

ResNet::ResNet(const std::string& kind, Module& parent, const std::string& name, const EncoderOptions& o)
    : Encoder(parent, name),
      stem_pool_(o.stem_pool),
      conv1_(*this, "conv1", convolution(o.in_channels, 64, 7, 2)),
      bn1_(*this, "bn1", 64) {
    const Kind* k = kinds;
    while (kind != k->name) ++k;
    levels_.push_back({64, 2});
    int64_t in = 64;
    int stride_so_far = 4, dilation = 1;
    for (int i = 0; i < 4; ++i) {
        const int64_t width = int64_t(64) << i, out = k->bottleneck ? 4 * width : width;
        int stride = i == 0 ? 1 : 2, first_dilation = dilation;
        if (stride_so_far * stride > o.output_stride) {
            dilation *= stride;
            stride = 1;
            if (o.dilate_first_block) first_dilation = dilation;
        }
        stride_so_far *= stride;
        layers_.push_back(std::make_unique<Layer>(*this, "layer" + std::to_string(i + 1)));
        for (int b = 0; b < k->blocks[i]; ++b) {
            layers_.back()->add(k->bottleneck, in, width, b == 0 ? stride : 1, b == 0 ? first_dilation : dilation);
            in = out;
        }
        levels_.push_back({out, stride_so_far});
    }
    if (o.classes > 0) fc_ = std::make_unique<Linear>(*this, "fc", in, o.classes);
}

ResNet::~ResNet() = default;

std::vector<Tensor> ResNet::features(const Tensor& image) {
    const ModuleScope scope(name());
    std::vector<Tensor> levels{normalized(bn1_, conv1_, image, {.relu = true})};
    Tensor x = max_pool(levels[0], stem_pool_);
    for (auto& layer : layers_) levels.push_back(x = layer->forward(x));
    return levels;
}

Tensor ResNet::classify(const Tensor& x) {
    const Tensor top = features(x).back();
    const ModuleScope scope(name());
    return fc_->forward(global_average_pool(top));
}

}  // namespace atrous
