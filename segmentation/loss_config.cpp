#include "segmentation/loss_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace atrous {

static const char* known =
    "bce, ce, focal, dice, tversky, focal-tversky, or one of the first three + one of the others";

static std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::stringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

struct Terms {
    std::string pixels, regions;  // empty: absent
};

static Terms terms_of(const std::string& name) {
    Terms t;
    bool right = !name.empty() && name.back() != '+';
    for (const std::string& part : split(name, '+')) {
        const bool pixels = part == "bce" || part == "ce" || part == "focal";
        const bool regions = part == "dice" || part == "tversky" || part == "focal-tversky";
        std::string& to = pixels ? t.pixels : t.regions;
        right = right && (pixels || regions) && to.empty();
        to = part;
    }
    if (!right) throw UsageError(fmt::format("`loss` {}: expected {}, as in ce+dice", name, known));
    return t;
}

std::string resolve_loss(const std::string& name, int64_t out_channels) {
    if (name == "auto") return out_channels == 1 ? "bce+dice" : "ce+dice";
    terms_of(name);
    return name;
}

static LossOptions sigmoid_loss(const Terms& t, int ignore_index) {
    BceDiceOptions o;
    o.ignore_index = ignore_index;
    o.bce_weight = t.pixels.empty() ? 0 : 1;
    o.dice_weight = t.regions.empty() ? 0 : 1;
    return {.terms = o};
}

LossOptions loss_options(const LossConfig& choice, int64_t out_channels, int ignore_index) {
    const Terms t = terms_of(resolve_loss(choice.name, out_channels));
    const bool by_channel = t.pixels == "bce" || (out_channels == 1 && t.pixels.empty() && t.regions == "dice");
    if (by_channel) {
        if (!choice.class_weights.empty())
            throw UsageError(fmt::format("`class-weights`: loss {} has none; use ce or focal", choice.name));
        if (!t.regions.empty() && t.regions != "dice")
            throw UsageError(fmt::format("`loss` {}: {} goes with ce or focal", choice.name, t.regions));
        return sigmoid_loss(t, ignore_index);
    }
    if (!choice.class_weights.empty() && t.pixels.empty())
        throw UsageError(fmt::format("`class-weights`: loss {} has none; use ce or focal", choice.name));
    const int64_t classes = std::max<int64_t>(out_channels, 2), given = int64_t(choice.class_weights.size());
    if (given != 0 && given != classes)
        throw UsageError(fmt::format("`class-weights`: {} numbers for {} classes", given, classes));
    SoftmaxLossOptions o;
    o.ignore_index = ignore_index;
    o.ce_weight = t.pixels.empty() ? 0 : 1;
    o.region_weight = t.regions.empty() ? 0 : 1;
    if (t.pixels == "focal") o.gamma = choice.focal_gamma;
    if (t.regions == "tversky" || t.regions == "focal-tversky")
        o.alpha = choice.tversky_alpha, o.beta = choice.tversky_beta;
    if (t.regions == "focal-tversky") o.exponent = choice.tversky_exponent;
    return {.terms = o, .class_weights = choice.class_weights};
}

static std::vector<double> numbers(const std::string& words) {
    std::vector<double> values;
    for (const std::string& word : split(words, ',')) {
        size_t used = 0;
        double value = -1;
        try {
            value = std::stod(word, &used);
        } catch (const std::exception&) {
        }
        if (used != word.size() || !(value >= 0) || std::isinf(value))
            throw UsageError(
                fmt::format("`class-weights`: '{}' is not none, enet, median or a number from 0 up", word));
        values.push_back(value);
    }
    return values;
}

static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<double> class_weights(const std::string& words, const std::vector<int64_t>& pixels,
                                  const std::vector<int64_t>& samples_with) {
    if (words.empty() || words == "none") return {};
    if (words != "enet" && words != "median") return numbers(words);
    double total = 0;
    for (int64_t count : pixels) total += double(count);
    std::vector<double> share(pixels.size()), occurring;
    for (size_t c = 0; c < pixels.size(); ++c) {
        if (pixels[c] == 0) continue;
        share[c] = words == "enet" ? double(pixels[c]) / total : double(pixels[c]) / double(samples_with[c]);
        occurring.push_back(share[c]);
    }
    std::vector<double> weights(pixels.size(), 1);
    for (size_t c = 0; c < pixels.size(); ++c)
        if (pixels[c] > 0) weights[c] = words == "enet" ? 1 / std::log(1.02 + share[c]) : median(occurring) / share[c];
    return weights;
}

void check(const LossConfig& config, int64_t classes) {
    resolve_loss(config.name, 1);
    const bool counted = config.weighting == "enet" || config.weighting == "median";
    const std::vector<double> listed = counted ? std::vector<double>{} : class_weights(config.weighting, {}, {});
    const auto check_for = [&](int64_t count) {
        LossConfig loss = config;
        loss.class_weights = counted ? std::vector<double>(size_t(count), 1.0) : listed;
        loss_options(loss, count == 2 ? 1 : count, 255);
    };
    if (classes == 0) classes = int64_t(listed.size());
    if (classes > 0) return check_for(std::max<int64_t>(classes, 2));
    try {
        check_for(2);
    } catch (const UsageError&) {
        check_for(3);
    }
}

void describe(Settings& s, LossConfig& c) {
    const auto has = [&c](auto... terms) {
        return [&c, terms...] {
            for (const std::string& term : split(c.name, '+'))
                if (((term == terms) || ...)) return true;
            return false;
        };
    };
    const auto fixed = [](auto& setting) -> auto& { return setting.when_resumed(Resume::fixed); };
    fixed(s.bind("loss", c.name,
                 "bce, ce, focal, dice, tversky, focal-tversky, or two joined as in ce+dice; auto: bce+dice for two "
                 "classes, ce+dice for more"));
    fixed(
        s.bind("class-weights", c.weighting, "class weights for ce and focal: none, enet, median, or a list 1,2.5,…"));
    fixed(s.bind("focal-gamma", c.focal_gamma, "exponent of focal, which turns it to the hard pixels"))
        .min(0)
        .only_with("`loss` focal", has("focal"));
    fixed(s.bind("tversky-alpha", c.tversky_alpha, "weight of false positives in tversky"))
        .min(0)
        .only_with("`loss` tversky or focal-tversky", has("tversky", "focal-tversky"));
    fixed(s.bind("tversky-beta", c.tversky_beta, "weight of false negatives in tversky"))
        .min(0)
        .only_with("`loss` tversky or focal-tversky", has("tversky", "focal-tversky"));
    fixed(s.bind("tversky-exponent", c.tversky_exponent, "exponent of focal-tversky: (1 - index) to this"))
        .above(0)
        .only_with("`loss` focal-tversky", has("focal-tversky"));
}

}  // namespace atrous
