#include "segmentation/thresholds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "data/few.h"
#include "data/open_file.h"
#include "engine/train/precision_recall.h"

namespace atrous {

namespace {

using nlohmann::json;

std::string text_of(const std::vector<double>& values) { return fmt::format("{}", fmt::join(values, ",")); }
std::string text_of(const Thresholds& t) { return t.file.empty() ? text_of(t.values) : t.file; }

bool is_threshold(double value) { return value > 0 && value <= highest_threshold; }

[[noreturn]] void refuse(const std::string& path, const std::string& words) {
    throw DataError(fmt::format("`threshold` {}: {}", path, words));
}

json read_scores(const std::string& path) {
    const io::FileDescriptor file = data::open_file(path);
    std::string text(size_t(std::min<int64_t>(data::size_of_file(file, path), int64_t{1} << 26)), '\0');
    text.resize(data::read_part(file, text.data(), text.size(), 0, path));
    json scores = json::parse(text, nullptr, false);
    if (!scores.is_object() || !scores.contains("classes") || !scores["classes"].is_array())
        refuse(path, "not the scores of a net; expected what eval writes to `json`");
    return scores;
}

// None where no pixel of it was scored.
std::optional<double> best_of(const json& scores, const std::string& of_what, const std::string& path) {
    const auto found = scores.find("best_threshold");
    if (found == scores.end())
        refuse(path, fmt::format("no best threshold{}: these are the scores of another kind of net; expected those of "
                                 "this one, or numbers",
                                 of_what));
    if (found->is_null()) return {};
    if (!found->is_number() || !is_threshold(found->get<double>()))
        refuse(path, fmt::format("the best threshold{} is {}; expected a number above 0 and up to {}", of_what,
                                 found->is_number() ? found->dump() : std::string("a ") + found->type_name(),
                                 highest_threshold));
    return found->get<double>();
}

json name_of(const json& of_class) { return of_class.is_object() ? of_class.value("name", json()) : json(); }

// Classes are told by their names, whatever their order, and without names by their places, which eval then writes.
const json& class_of(const json& classes, size_t c, const ModelCard& card, const std::string& path) {
    if (c < card.class_names.size()) {
        const auto named = std::find_if(classes.begin(), classes.end(),
                                        [&](const json& k) { return name_of(k) == json(card.class_names[c]); });
        if (named == classes.end()) refuse(path, "no scores of class " + card.class_names[c]);
        return *named;
    }
    const json name = name_of(classes[c]);
    if (name.is_string() && name != json(std::to_string(c)))
        refuse(path, fmt::format("its classes have names, such as {}, and the net's have none; give the thresholds as "
                                 "numbers in the order of the net's classes",
                                 name.get<std::string>()));
    return classes[c];
}

std::vector<double> best_thresholds(const std::string& path, const ModelCard& card) {
    const json scores = read_scores(path);
    if (card.label_form() == LabelForm::ids) {
        if (const auto best = best_of(scores, "", path)) return {*best};
        refuse(path, "no best threshold, for no pixel of the foreground was scored; give a number");
    }
    const json& classes = scores["classes"];
    if (int64_t(classes.size()) != card.classes())
        refuse(path, fmt::format("scores of {} classes; the net has {}", classes.size(), card.classes()));
    std::vector<double> values;
    std::vector<std::string> absent;
    for (size_t c = 0; c < classes.size(); ++c) {
        const std::string name = c < card.class_names.size() ? card.class_names[c] : std::to_string(c);
        const auto best = best_of(class_of(classes, c, card, path), " of class " + name, path);
        if (!best) absent.push_back(name);
        values.push_back(best.value_or(0.5));
    }
    if (!absent.empty())
        refuse(path,
               fmt::format("no pixel of class {} was scored, so that there is no best threshold of it; give them all, "
                           "such as `threshold` {}, which has 0.5 in its place",
                           data::few_of(absent), text_of(values)));
    return values;
}

}  // namespace

ThresholdSetting::ThresholdSetting(std::string key, Thresholds& field, std::string help)
    : SettingBase(std::move(key), std::move(help)), value(field), default_(field) {}

std::string ThresholdSetting::rule() const {
    return fmt::format(
        "a number above 0 and up to {}, one for each class with commas between, or a file of scores (.json)",
        highest_threshold);
}
std::string ThresholdSetting::shown() const { return text_of(value); }
std::string ThresholdSetting::shown_default() const { return text_of(default_); }

std::vector<Word> ThresholdSetting::words() const {
    return {{shown(), value.file.empty() && value.values.size() == 1 ? Word::Kind::number : Word::Kind::text}};
}

// Numbers with commas between, behind which there may be spaces.
static bool read_numbers(const std::string& text, std::vector<double>& numbers) {
    for (const char *at = text.data(), *end = at + text.size();; ++at) {
        while (!numbers.empty() && at < end && *at == ' ') ++at;
        double number = 0;
        const auto [next, error] = std::from_chars(at, end, number);
        if (error != std::errc() || !is_threshold(number)) return false;
        numbers.push_back(number);
        if (next == end) return true;
        if (*next != ',') return false;
        at = next;
    }
}

bool ThresholdSetting::assign(const std::vector<Word>& words) {
    std::vector<double> read;
    for (const Word& word : words) {
        if (word.kind == Word::Kind::boolean || word.kind == Word::Kind::other) return false;
        if (words.size() == 1 && word.text.ends_with(".json")) return value = {{0.5}, word.text}, true;
        if (!read_numbers(word.text, read)) return false;
    }
    return !read.empty() && (value = {std::move(read), {}}, true);
}

void describe_thresholds(Settings& settings, Thresholds& thresholds) {
    settings.add(std::make_unique<ThresholdSetting>(
        "threshold", thresholds,
        "probability above which a pixel is foreground (nets of two classes), or of a class (`multi-label`: one for "
        "all classes, or one for each with commas between); a file that eval wrote to `json` gives the best ones that "
        "it "
        "found"));
}

ClassThresholds logit_thresholds(const Settings& settings, Thresholds& t, const ModelCard& card) {
    if (settings.at("threshold").given() && card.net.out_channels > 1 && card.label_form() == LabelForm::ids)
        throw UsageError(fmt::format(
            "`threshold`: the net has {} classes, of which the likeliest is taken; leave it out", card.classes()));
    if (!t.file.empty()) t.values = best_thresholds(t.file, card);
    const size_t takes = card.label_form() == LabelForm::bits ? size_t(card.classes()) : 1;
    if (t.values.size() != 1 && t.values.size() != takes)
        throw UsageError(fmt::format("`threshold` {}: {} of them; expected one{}", text_of(t), t.values.size(),
                                     takes > 1 ? fmt::format(", or one for each of the net's {} classes", takes) : ""));
    ClassThresholds logits;
    for (size_t c = 0; c < size_t(max_bit_classes); ++c) {
        const double p = t.values[std::min(c, t.values.size() - 1)];
        logits.of[c] = std::log(p / (1 - p));
    }
    return logits;
}

}  // namespace atrous
