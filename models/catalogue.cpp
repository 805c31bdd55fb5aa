// The models there are: `model`'s words, in this order.
#include "models/catalogue.h"

#include <fmt/core.h>

#include <algorithm>

#include "models/deeplabv3.h"
#include "models/deeplabv3plus.h"
#include "models/fcn.h"
#include "models/ternausnet.h"
#include "models/unet.h"

namespace atrous {

Catalogue<Model>& Model::catalogue() {
    // clang-format off
    static Catalogue<Model> models("model",
        UNetModel(),
        TernausNetModel(TernausKind::unet11),
        TernausNetModel(TernausKind::unet16),
        TernausNetModel(TernausKind::albunet34),
        FcnModel(),
        DeepLabV3Model(),
        DeepLabV3PlusModel(),
        Comma10kModel());
    // clang-format on
    return models;
}

static bool shares(const Model& model, const std::string& key) {
    const std::vector<std::string> keys = model.takes();
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

static bool owns(const Model& model, const std::string& key) {
    const std::unique_ptr<Model> copy = model.copy();
    Settings own;
    copy->describe(own);
    return own.find(key);
}

[[noreturn]] static void refuse(const std::string& key, const NetConfig& c, bool own_count,
                                const std::vector<const Model*>& takers) {
    std::string names;
    for (const Model* model : takers) names += (names.empty() ? "" : ", ") + model->name();
    const bool without_encoder = takers.size() == 1 && !takers[0]->own_settings_with_encoder();
    throw UsageError(fmt::format("`{}` means nothing to model {}{}; it is an option of {}{}", key, c.model,
                                 own_count ? "" : " with `encoder`", names,
                                 without_encoder ? " without `encoder`" : ""));
}

void check_applicable(const Settings& settings, const NetConfig& c) {
    if (int64_t(c.rates.size()) > net_ranges::max_rates)
        throw UsageError(
            fmt::format("`rates`: {} dilations; expected at most {}", c.rates.size(), net_ranges::max_rates));
    const Model& chosen = c.models.of(c.model);
    const bool own_count = c.encoder.empty() || chosen.own_settings_with_encoder();
    for (const auto& s : settings.all()) {
        const std::string& key = s->key;
        if (s->origin != Origin::flag || key == "encoder" || key == "output-stride") continue;  // make_net refuses them
        std::vector<const Model*> takers;
        for (const auto& model : Model::catalogue().all())
            if (shares(*model, key) || owns(*model, key)) takers.push_back(model.get());
        const bool taken = shares(chosen, key) || (own_count && owns(chosen, key));
        if (!takers.empty() && !taken) refuse(key, c, own_count, takers);
    }
    chosen.check(settings);
}

std::unique_ptr<SegmentationNet> make_net(const NetConfig& c) {
    const Model& model = c.models.of(c.model);
    if (!c.encoder.empty() && !shares(model, "encoder"))
        throw UsageError(fmt::format("model {} has an encoder of its own and takes no other ({})", c.model, c.encoder));
    if (c.output_stride && !shares(model, "output-stride"))
        throw UsageError(fmt::format("model {} takes no output stride ({})", c.model, c.output_stride));
    return model.make(c);
}

}  // namespace atrous
