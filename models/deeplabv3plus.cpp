#include "models/deeplabv3plus.h"

#include "engine/ops/elementwise.h"
#include "engine/ops/resize.h"

namespace atrous {

static constexpr int64_t low_level_channels = 48;

static size_t level_at_stride(const std::vector<Encoder::Level>& levels, int stride) {
    size_t at = 0;
    while (at + 1 < levels.size() && levels[at].stride < stride) ++at;
    return at;
}

static ConvOptions convolution(int64_t in, int64_t out, int kernel, bool bias = false) {
    return {.in_channels = in,
            .out_channels = out,
            .kernel = kernel,
            .padding = kernel / 2,
            .bias = bias,
            .init = Init::kaiming_normal};
}

DeepLabV3Plus::DeepLabV3Plus(const DeepLabV3PlusOptions& o)
    : BackboneNet(o.backbone),
      low_level_(level_at_stride(levels(), 4)),
      project_(head_, "project", convolution(levels()[low_level_].channels, low_level_channels, 1)),
      aspp_(head_, "aspp",
            {.in_channels = levels().back().channels,
             .rates = o.rates.empty() ? default_rates(o.backbone.output_stride) : o.rates,
             .pooled = o.pooled,
             .dropout = o.backbone.dropout ? 0.1 : 0,
             .separable = o.separable,
             .init = Init::kaiming_normal}),
      conv_(classifier_, "", convolution(low_level_channels + Aspp::channels, Aspp::channels, 3),
            {.separable = o.separable}),
      logits_(classifier_, "3", convolution(Aspp::channels, o.backbone.out_channels, 1, true)) {
    add_auxiliary();
}

Tensor DeepLabV3Plus::head(const std::vector<Tensor>& features, const Tensor&) {
    const ModuleScope scope(head_.name());
    const Tensor& low = features[low_level_];
    const int64_t widths[] = {low_level_channels, Aspp::channels};
    auto parts = reserve_concat(low.dim(0), low.dim(1), low.dim(2), widths, low.dtype(), low.device());
    parts[0] = project_.forward(low, parts[0]);
    parts[1] = bilinear(aspp_.forward(features.back()), low.dim(1), low.dim(2), false, parts[1]);
    const ModuleScope inner(classifier_.name());
    return logits_.forward(conv_.forward(concat(parts)));
}

std::unique_ptr<SegmentationNet> DeepLabV3PlusModel::make(const NetConfig& c) const {
    DeepLabV3PlusOptions o;
    o.backbone = backbone_options(c, o.backbone);
    o.rates = c.rates;
    o.pooled = c.pooled;
    o.separable = separable;
    return std::make_unique<DeepLabV3Plus>(o);
}

}  // namespace atrous
