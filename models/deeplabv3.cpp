#include "models/deeplabv3.h"

#include "engine/ops/resize.h"

namespace atrous {

DeepLabV3Options DeepLabV3Options::comma10k() {
    DeepLabV3Options o;
    o.backbone.encoder = "resnet18";
    o.backbone.dilate_first_block = true;
    o.backbone.auxiliary = false;
    o.rates = {6, 12, 18};
    o.aspp_bias = true;
    o.wide_classifier = false;
    return o;
}

static AsppOptions aspp_options(const DeepLabV3Options& o, int64_t in_channels) {
    return {.in_channels = in_channels,
            .rates = o.rates.empty() ? default_rates(o.backbone.output_stride) : o.rates,
            .pooled = o.pooled,
            .bias = o.aspp_bias,
            .dropout = o.backbone.dropout && !o.aspp_bias ? 0.5 : 0};
}

static ConvOptions conv3x3(int64_t in, int64_t out) {
    return {.in_channels = in, .out_channels = out, .kernel = 3, .padding = 1, .bias = false};
}

DeepLabV3::DeepLabV3(const DeepLabV3Options& o)
    : BackboneNet(o.backbone),
      aspp_(classifier_, "0", aspp_options(o, levels().back().channels)),
      conv_(o.wide_classifier ? std::make_unique<ConvNormRelu>(classifier_, "", conv3x3(Aspp::channels, Aspp::channels),
                                                               ConvNormRelu::Form{.first = 1})
                              : nullptr),
      steps_(classifier_, "steps") {
    int64_t channels = Aspp::channels;
    for (int stride = o.backbone.output_stride; o.progressive_decoder && stride > 1; stride /= 2) {
        const int64_t out = std::max<int64_t>(channels / 2, 32);
        raises_.push_back(
            std::make_unique<ConvNormRelu>(steps_, std::to_string(raises_.size()), conv3x3(channels, out)));
        channels = out;
    }
    logits_ = std::make_unique<Conv2d>(
        classifier_, "4", ConvOptions{.in_channels = channels, .out_channels = o.backbone.out_channels, .kernel = 1});
    add_auxiliary();
}

Tensor DeepLabV3::head(const std::vector<Tensor>& features, const Tensor& image) {
    const ModuleScope scope(classifier_.name());
    Tensor y = aspp_.forward(features.back());
    if (conv_) y = conv_->forward(y);
    for (size_t i = 0; i < raises_.size(); ++i) {
        const ModuleScope inner(steps_.name());
        const int64_t stride = int64_t(1) << (raises_.size() - 1 - i);
        y = raises_[i]->forward(bilinear(y, ceil_div(image.dim(1), stride), ceil_div(image.dim(2), stride), false));
    }
    return logits_->forward(y);
}

static std::unique_ptr<SegmentationNet> made(const NetConfig& c, DeepLabV3Options o) {
    o.backbone = backbone_options(c, o.backbone);
    if (!c.rates.empty()) o.rates = c.rates;
    o.pooled = c.pooled;
    o.progressive_decoder = c.progressive_decoder;
    return std::make_unique<DeepLabV3>(o);
}

std::unique_ptr<SegmentationNet> DeepLabV3Model::make(const NetConfig& c) const { return made(c, {}); }
std::unique_ptr<SegmentationNet> Comma10kModel::make(const NetConfig& c) const {
    return made(c, DeepLabV3Options::comma10k());
}

}  // namespace atrous
