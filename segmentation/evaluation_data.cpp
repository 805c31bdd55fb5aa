#include "segmentation/evaluation_data.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>

#include "base/error.h"
#include "data/band_names.h"

namespace atrous {

static bool any_given(const Settings& settings, std::span<const char* const> keys) {
    return std::any_of(keys.begin(), keys.end(), [&](const char* key) { return settings.at(key).given(); });
}

// Where the samples lie, and how they are split: other samples are split anew, and a split that is given leaves them
// where they lie.
void default_split_from(const std::optional<SplitRecord>& recorded, Settings& settings) {
    if (!recorded) return;
    static constexpr const char* others[] = {"train-list", "val-list", "val-pattern", "val-fraction"};
    const bool placed = any_given(settings, place_settings);
    const bool anew = placed || any_given(settings, others) || any_given(settings, drawn_settings);
    for (const auto& [key, value] : recorded->settings) {
        const bool splits = std::count(std::begin(drawn_settings), std::end(drawn_settings), key) > 0;
        if (splits ? anew : placed && key != "rle-order") continue;
        if (key == "split-by-class")
            settings.default_from(key, true);
        else if (key == "val-every")
            settings.default_from(key, int64_t(std::stoll(value)));
        else
            settings.default_from(key, value);
    }
    if (!anew) {
        settings.default_from("train-list", recorded->train_list);
        settings.default_from("val-list", recorded->val_list);
        settings.default_from("val-pattern", recorded->val_pattern);
    }
    settings.default_from("val-fraction", recorded->val_fraction);
    settings.default_from("seed", recorded->seed);
}

static std::string value_of(const std::map<std::string, std::string>& settings, const std::string& key) {
    const auto at = settings.find(key);
    return at == settings.end() ? "" : at->second;
}

// Images that are no bands may be whole files; else the bands' own error says more.
static data::Dataset found(data::DatasetOptions options, const data::CheckOptions& looking, bool bands_are_optional) {
    try {
        return data::find_dataset(options, looking);
    } catch (const DataError&) {
        if (!bands_are_optional) throw;
        data::Dataset whole;
        options.bands = "auto";
        try {
            whole = data::find_dataset(options, looking);
        } catch (const DataError&) {
        }
        if (!whole.bands.empty() || whole.train.size() + whole.val.size() + whole.test.size() == 0) throw;
        return whole;
    }
}

data::Dataset find_to_score(const data::DatasetOptions& given, const std::string& split,
                            const std::optional<SplitRecord>& recorded, const std::string& trained_rule,
                            data::CheckOptions looking, bool bands_are_optional) {
    data::DatasetOptions options = given;
    if (split == "test" || split == "all") options.split_by_class = false;
    const data::MaskRule trained = data::parse_mask_rule(trained_rule);
    if (trained.kind != data::MaskKind::automatic) looking.rule = trained;  // known, that is
    try {
        return found(options, looking, bands_are_optional);
    } catch (const DataError& e) {
        if (recorded && recorded->settings.contains("images") &&
            options.images == value_of(recorded->settings, "images"))
            throw DataError(
                fmt::format("{} (the checkpoint's training took {}; for another data set give its own `images` and "
                            "`masks`, or `images` '' for it to be recognized)",
                            e.what(), text_of(*recorded)));
        const bool by_record = recorded && (!recorded->train_list.empty() || !recorded->val_list.empty() ||
                                            !recorded->val_pattern.empty() || !recorded->settings.empty());
        const bool same = by_record && options.train_list == recorded->train_list &&
                          options.val_list == recorded->val_list && options.val_pattern == recorded->val_pattern &&
                          options.fold == value_of(recorded->settings, "fold") &&
                          options.group_pattern == value_of(recorded->settings, "group-pattern");
        if (!same) throw;
        throw DataError(
            fmt::format("{} (the checkpoint's training split by {}; for another data set give its own "
                        "`val-list`, `val-pattern` or `val-fraction`)",
                        e.what(), text_of(*recorded)));
    }
}

void compare_bands(const std::vector<std::string>& trained, const data::Dataset& set, const data::DatasetReport& report,
                   Messages& messages) {
    if (trained.empty()) return;
    if (set.bands.empty()) {
        if (trained.size() > 1 && report.gray_images > 0)
            throw DataError(
                fmt::format("{} of {} images are gray, but the net was trained on the bands {}; name the files of each "
                            "image's bands with `images`, `masks` and `bands`, or give images of {} channels",
                            report.gray_images, report.samples, data::text_of(trained), trained.size()));
        messages.warning(fmt::format(
            "the net was trained on the bands {}, each a file; here each image is a file, whose channels are "
            "taken for these in this order",
            data::text_of(trained)));
        return;
    }
    const auto same = [](const std::string& a, const std::string& b) { return data::place_of_band({a}, b) == 0; };
    if (!std::equal(trained.begin(), trained.end(), set.bands.begin(), set.bands.end(), same))
        messages.warning(fmt::format("the net was trained on the bands {}; here {} take their places (`bands`)",
                                     data::text_of(trained), data::text_of(set.bands)));
}

void say_what_was_trained_on(const std::optional<SplitRecord>& recorded, const data::Dataset& set,
                             const std::vector<data::Sample>& samples, bool held_out, Messages& messages) {
    if (!recorded) {
        messages.warning(
            "the checkpoint does not say how its training split the data; samples that it was trained on may be among "
            "these");
        return;
    }
    const bool exact = recorded->sketch.size() < sketch_size;
    if (const int64_t trained = trained_among(*recorded, samples); trained > 0)
        messages.warning(fmt::format(
            "{}{} of these {} samples are among those that the net was trained on, by name or file; its training split "
            "by {}",
            exact ? "" : "about ", trained, samples.size(), text_of(*recorded)));
    else if (held_out && !set.train.empty() && trained_among(*recorded, set.train) == 0)
        messages.text(
            fmt::format("the net was trained on no sample of this data set: `split` all scores its {} others too\n",
                        set.train.size()));
}

std::vector<data::Sample> samples_of_split(const data::Dataset& set, const std::string& split,
                                           const std::string& root) {
    std::vector<data::Sample> samples = split == "train" ? set.train : split == "test" ? set.test : set.val;
    if (split == "test" && samples.empty())
        throw DataError(root + ": this data set has no part test; name one with `test-images` and `test-masks`");
    if (split == "all") samples.insert(samples.end(), set.train.begin(), set.train.end());
    if (samples.empty()) throw DataError(root + ": no samples in split " + split + "; try `split` all");
    return samples;
}

}  // namespace atrous
