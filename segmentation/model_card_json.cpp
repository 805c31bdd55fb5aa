// A model card as JSON, and back with every field looked at: what follows from one may trust it.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "data/mask.h"
#include "segmentation/model_card.h"
#include "segmentation/precision.h"
#include "segmentation/settings_json.h"

namespace atrous {
namespace {

using net_ranges::Range;
using nlohmann::json;

constexpr int version = 1;
constexpr Range any_count{0, std::numeric_limits<int64_t>::max()}, side{1, data::max_pixels};

// What a description of settings calls a setting in a card.
using Name = std::function<std::string(const SettingBase&)>;

std::string loss_name(const SettingBase& s) { return s.key == "loss" ? "name" : json_key(s); }
// The card has class weights as numbers, and of the auxiliary head only whether there is one.
bool is_in_card(const SettingBase& s) { return s.key != "class-weights" && s.key != "aux-weight"; }

template <class T>
json settings_of(T config, const Name& name) {  // by value: settings are bound to fields that may change
    Settings settings;
    describe(settings, config);
    json object;
    for (const auto& s : settings.all())
        if (is_in_card(*s)) object[name(*s)] = json_of(*s);
    return object;
}

std::string text_of(const Range& r) {
    return r.high == any_count.high ? fmt::format("an integer of at least {}", r.low)
                                    : fmt::format("an integer from {} to {}", r.low, r.high);
}

// One object's fields. JSON's numbers would otherwise be cut to whatever type is asked for.
class Fields {
 public:
    Fields(const json& object, std::string within, const std::string& path)
        : object_(object), within_(std::move(within)), path_(path) {
        if (!object.is_object()) throw bad(within_.empty() ? "it" : within_, object, "an object");
    }

    std::string named(const char* name) const { return within_.empty() ? name : within_ + "." + name; }
    bool has(const char* name) const { return object_.contains(name); }
    const json& at(const char* name) const {
        if (!has(name)) throw FormatError(path_ + ": its model card cannot be read: " + named(name) + " is missing");
        return object_.at(name);
    }

    void get(const char* name, int64_t& to, const Range& range) const { to = integer(name, at(name), range); }
    void get(const char* name, bool& to) const {
        if (!at(name).is_boolean()) throw bad(named(name), at(name), "true or false");
        to = at(name).get<bool>();
    }
    void get(const char* name, std::string& to) const { to = text(name, at(name)); }
    void get(const char* name, std::vector<std::string>& to, size_t most) const {
        to.clear();
        for (const json& value : list(name, most)) to.push_back(text(name, value));
    }
    void get(const char* name, double& to, double low, bool low_is_allowed, double high = HUGE_VAL) const {
        to = number(name, at(name), low, low_is_allowed, high);
    }
    void get(const char* name, std::array<float, 3>& to, double low) const {
        const json& values = list(name, 3);
        if (values.size() != 3) throw bad(named(name), values, "three numbers");
        for (size_t i = 0; i < 3; ++i)
            to[i] = float(number(name, values[i], low, false, std::numeric_limits<float>::max()));
    }
    const json& list(const char* name, size_t most) const {
        const json& value = at(name);
        if (!value.is_array() || value.size() > most)
            throw bad(named(name), value, fmt::format("a list of at most {}", most));
        return value;
    }
    int64_t integer(const char* name, const json& value, const Range& range) const {
        const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= uint64_t(range.high)
                                                     : value.is_number_integer() && value.get<int64_t>() <= range.high;
        if (!fits || value.get<int64_t>() < range.low) throw bad(named(name), value, text_of(range));
        return value.get<int64_t>();
    }
    double number(const char* name, const json& value, double low, bool low_is_allowed, double high) const {
        const double x = value.is_number() ? value.get<double>() : NAN;
        const bool fits = std::isfinite(x) && (low_is_allowed ? x >= low : x > low) && x <= high;
        if (!fits)
            throw bad(named(name), value,
                      std::isinf(low) ? "a number"
                                      : fmt::format("a number {} {}{}", low_is_allowed ? "of at least" : "above", low,
                                                    std::isinf(high) ? "" : fmt::format(" and up to {}", high)));
        return x;
    }
    void one_of(const char* name, const std::vector<std::string>& words) const {
        std::string known;
        for (const std::string& word : words) known += (known.empty() ? "" : ", ") + word;
        if (std::find(words.begin(), words.end(), text(name, at(name))) == words.end())
            throw bad(named(name), at(name), "one of " + known);
    }
    FormatError bad(const std::string& name, const json& value, const std::string& expected) const {
        const std::string found = value.is_structured() && value.size() > 16
                                      ? fmt::format("{} of {}", value.is_array() ? "a list" : "an object", value.size())
                                      : io::in_quotes(value.dump(-1, ' ', false, json::error_handler_t::replace));
        return FormatError(
            fmt::format("{}: its model card cannot be read: {} is {}; expected {}", path_, name, found, expected));
    }

