#include "segmentation/thresholds.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/open_file.h"
#include "engine/train/precision_recall.h"
#include "segmentation/postprocess.h"

namespace atrous {

namespace {

using nlohmann::json;

std::string text_of(const Thresholds& t) {
    if (!t.file.empty()) return t.file;
    std::string text;
    for (const double value : t.values) text += (text.empty() ? "" : ",") + fmt::format("{}", value);
    return text;
}

bool is_threshold(double value) { return value > 0 && value <= highest_threshold; }

json read_scores(const std::string& path) {
    const io::FileDescriptor file = data::open_file(path);
    std::string text(size_t(std::min<int64_t>(data::size_of_file(file, path), int64_t{1} << 26)), '\0');
    text.resize(data::read_part(file, text.data(), text.size(), 0, path));
    json scores = json::parse(text, nullptr, false);
    if (!scores.is_object() || !scores.contains("classes") || !scores["classes"].is_array())
        throw DataError(
            fmt::format("`threshold` {}: not the scores of a net; expected what eval writes to `json`", path));
    return scores;
}

double best_of(const json& scores, const std::string& of_what, const std::string& path) {
    const auto found = scores.find("best_threshold");
    if (found == scores.end() || !found->is_number() || !is_threshold(found->get<double>()))
        throw DataError(fmt::format(
            "`threshold` {}: no best threshold{}, which none of the pixels that were scored may be; give thresholds as "
            "numbers",
            path, of_what));
    return found->get<double>();
}

// Classes are told by their names, whatever their order.
std::vector<double> best_thresholds(const std::string& path, const ModelCard& card) {
    const json scores = read_scores(path);
    if (card.label_form() == LabelForm::ids) return {best_of(scores, "", path)};
    const json& classes = scores["classes"];
    if (int64_t(classes.size()) != card.classes())
        throw DataError(
            fmt::format("`threshold` {}: scores of {} classes; the net has {}", path, classes.size(), card.classes()));
    std::vector<double> values;
    for (size_t c = 0; c < classes.size(); ++c) {
        const std::string name = c < card.class_names.size() ? card.class_names[c] : std::to_string(c);
        const auto named = std::find_if(classes.begin(), classes.end(), [&](const json& k) {
            return k.is_object() && k.value("name", json()) == json(name);
        });
        if (named == classes.end() && c < card.class_names.size())
            throw DataError(fmt::format("`threshold` {}: no scores of class {}", path, name));
        values.push_back(best_of(named == classes.end() ? classes[c] : *named, " of class " + name, path));
    }
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

bool ThresholdSetting::assign(const std::vector<Word>& words) {
    if (words.size() != 1 || words[0].kind == Word::Kind::boolean || words[0].kind == Word::Kind::other) return false;
    const std::string& text = words[0].text;
    if (text.ends_with(".json")) return value = {{0.5}, text}, true;
    std::vector<double> read;
    for (const char *at = text.data(), *end = at + text.size();; ++at) {
        double number = 0;
        const auto [next, error] = std::from_chars(at, end, number);
        if (error != std::errc() || !is_threshold(number)) return false;
        read.push_back(number);
        if (next == end) break;
        if (*next != ',') return false;
        at = next;
    }
    return value = {std::move(read), {}}, true;
}

void describe_thresholds(Settings& settings, Thresholds& thresholds) {
    settings.add(std::make_unique<ThresholdSetting>(
        "threshold", thresholds,
        "probability above which a pixel is foreground (nets of two classes), or of a class (`multi-label`: of all, or "
        "one "
        "for each with commas between); a file that eval wrote to `json`: the best ones that it found"));
}

ClassThresholds logit_thresholds(const Settings& settings, Thresholds& t, const ModelCard& card) {
    refuse_threshold(settings, card);
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
