#include "models/catalogue.h"

#include <fmt/core.h>

#include "models/deeplabv3.h"
#include "models/deeplabv3plus.h"
#include "models/encoder_unet.h"
#include "models/fcn.h"
#include "models/ternausnet.h"
#include "models/unet.h"

namespace atrous {

namespace {

using Net = std::unique_ptr<SegmentationNet>;

Net unet(const NetConfig& c) {
    if (!c.encoder.empty()) return std::make_unique<EncoderUNet>(c.encoder, c.in_channels, c.out_channels);
    return std::make_unique<UNet>(UNetOptions{.in_channels = c.in_channels,
                                              .out_channels = c.out_channels,
                                              .base_channels = c.base_channels,
                                              .depth = int(c.depth),
                                              .bilinear = c.bilinear,
                                              .align_corners = c.align_corners,
                                              .full_width = c.full_width,
                                              .batch_norm = c.batch_norm,
                                              .kernel = int(c.kernel)});
}

template <TernausKind kind>
Net ternausnet(const NetConfig& c) {
    return std::make_unique<TernausNet>(kind, c.in_channels, c.out_channels);
}

BackboneOptions backbone(const NetConfig& c, BackboneOptions o) {
    o.in_channels = c.in_channels;
    o.out_channels = c.out_channels;
    if (!c.encoder.empty()) o.encoder = c.encoder;
    if (c.output_stride) o.output_stride = int(c.output_stride);
    o.auxiliary = o.auxiliary && c.auxiliary;
    o.dropout = c.dropout;
    return o;
}

Net deeplabv3_from(const NetConfig& c, DeepLabV3Options o) {
    o.backbone = backbone(c, o.backbone);
    if (!c.rates.empty()) o.rates = c.rates;
    o.pooled = c.pooled;
    o.gentle = c.gentle;
    return std::make_unique<DeepLabV3>(o);
}
Net deeplabv3(const NetConfig& c) { return deeplabv3_from(c, {}); }
Net comma10k(const NetConfig& c) { return deeplabv3_from(c, DeepLabV3Options::comma10k()); }

Net deeplabv3plus(const NetConfig& c) {
    DeepLabV3PlusOptions o;
    o.backbone = backbone(c, o.backbone);
    o.rates = c.rates;
    o.pooled = c.pooled;
    o.separable = c.separable;
    return std::make_unique<DeepLabV3Plus>(o);
}

Net fcn(const NetConfig& c) { return std::make_unique<Fcn>(backbone(c, {})); }

struct Model {
    const char* name;
    Net (*make)(const NetConfig&);
    bool takes_encoder = true, takes_output_stride = true;
};

const Model models[] = {{"unet", unet, true, false},
                        {"unet11", ternausnet<TernausKind::unet11>, false, false},
                        {"unet16", ternausnet<TernausKind::unet16>, false, false},
                        {"albunet34", ternausnet<TernausKind::albunet34>, false, false},
                        {"fcn", fcn},
                        {"deeplabv3", deeplabv3},
                        {"deeplabv3plus", deeplabv3plus},
                        {"deeplabv3-comma10k", comma10k}};

}  // namespace

std::vector<std::string> model_names() {
    std::vector<std::string> names;
    for (const Model& m : models) names.push_back(m.name);
    return names;
}

Net make_net(const NetConfig& c) {
    std::string known;
    for (const Model& m : models) {
        known += (known.empty() ? "" : ", ") + std::string(m.name);
        if (c.model != m.name) continue;
        if (!m.takes_encoder && !c.encoder.empty())
            throw UsageError(
                fmt::format("model {} has an encoder of its own and takes no other ({})", c.model, c.encoder));
        if (!m.takes_output_stride && c.output_stride)
            throw UsageError(fmt::format("model {} takes no output stride ({})", c.model, c.output_stride));
        return m.make(c);
    }
    throw UsageError("model '" + c.model + "' is unknown; expected one of " + known);
}

}  // namespace atrous