 private:
    std::string text(const char* name, const json& value) const {
        if (!value.is_string()) throw bad(named(name), value, "text");
        return value.get<std::string>();
    }

    const json& object_;
    std::string within_;
    const std::string& path_;
};

// Fields that are absent keep their defaults: the file is from before they existed.
template <class T>
void read_settings(const Fields& f, T& config, const Name& name) {
    Settings settings;
    describe(settings, config);
    for (const auto& s : settings.all()) {
        const std::string field = name(*s);
        if (!is_in_card(*s) || !f.has(field.c_str())) continue;
        if (!assign_json(*s, f.at(field.c_str()))) throw f.bad(f.named(field.c_str()), f.at(field.c_str()), s->rule());
    }
}

void read_net(const Fields& f, NetConfig& net) {
    f.at("model");
    f.get("in_channels", net.in_channels, net_ranges::in_channels);
    f.get("out_channels", net.out_channels, net_ranges::out_channels);
    read_settings(f, net, json_key);
    if (net.rates.size() > size_t(net_ranges::max_rates))
        throw f.bad("rates", f.at("rates"), fmt::format("a list of at most {}", net_ranges::max_rates));
    bool auxiliary = true;
    if (f.has("auxiliary")) f.get("auxiliary", auxiliary);
    if (!auxiliary) net.aux_weight = 0;
}

LossConfig read_loss(const Fields& card, const std::string& path, int64_t classes) {
    LossConfig loss;
    if (card.at("loss").is_string()) {  // checkpoints before there were class losses
        card.get("loss", loss.name);
        return loss;
    }
    const Fields f(card.at("loss"), "loss", path);
    for (const char* name : {"name", "focal_gamma", "tversky_alpha", "tversky_beta", "tversky_exponent"}) f.at(name);
    read_settings(f, loss, loss_name);
    for (const json& weight : f.list("class_weights", size_t(classes)))
        loss.class_weights.push_back(f.number("class_weights", weight, 0, true, HUGE_VAL));
    return loss;
}

data::ValueRange read_range(const Fields& f) {
    const json& bounds = f.list("value_range", 2);
    constexpr double most = data::most_in_range;
    std::vector<float> values;
    for (const json& bound : bounds) values.push_back(float(f.number("value_range", bound, -HUGE_VAL, true, most)));
    if (values.size() != 2 || !(values[0] < values[1]) || values[0] < -most)
        throw f.bad("value_range", bounds, "two numbers, the smaller one first");
    return {values[0], values[1]};
}

data::ResizeMode read_resize(const Fields& f) {
    std::vector<std::string> words;
    for (const auto& [word, mode] : data::resize_modes()) words.push_back(word);
    f.one_of("resize", words);
    for (const auto& [word, mode] : data::resize_modes())
        if (word == f.at("resize")) return mode;
    return data::ResizeMode::stretch;
}

// Hashes in ascending order, which are searched by halves.
std::vector<uint64_t> read_hashes(const Fields& f, const char* name) {
    std::vector<uint64_t> hashes;
    for (const json& hash : f.list(name, sketch_size)) hashes.push_back(uint64_t(f.integer(name, hash, any_count)));
    if (!std::is_sorted(hashes.begin(), hashes.end()))
        throw f.bad(f.named(name), f.at(name), "numbers in ascending order");
    return hashes;
}

bool is_split_setting(const std::string& key, const std::string& value) {
    if (key == "rle-order") return value == "rows" || value == "columns";
    if (key == "split-by-class") return value == "true";
    if (key == "val-every")
        return std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
               value.size() < 10 && value > "0";
    return std::count(std::begin(place_settings), std::end(place_settings), key) > 0 || key == "fold" ||
           key == "group-pattern";
}

SplitRecord read_split(const json& object, const std::string& path) {
    const Fields f(object, "split", path);
    SplitRecord split;
    for (const auto& [name, to] : {std::pair{"train_list", &split.train_list},
                                   {"val_list", &split.val_list},
                                   {"val_pattern", &split.val_pattern}}) {
        f.get(name, *to);
        *to = io::from_utf8(*to);
    }
    if (f.has("settings"))  // absent: from before they were kept, or none were given
        for (const auto& [key, value] : f.at("settings").items()) {
            if (!value.is_string() || !is_split_setting(key, value))
                throw f.bad(f.named("settings"), f.at("settings"), "texts by the names of settings such as images");
            split.settings[key] = io::from_utf8(value.get<std::string>());
        }
    f.get("val_fraction", split.val_fraction, 0, true, data::max_val_fraction);
    split.seed = f.integer("seed", f.at("seed"), any_count);
    f.get("trained", split.trained, any_count);
    f.get("validated", split.validated, any_count);
    split.sketch = read_hashes(f, "trained_sketch");
    if (f.has("trained_files")) split.files = read_hashes(f, "trained_files");  // absent: from before it was kept
    return split;
}

// Fields that have to fit each other; the complaint is that of the function that knows the rule.
void check_words(const ModelCard& r, const std::string& path) {
    try {
        const data::MaskRule rule = data::parse_mask_rule(r.mask_values);
        int highest = rule.otherwise == data::ignored_class ? 0 : rule.otherwise;
        for (const auto& [value, id] : rule.classes) highest = std::max(highest, id == data::ignored_class ? 0 : id);
        if ((rule.kind == data::MaskKind::bits) != (r.label_form() == LabelForm::bits))
            throw UsageError(fmt::format("mask_values '{}' and multi_label contradict each other", r.mask_values));
        if (highest >= r.classes())
            throw UsageError(fmt::format("mask_values '{}' has class {}, the net has {} classes", r.mask_values,
                                         highest, r.classes()));
        loss_parts(r.loss, r.net.out_channels, data::ignored_class);
    } catch (const UsageError& e) {
        throw FormatError(path + ": its model card cannot be read: " + e.what());
    }
}

SourceSizes read_sources(const json& object, const std::string& path) {
    const Fields f(object, "source_sizes", path);
    SourceSizes sizes;
    f.get("min_height", sizes.min_height, side);
    f.get("min_width", sizes.min_width, side);
    f.get("max_height", sizes.max_height, {sizes.min_height, side.high});
    f.get("max_width", sizes.max_width, {sizes.min_width, side.high});
    return sizes;
}

ModelCard read(const json& object, const std::string& path) {
    const Fields f(object, "", path);
    int64_t number = 0;
    f.get("version", number, any_count);
    if (number != version)
        throw FormatError(
            fmt::format("{}: model card version {}; this program reads version {}", path, number, version));
    ModelCard r;
    read_net(f, r.net);
    f.get("in_channels", r.net.in_channels, {1, data::max_channels});
    f.get("height", r.height, card_ranges::size);
    f.get("width", r.width, card_ranges::size);
    if (f.has("resize")) r.resize = read_resize(f);  // absent: stretched, as all were before there was a choice
    f.get("mean", r.normalization.mean, -HUGE_VAL);
    f.get("std", r.normalization.stddev, 0);
    if (f.has("value_range")) r.normalization.range = read_range(f);  // absent: the integers' whole range
    f.get("mask_values", r.mask_values);
    f.get("class_names", r.class_names, size_t(r.classes()));
    for (const json& colour : f.list("colours", size_t(r.classes())))
        r.colours.push_back(uint32_t(f.integer("colours", colour, {0, 0xffffff})));
    if (f.has("bands")) {  // absent: an image is a file
        f.get("bands", r.bands, size_t(data::max_channels));
        if (!r.bands.empty() && int64_t(r.bands.size()) != r.net.in_channels)
            throw f.bad("bands", f.at("bands"), "a name for each channel");
    }
    f.one_of("precision", precision_words());
    f.get("precision", r.precision);
    bool multi_label = false;
    if (f.has("multi_label")) f.get("multi_label", multi_label);  // absent: classes exclude each other
    r.loss = read_loss(f, path, r.classes());
    r.loss.labels = multi_label ? LabelForm::bits : LabelForm::ids;
    f.get("threads", number, card_ranges::threads);
    r.threads = int(number);
    if (f.has("source_sizes")) r.sources = read_sources(f.at("source_sizes"), path);
    if (f.has("split")) r.split = read_split(f.at("split"), path);
    check_words(r, path);
    return r;
}

}  // namespace

std::string text_of(const ModelCard& r) {
    json object{{"version", version},
                {"height", r.height},
                {"width", r.width},
                {"mean", r.normalization.mean},
                {"std", r.normalization.stddev},
                {"mask_values", r.mask_values},
                {"class_names", r.class_names},
                {"colours", r.colours},
                {"precision", r.precision},
                {"loss", settings_of(r.loss, loss_name)},
                {"threads", r.threads}};
    object["loss"]["class_weights"] = r.loss.class_weights;
    object.update(settings_of(r.net, json_key));
    object["in_channels"] = r.net.in_channels;
    object["auxiliary"] = r.net.aux_weight > 0;
    object["out_channels"] = r.net.out_channels;
    if (const data::ValueRange& range = r.normalization.range; range.given())
        object["value_range"] = {range.low, range.high};
    if (r.label_form() == LabelForm::bits) object["multi_label"] = true;
    if (r.resize != data::ResizeMode::stretch) object["resize"] = data::word_of(r.resize);
    if (!r.bands.empty()) object["bands"] = r.bands;
    if (r.sources.known())
        object["source_sizes"] = {{"min_height", r.sources.min_height},
                                  {"min_width", r.sources.min_width},
                                  {"max_height", r.sources.max_height},
                                  {"max_width", r.sources.max_width}};
    if (r.split) object["split"] = *r.split;
    // A list's path need not be UTF-8.
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

ModelCard parse_model_card(const std::string& text, const std::string& path) {
    const json object = json::parse(text, nullptr, false);
    if (object.is_discarded()) throw FormatError(path + ": its model card cannot be read: it is not JSON");
    return read(object, path);
}

}  // namespace atrous
