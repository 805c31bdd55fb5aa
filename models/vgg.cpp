#include "models/vgg.h"

#include "engine/ops/activation.h"

namespace atrous {

namespace {
struct Kind {
    const char* name;
    int convolutions[5];
};
constexpr Kind kinds[] = {
    {"vgg11", {1, 1, 2, 2, 2}}, {"vgg13", {2, 2, 2, 2, 2}}, {"vgg16", {2, 2, 3, 3, 3}}, {"vgg19", {2, 2, 4, 4, 4}}};
constexpr int64_t widths[] = {64, 128, 256, 512, 512};
}  // namespace

std::vector<std::string> Vgg::names() {
    std::vector<std::string> all;
    for (const Kind& k : kinds)
        for (const char* norm : {"", "_bn"}) all.push_back(std::string(k.name) + norm);
    return all;
}

struct Vgg::Layer {
    std::unique_ptr<Conv2d> conv;
    std::unique_ptr<BatchNorm2d> norm;
    Tensor forward(const Tensor& x) {
        return norm ? normalized(*norm, *conv, x, {.relu = true}) : relu(conv->forward(x));
    }
};

struct Vgg::Classifier : Module {
    Linear fc1{*this, "0", 512, 4096, 7, Init::normal_001};
    Dropout drop1{*this, "2", 0.5};
    Linear fc2{*this, "3", 4096, 4096, 1, Init::normal_001};
    Dropout drop2{*this, "5", 0.5};
    Linear fc3;

    Classifier(Module& parent, int64_t classes)
        : Module(parent, "classifier"), fc3(*this, "6", 4096, classes, 1, Init::normal_001) {}
    Tensor forward(const Tensor& x) {
        const ModuleScope scope(name());
        const Tensor y = drop1.forward(relu(fc1.forward(x)));
        return fc3.forward(drop2.forward(relu(fc2.forward(y))));
    }
};

static int log2_of(int stride) {
    int n = 0;
    while (1 << n < stride) ++n;
    return n;
}

Vgg::Vgg(const std::string& kind, Module& parent, const std::string& name, const EncoderOptions& o)
    : Encoder(parent, name), features_(*this, "features"), pools_(log2_of(o.output_stride)) {
    const bool batch_norm = kind.ends_with("_bn");
    const std::string plain = kind.substr(0, kind.find('_'));
    const Kind* k = kinds;
    while (plain != k->name) ++k;
    int64_t in = o.in_channels;
    int index = 0, dilation = 1;
    for (int stage = 0; stage < 5; ++stage) {
        stages_.emplace_back();
        for (int i = 0; i < k->convolutions[stage]; ++i) {
            const ConvOptions conv{.in_channels = in,
                                   .out_channels = widths[stage],
                                   .kernel = 3,
                                   .padding = dilation,
                                   .dilation = dilation,
                                   .init = Init::kaiming_normal,
                                   .fan_out = true};
            Layer layer;
            layer.conv = std::make_unique<Conv2d>(features_, std::to_string(index++), conv);
            if (batch_norm)
                layer.norm = std::make_unique<BatchNorm2d>(features_, std::to_string(index++), widths[stage]);
            ++index;  // ReLU
            stages_.back().push_back(std::move(layer));
            in = widths[stage];
        }
        ++index;  // the pool
        levels_.push_back({in, 1 << std::min(stage, pools_)});
        if (stage >= pools_) dilation *= 2;
    }
    if (pools_ == 5) levels_.push_back({in, 32});
    if (o.classes > 0) classifier_ = std::make_unique<Classifier>(*this, o.classes);
}

Vgg::~Vgg() = default;

std::vector<Tensor> Vgg::features(const Tensor& image) {
    const ModuleScope scope(name()), inner(features_.name());
    std::vector<Tensor> levels;
    Tensor x = image;
    for (int stage = 0; stage < 5; ++stage) {
        for (Layer& layer : stages_[size_t(stage)]) x = layer.forward(x);
        levels.push_back(x);
        if (stage < pools_) x = max_pool(x);
    }
    if (pools_ == 5) levels.push_back(x);
    return levels;
}

Tensor Vgg::classify(const Tensor& x) {
    const Tensor top = features(x).back();
    const ModuleScope scope(name());
    return classifier_->forward(top);
}

}  // namespace atrous
