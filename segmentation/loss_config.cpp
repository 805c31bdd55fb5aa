#include "segmentation/loss_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "engine/train/losses/bce.h"
#include "engine/train/losses/region_word.h"
#include "models/net_config.h"

namespace atrous {

static std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::stringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

using Kind = LossWord::Kind;

// The names of those that are so.
template <class Is>
static std::vector<std::string> words_that(const Is& is) {
    std::vector<std::string> names;
    for (const auto& word : LossWord::catalogue().all())
        if (is(*word)) names.push_back(word->name());
    return names;
}
static std::vector<std::string> words_of(Kind kind) {
    return words_that([kind](const LossWord& w) { return w.kind() == kind; });
}

static std::string listed(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

static std::string known() {
    std::string text = fmt::format("{}, or one of {} + one of {}", listed(LossWord::catalogue().names()),
                                   enumeration(words_of(Kind::pixels)), enumeration(words_of(Kind::regions)));
    const std::vector<std::string> own = words_of(Kind::own);
    return own.empty() ? text : text + ", each also with + " + alternatives(own);
}

// The words of a loss, each known and none of a kind twice.
static std::vector<WeightedWord> checked_words(const std::string& text) {
    std::vector<WeightedWord> words = parse_loss(text);
    std::vector<std::string> seen;
    int pixels = 0, regions = 0;
    for (const WeightedWord& w : words) {
        const LossWord* word = LossWord::catalogue().find(w.word);
        const bool twice = std::count(seen.begin(), seen.end(), w.word) > 0;
        pixels += word && word->kind() == Kind::pixels;
        regions += word && word->kind() == Kind::regions;
        if (!word) throw UsageError(fmt::format("`loss` {}: '{}' is unknown; expected {}", text, w.word, known()));
        if (twice || pixels > 1 || regions > 1)
            throw UsageError(fmt::format("`loss` {}: expected {}, as in ce+dice", text, known()));
        seen.push_back(w.word);
    }
    return words;
}

static bool takes_bits(const LossWord& word) {
    BceDiceOptions o;
    return word.set_bits(o, {});
}

static bool takes_softmax(const LossWord& word, int64_t channels) {
    SoftmaxLossOptions o;
    return word.set_softmax(o, {}, channels);
}

// Sets the options that the text gives the word, and writes them as settings show them.
static void set_options(LossWord& word, WeightedWord& w, const std::string& text) {
    Settings options;
    word.describe_options(options);
    std::vector<std::string> names;
    for (const auto& option : options.all()) names.push_back(option->key);
    for (auto& [name, value] : w.options) {
        SettingBase* option = options.find(name);
        if (!option)
            throw UsageError(fmt::format("`loss` {}: {} has no option {}; expected {}", text, w.word, name,
                                         names.empty() ? "none" : alternatives(names)));
        if (!option->assign({{value}}))
            throw UsageError(
                fmt::format("`loss` {}: {} of {} is {}; expected {}", text, name, w.word, value, option->rule()));
        value = option->shown();
    }
}

std::string resolve_loss(const std::string& text, int64_t out_channels, LabelForm labels) {
    if (text == "auto") return out_channels == 1 || labels == LabelForm::bits ? "bce+dice" : "ce+dice";
    std::vector<WeightedWord> words = checked_words(text);
    for (WeightedWord& w : words) set_options(*LossWord::catalogue().at(w.word).copy(), w, text);
    return text_of(words);
}

static void check_class_weights(const LossConfig& c, const std::vector<WeightedWord>& words, int64_t out_channels) {
    if (c.class_weights.empty()) return;
    const bool bits = c.labels == LabelForm::bits;
    const auto takes = [bits](const LossWord& w) {
        return w.weighs_classes() || (bits && w.kind() == Kind::pixels && takes_bits(w));
    };
    if (std::none_of(words.begin(), words.end(), [&](const WeightedWord& w) { return takes(c.words.of(w.word)); }))
        throw UsageError(
            fmt::format("`class-weights`: loss {} has none; use {}", c.name, alternatives(words_that(takes))));
    const int64_t classes = bits ? out_channels : classes_of(out_channels), given = int64_t(c.class_weights.size());
    if (given != classes) throw UsageError(fmt::format("`class-weights`: {} numbers for {} classes", given, classes));
}

// Of labels in bits.
static decltype(LossParts::one_pass) bits_pass(const LossConfig& c, const std::vector<LossParts::Own>& words,
                                               const std::vector<LossParts::Own>& own, int64_t out_channels,
                                               int ignore_index) {
    BceDiceOptions o{.bce_weight = 0, .dice_weight = 0, .ignore_index = ignore_index, .labels = LabelForm::bits};
    if (out_channels > max_bit_classes)
        throw UsageError(fmt::format("`multi-label`: {} classes; expected at most {}, a bit of a label each",
                                     out_channels, max_bit_classes));
    const auto refuse = [&](const LossWord& word) {
        const auto* region = dynamic_cast<const RegionWord*>(&word);
        if (region && !region->background)
            throw UsageError(
                fmt::format("`loss` {}: background of {}; with `multi-label` no class is the background; "
                            "leave it out",
                            c.name, word.name()));
        throw UsageError(
            fmt::format("`loss` {}: {} is not defined for classes that overlap (`multi-label`); expected {}", c.name,
                        word.name(), alternatives(words_that(takes_bits))));
    };
    for (const auto& [word, weight] : words) {
        if (!word->set_bits(o, c.words)) refuse(*word);
        (word->kind() == Kind::pixels ? o.bce_weight : o.dice_weight) *= weight;
    }
    if (!own.empty()) refuse(*own[0].word);
    std::copy(c.class_weights.begin(), c.class_weights.end(), o.weights);
    return o;
}

// Of sigmoids where every word can be and the softmax is not asked for; one channel is a sigmoid where both can be.
static decltype(LossParts::one_pass) one_pass(const LossConfig& c, const std::vector<LossParts::Own>& words,
                                              int64_t out_channels, int ignore_index) {
    if (words.empty()) return std::monostate{};
    BceDiceOptions sigmoid{.bce_weight = 0, .dice_weight = 0, .ignore_index = ignore_index};
    SoftmaxLossOptions softmax{.ce_weight = 0, .region_weight = 0, .ignore_index = ignore_index};
    bool by_channel = true, by_class = true;
    for (const auto& [word, weight] : words) {
        by_channel = word->set_sigmoid(sigmoid) && by_channel;
        by_class = word->set_softmax(softmax, c.words, out_channels) && by_class;
        const bool pixels = word->kind() == Kind::pixels;
        (pixels ? sigmoid.bce_weight : sigmoid.dice_weight) *= weight;
        (pixels ? softmax.ce_weight : softmax.region_weight) *= weight;
    }
    if (by_channel && (!by_class || out_channels == 1)) return sigmoid;
    if (by_class) return softmax;
    for (const auto& own : words)
        if (const auto* region = dynamic_cast<const RegionWord*>(own.word.get()); region && !region->background)
            throw UsageError(fmt::format("`loss` {}: background of {} goes with the words of a softmax, {}", c.name,
                                         region->name(), "ce and focal"));
    for (const auto& own : words)
        if (const auto* bce = dynamic_cast<const Bce*>(own.word.get());
            bce && out_channels == 1 && bce->pos_weight != 1)
            throw UsageError(
                fmt::format("`loss` {}: pos-weight of bce goes with no region loss but dice; leave it out, "
                            "or use ce and `class-weights`",
                            c.name));
    const auto takes = [&](const LossWord& w) { return takes_softmax(w, out_channels); };
    const auto at = std::find_if(words.begin(), words.end(), [&](const auto& w) { return takes(*w.word); });
    throw UsageError(
        fmt::format("`loss` {}: {} goes with {}", c.name, at == words.end() ? "no word" : at->word->name(),
                    alternatives(words_that([&](const LossWord& w) { return w.kind() == Kind::pixels && takes(w); }))));
}

static void check_own_words(const LossConfig& c, const LossParts& parts, int64_t out_channels) {
    for (const auto& own : parts.own)
        if (const std::string misfit = own.word->misfit(out_channels); !misfit.empty())
            throw UsageError(fmt::format("`loss` {}: {}", c.name, misfit));
    if (out_channels == 1 || !std::holds_alternative<BceDiceOptions>(parts.one_pass)) return;
    for (const auto& own : parts.own)
        if (own.word->classes_exclude_each_other())
            throw UsageError(
                fmt::format("`loss` {}: {} of {} logits is of their softmax, bce of their sigmoids; "
                            "expected {} with ce or focal",
                            c.name, own.word->name(), out_channels, own.word->name()));
}

LossParts loss_parts(const LossConfig& c, int64_t out_channels, int ignore_index) {
    std::vector<WeightedWord> words = checked_words(resolve_loss(c.name, out_channels, c.labels));
    check_class_weights(c, words, out_channels);
    LossParts parts;
    std::vector<LossParts::Own> together;
    for (WeightedWord& w : words) {
        const std::shared_ptr<LossWord> word = c.words.of(w.word).copy();
        set_options(*word, w, c.name);
        (word->kind() == Kind::own ? parts.own : together).push_back({word, w.weight});
    }
    if (c.labels == LabelForm::bits) {
        parts.one_pass = bits_pass(c, together, parts.own, out_channels, ignore_index);
        return parts;
    }
    parts.one_pass = one_pass(c, together, out_channels, ignore_index);
    check_own_words(c, parts, out_channels);
    return parts;
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
    if (counted && config.labels == LabelForm::bits)
        throw UsageError(fmt::format(
            "`class-weights` {}: it goes by the shares of classes that exclude each other; with `multi-label` give a "
            "number for each class, or pos-weight of bce",
            config.weighting));
    const std::vector<double> listed = counted ? std::vector<double>{} : class_weights(config.weighting, {}, {});
    const auto check_for = [&](int64_t count) {
        LossConfig loss = config;
        loss.class_weights = counted ? std::vector<double>(size_t(count), 1.0) : listed;
        loss_parts(loss, logits_of(count, config.labels), 255);
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
    s.bind("loss", c.name,
           listed(LossWord::catalogue().names()) +
               ", or several joined as in ce+dice+lovasz, with weights and options as in 0.5*ce+0.5*dice(smooth=0); "
               "auto: bce+dice for two classes and with `multi-label`, ce+dice for more")
        .when_resumed(Resume::fixed);
    s.bind("class-weights", c.weighting,
           "class weights for " + enumeration(words_that([](const LossWord& w) { return w.weighs_classes(); })) +
               ", with `multi-label` for " +
               enumeration(words_that([](const LossWord& w) { return w.kind() == Kind::pixels && takes_bits(w); })) +
               ": none, enet, median (neither with `multi-label`), or a list "
               "1,2.5,…")
        .when_resumed(Resume::fixed);
    for (const auto& word : LossWord::catalogue().all()) c.words.of(word->name()).describe(s, c.name);
}

}  // namespace atrous
