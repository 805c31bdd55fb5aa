#include "data/augmentation.h"

#include <fmt/core.h>

#include <sstream>

#include "base/error.h"

namespace atrous::data {

using Made = std::unique_ptr<Augmentation>;

namespace augment {

Made scale(), rotation(), horizontal_flip(), vertical_flip(), turn(), colour();  // each in its file of data/augment/

// In the order of application.
static constexpr Made (*known[])() = {scale, rotation, horizontal_flip, vertical_flip, turn, colour};

}  // namespace augment

static void add_to(std::vector<Made>& all, Made added) {
    std::string owner = added->stream == order_stream  ? "the order of the samples"
                        : added->stream == crop_stream ? "the crop"
                                                       : "";
    for (const Made& a : all)
        if (a->stream == added->stream) owner = "'" + a->name + "'";
    if (!owner.empty())
        throw Error(
            fmt::format("augmentation '{}': its random stream {} is that of {}; give it another, such as "
                        "name_hash(\"{}\")",
                        added->name, added->stream, owner, added->name));
    all.push_back(std::move(added));
}

// Those that the others are copies of.
static std::vector<Made>& catalogue() {
    static std::vector<Made> all = [] {
        std::vector<Made> made;
        for (const auto make : augment::known) add_to(made, make());
        return made;
    }();
    return all;
}

void add_augmentation(Made augmentation) { add_to(catalogue(), std::move(augmentation)); }

Augmentations::Augmentations(std::initializer_list<std::pair<std::string, std::string>> values) {
    for (const Made& a : catalogue()) all_.push_back(a->clone());
    for (const auto& [key, value] : values) set(key, value);
}

Augmentations::Augmentations(const Augmentations& other) {
    for (const Made& a : other.all_) all_.push_back(a->clone());
}

Augmentations& Augmentations::operator=(Augmentations other) noexcept {
    all_.swap(other.all_);
    return *this;
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

void describe(Settings& s, Augmentations& augmentations) {
    for (const Made& a : augmentations.all()) a->describe(s);
}

void check(const Augmentations& augmentations) {
    for (const Made& a : augmentations.all()) a->check();
}

}  // namespace atrous::data
