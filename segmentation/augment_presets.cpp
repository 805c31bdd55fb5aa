#include "segmentation/augment_presets.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "segmentation/experiment.h"

namespace atrous {

namespace {

constexpr std::array<const char*, 3> preset_names{"light", "standard", "strong"};

// An augmentation's setting and its values in the presets; empty: it changes nothing. What only some data sets bear, such
// as vflip, turn and night, is in none.
struct PresetRow {
    const char* setting;
    std::array<const char*, preset_names.size()> values;
};
// clang-format off
constexpr PresetRow preset_rows[] = {
    //                     light       standard   strong
    {"scale",            {"0.8 1.25", "0.5 2",   "0.5 2"}},
    {"crop-class-share", {"",         "0.75",    "0.75"}},
    {"rotate",           {"",         "10",      "20"}},
    {"rotate-border",    {"",         "ignore",  "ignore"}},
    {"shift",            {"",         "",        "0.05"}},
    {"shear",            {"",         "",        "5"}},
    {"perspective",      {"",         "",        "0.05"}},
    {"elastic",          {"",         "",        "0.5"}},
    {"hflip",            {"0.5",      "0.5",     "0.5"}},
    {"brightness",       {"0.1",      "0.2",     "0.3"}},
    {"contrast",         {"0.1",      "0.2",     "0.3"}},
    {"saturation",       {"",         "0.2",     "0.4"}},
    {"hue",              {"",         "0.02",    "0.05"}},
    {"gamma",            {"",         "",        "0.25"}},
    {"blur",             {"",         "",        "0.2"}},
    {"noise",            {"",         "",        "0.2"}},
    {"jpeg",             {"",         "",        "0.2"}},
    {"coarse-dropout",   {"",         "",        "0.2"}},
};
// clang-format on

}  // namespace

Setting<std::string>& describe_augment_preset(Settings& s, std::string& preset) {
    return s
        .bind(augment_key, preset,
              "values for all augmentations by a word, before which those go that are given one by one; none: their "
              "defaults")
        .one_of({"none", "light", "standard", "strong"})
        .when_resumed(Resume::free);
}

data::Augmentations augmentations_of_preset(const std::string& preset) {
    const auto at = std::find(preset_names.begin(), preset_names.end(), preset);
    if (at == preset_names.end())
        throw UsageError(fmt::format("`augment` '{}': expected {}", preset,
                                     alternatives({preset_names.begin(), preset_names.end()})));
    data::Augmentations augmentations;
    for (const PresetRow& row : preset_rows)
        if (const std::string value = row.values[size_t(at - preset_names.begin())]; !value.empty())
            augmentations.set(row.setting, value);
    return augmentations;
}

void apply_augment_preset(Settings& settings) {
    const SettingBase& chosen = settings.at(augment_key);
    if (!chosen.given()) return;
    data::Augmentations values =
        chosen.shown() == "none" ? Experiment{}.augmentations : augmentations_of_preset(chosen.shown());
    Settings described;
    describe(described, values);
    for (const auto& value : described.all()) {
        SettingBase& setting = settings.at(value->key);
        if (setting.origin == Origin::flag || (chosen.origin != Origin::flag && setting.given())) continue;
        setting.assign(value->words());
        setting.origin = Origin::config;
    }
}

}  // namespace atrous
