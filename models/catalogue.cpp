#include "models/catalogue.h"

#include <fmt/core.h>

#include <algorithm>

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
    o.auxiliary = o.auxiliary && c.aux_weight > 0;
    o.dropout = c.dropout;
    return o;
}

Net deeplabv3_from(const NetConfig& c, DeepLabV3Options o) {
    o.backbone = backbone(c, o.backbone);
    if (!c.rates.empty()) o.rates = c.rates;
    o.pooled = c.pooled;
    o.progressive_decoder = c.progressive_decoder;
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
    std::vector<std::string> settings;  // that it takes, beside `model`
};

const std::vector<std::string> of_unet{"encoder",  "base-channels", "depth",      "kernel",
                                       "bilinear", "align-corners", "full-width", "batch-norm"};
const std::vector<std::string> of_fcn{"encoder", "output-stride", "aux-weight"};

const std::vector<Model>& models() {
    static const std::vector<Model> all{
        {"unet", unet, of_unet},
        {"unet11", ternausnet<TernausKind::unet11>, {}},
        {"unet16", ternausnet<TernausKind::unet16>, {}},
        {"albunet34", ternausnet<TernausKind::albunet34>, {}},
        {"fcn", fcn, of_fcn},
        {"deeplabv3",
         deeplabv3,
         {"encoder", "output-stride", "aux-weight", "rates", "aspp-pooling", "progressive-decoder"}},
        {"deeplabv3plus", deeplabv3plus, {"encoder", "output-stride", "rates", "aspp-pooling", "separable"}},
        {"deeplabv3-comma10k", comma10k, {"encoder", "output-stride", "rates", "aspp-pooling", "progressive-decoder"}}};
    return all;
}

bool takes(const Model& model, const std::string& setting) {
    return std::find(model.settings.begin(), model.settings.end(), setting) != model.settings.end();
}

const Model& model_named(const std::string& name) {
    std::string known;
    for (const Model& m : models()) {
        if (name == m.name) return m;
        known += (known.empty() ? "" : ", ") + std::string(m.name);
    }
    throw UsageError("model '" + name + "' is unknown; expected one of " + known);
}

}  // namespace

void check_applicable(const Settings& settings, const NetConfig& c) {
    if (int64_t(c.rates.size()) > net_ranges::max_rates)
        throw UsageError(
            fmt::format("`rates`: {} dilations; expected at most {}", c.rates.size(), net_ranges::max_rates));
    const Model& model = model_named(c.model);
    const bool plain = c.model != "unet" || c.encoder.empty();
    for (const auto& s : settings.all()) {
        std::string takers;
        for (const Model& m : models())
            if (takes(m, s->key)) takers += (takers.empty() ? "" : ", ") + std::string(m.name);
        if (s->origin != Origin::flag || takers.empty() || s->key == "encoder" || s->key == "output-stride") continue;
        if (takes(model, s->key) && plain) continue;
        throw UsageError(fmt::format("`{}` means nothing to model {}{}; it is an option of {}{}", s->key, c.model,
                                     plain ? "" : " with `encoder`", takers,
                                     takers == "unet" ? " without `encoder`" : ""));
    }
    for (const char* key : {"align-corners", "full-width"})
        if (const SettingBase* s = settings.find(key); s && s->origin == Origin::flag && !c.bilinear)
            throw UsageError(fmt::format("`{}` means nothing without `bilinear`", key));
}

std::vector<std::string> model_names() {
    std::vector<std::string> names;
    for (const Model& m : models()) names.push_back(m.name);
    return names;
}

Net make_net(const NetConfig& c) {
    const Model& model = model_named(c.model);
    if (!c.encoder.empty() && !takes(model, "encoder"))
        throw UsageError(fmt::format("model {} has an encoder of its own and takes no other ({})", c.model, c.encoder));
    if (c.output_stride && !takes(model, "output-stride"))
        throw UsageError(fmt::format("model {} takes no output stride ({})", c.model, c.output_stride));
    return model.make(c);
}

}  // namespace atrous
