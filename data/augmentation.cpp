#include "data/augmentation.h"

#include <fmt/core.h>

#include <sstream>

#include "base/error.h"
#include "data/augment/blur.h"
#include "data/augment/coarse_dropout.h"
#include "data/augment/colour.h"
#include "data/augment/copy_paste.h"
#include "data/augment/flip.h"
#include "data/augment/gamma.h"
#include "data/augment/jpeg.h"
#include "data/augment/mosaic.h"
#include "data/augment/night.h"
#include "data/augment/noise.h"
#include "data/augment/projective.h"
#include "data/augment/scale.h"
#include "data/augment/tint.h"
#include "data/augment/turn.h"

namespace atrous::data {

// In the order of application.
Catalogue<Augmentation>& Augmentation::catalogue() {
    using namespace augment;
    // clang-format off
    static Catalogue<Augmentation> augmentations("augmentation",
        Scale(),
        Projective(),
        Mosaic(),
        CopyPaste(),
        Flip("hflip", 3, "probability of a horizontal flip", flip_horizontal, &SamplePlan::flip_horizontal),
        Flip("vflip", 4, "probability of a vertical flip", flip_vertical, &SamplePlan::flip_vertical),
        Turn(),
        Colour(),
        Tint(),
        Gamma(),
        Night(),
        Blur(),
        Noise(),
        Jpeg(),
        CoarseDropout());
    // clang-format on
    return augmentations;
}

void check_stream(const Augmentation& added) {
    std::string owner = added.stream == order_stream  ? "the order of the samples"
                        : added.stream == crop_stream ? "the crop"
                                                      : "";
    for (const auto& a : Augmentation::catalogue().all())
        if (a->stream == added.stream) owner = "'" + a->name() + "'";
    if (!owner.empty())
        throw Error(
            fmt::format("augmentation '{}': its random stream {} is that of {}; give it another, such as "
                        "name_hash(\"{}\")",
                        added.name(), added.stream, owner, added.name()));
}

Augmentations::Augmentations(std::initializer_list<std::pair<std::string, std::string>> values) {
    for (const auto& [key, value] : values) set(key, value);
}

void Augmentations::set(const std::string& key, const std::string& value) {
    Settings settings;
    describe(settings, *this);
    SettingBase& setting = settings.at(key);
    std::vector<Word> words;
    std::istringstream text(value);
    for (std::string word; text >> word;) words.push_back({word});
    if (!setting.assign(words)) throw UsageError(fmt::format("`{}` {}: expected {}", key, value, setting.rule()));
}

std::vector<const Augmentation*> Augmentations::all() const {
    std::vector<const Augmentation*> all;
    for (const auto& a : Augmentation::catalogue().all()) all.push_back(&each_.of(a->name()));
    return all;
}

void describe(Settings& s, Augmentations& augmentations) {
    for (const auto& a : Augmentation::catalogue().all()) augmentations.each_.of(a->name()).describe(s);
    s.bind("crop-class-share", augmentations.crop_class_share,
           "largest share of one class in the counted pixels of a random crop, which is drawn again up to 10 times; "
           "mmsegmentation: 0.75")
        .above(0)
        .max(1);
}

void check(const Augmentations& augmentations) {
    for (const Augmentation* a : augmentations.all()) a->check();
}

void check_classes(const Augmentations& augmentations, int64_t classes) {
    for (const Augmentation* a : augmentations.all())
        if (a->active()) a->check_classes(classes);
}

std::string without_plan(const Augmentations& augmentations) {
    for (const Augmentation* a : augmentations.all())
        if (a->active() && !a->has_plan()) return a->host_setting();
    return augmentations.crop_class_share < 1 ? "crop-class-share" : "";
}

}  // namespace atrous::data
