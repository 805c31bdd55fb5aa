#include "apps/loss_choice.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

namespace atrous::app {

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
    if (!right) throw UsageError(fmt::format("--loss {}: expected {}, as in ce+dice", name, known));
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

LossOptions loss_options(const LossChoice& choice, int64_t out_channels, int ignore_index) {
    const Terms t = terms_of(resolve_loss(choice.name, out_channels));
    const bool by_channel = t.pixels == "bce" || (out_channels == 1 && t.pixels.empty() && t.regions == "dice");
    if (by_channel) {
        if (!choice.class_weights.empty())
            throw UsageError(fmt::format("--class-weights: loss {} has none; use ce or focal", choice.name));
        if (!t.regions.empty() && t.regions != "dice")
            throw UsageError(fmt::format("--loss {}: {} goes with ce or focal", choice.name, t.regions));
        return sigmoid_loss(t, ignore_index);
    }
    if (!choice.class_weights.empty() && t.pixels.empty())
        throw UsageError(fmt::format("--class-weights: loss {} has none; use ce or focal", choice.name));
    const int64_t classes = std::max<int64_t>(out_channels, 2), given = int64_t(choice.class_weights.size());
    if (given != 0 && given != classes)
        throw UsageError(fmt::format("--class-weights: {} numbers for {} classes", given, classes));
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
                fmt::format("--class-weights: '{}' is not none, enet, median or a number from 0 up", word));
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

void check_loss_words(const std::string& loss, const std::string& weights, int64_t classes) {
    resolve_loss(loss, 1);
    const bool counted = weights == "enet" || weights == "median";
    const std::vector<double> listed = counted ? std::vector<double>{} : class_weights(weights, {}, {});
    const auto check = [&](int64_t count) {
        LossChoice choice;
        choice.name = loss;
        choice.class_weights = counted ? std::vector<double>(size_t(count), 1.0) : listed;
        loss_options(choice, count == 2 ? 1 : count, 255);
    };
    if (classes == 0) classes = int64_t(listed.size());
    if (classes > 0) return check(std::max<int64_t>(classes, 2));
    try {
        check(2);
    } catch (const UsageError&) {
        check(3);
    }
}

void to_json(nlohmann::json& json, const LossChoice& c) {
    json = {{"name", c.name},
            {"focal_gamma", c.focal_gamma},
            {"tversky_alpha", c.tversky_alpha},
            {"tversky_beta", c.tversky_beta},
            {"tversky_exponent", c.tversky_exponent},
            {"class_weights", c.class_weights}};
}

}  // namespace atrous::app
