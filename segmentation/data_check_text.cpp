// What a check of a data set says, for people and as JSON.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "segmentation/data_check.h"
#include "segmentation/training_setup.h"

namespace atrous {

namespace {

std::string name_of_class(const DataCheck& check, size_t id) {
    const auto& names = check.dataset.class_names;
    return int(names.size()) == check.report->rule.class_count ? names[id] : "";
}

std::string percent(int64_t part, int64_t of) {
    const double share = of > 0 ? 100.0 * double(part) / double(of) : 0.0;
    return share > 0 && share < 0.005 ? "<0.01 %" : fmt::format("{:.2f} %", share);
}

std::string text_of_sizes(const std::vector<data::SampleFacts>& facts) {
    int64_t min_h = INT64_MAX, min_w = INT64_MAX, max_h = 0, max_w = 0;
    for (const auto& found : facts) {
        min_h = std::min(min_h, found.image.h), min_w = std::min(min_w, found.image.w);
        max_h = std::max(max_h, found.image.h), max_w = std::max(max_w, found.image.w);
    }
    std::string text = fmt::format("{}x{}", min_w, min_h);
    return min_h == max_h && min_w == max_w ? text : text + fmt::format(" to {}x{}", max_w, max_h);
}

std::string text_of_images(const DataCheck& check) {
    if (check.facts.empty()) return "";
    std::string text = "images: " + text_of_sizes(check.facts);
    const std::vector<ImageKind> kinds = image_kinds(check);
    for (const ImageKind& k : kinds) {
        const bool one = kinds.size() == 1;
        text += one ? ", " : fmt::format("; {} with ", k.images);
        text += fmt::format("{} channel{} of {}, values {} to {}", k.channels, k.channels == 1 ? "" : "s",
                            k.bits == 32 ? "floats" : fmt::format("{} bits", k.bits), k.low, k.high);
        if (!one) text += fmt::format(" ({})", k.example);
    }
    return text + "\n";
}

// A line a class, a column a part: its share of the pixels that count, and in how many masks it is.
std::string table_of_classes(const DataCheck& check) {
    const std::vector<PartClasses> parts = classes_of_parts(check);
    size_t widest = 5;
    for (const std::string& name : check.dataset.class_names) widest = std::max(widest, name.size());
    std::string text = fmt::format("{:<{}}", "class", widest + 5);
    for (const PartClasses& part : parts) text += fmt::format("  {:<26}", part.name);
    for (size_t id = 0; id < size_t(check.report->rule.class_count); ++id) {
        text += fmt::format("\n{:>3}  {:<{}}", id, name_of_class(check, id), widest);
        for (const PartClasses& part : parts)
            text += fmt::format("  {:>8} in {:<14}", percent(part.pixels[id], part.counted),
                                fmt::format("{} of {}", part.samples_with[id], part.samples));
    }
    if (std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.ignored > 0; })) {
        text += fmt::format("\n{:<{}}", "ignored", widest + 5);
        for (const PartClasses& part : parts)
            text += fmt::format("  {:>8} {:<17}", percent(part.ignored, part.ignored + part.counted), "of all pixels");
    }
    std::string trimmed;  // without spaces at the ends of lines
    for (const char c : text + "\n") {
        while (c == '\n' && trimmed.ends_with(' ')) trimmed.pop_back();
        trimmed += c;
    }
    return trimmed;
}

std::vector<std::string> as_utf8(const std::vector<std::string>& lines) {
    std::vector<std::string> out;
    for (const auto& line : lines) out.push_back(io::as_utf8(line));
    return out;
}

}  // namespace

std::string text_of(const DataCheck& check) {
    std::string text = data_line(check.folder, check.dataset) + "\n";
    for (const auto& note : check.dataset.notes) text += note + "\n";
    text += text_of_images(check);
    if (check.report) text += fmt::format("masks: {}\n{}", check.report->rule.describe(), table_of_classes(check));
    for (const auto& warning : check.warnings) text += "warning: " + warning + "\n";
    for (const auto& problem : check.problems) text += "problem: " + problem + "\n";
    if (check.can_train()) return text + "a training can take this data set\n";
    return text + fmt::format("a training would refuse this data set: {} problem{}\n", check.problems.size(),
                              check.problems.size() == 1 ? "" : "s");
}

nlohmann::json json_of(const DataCheck& check) {
    nlohmann::json json{{"data", io::as_utf8(check.folder)},
                        {"layout", io::as_utf8(check.dataset.layout)},
                        {"notes", as_utf8(check.dataset.notes)},
                        {"samples",
                         {{"train", check.dataset.train.size()},
                          {"val", check.dataset.val.size()},
                          {"test", check.dataset.test.size()}}},
                        {"problems", as_utf8(check.problems)},
                        {"warnings", as_utf8(check.warnings)},
                        {"can_train", check.can_train()}};
    json["images"] = nlohmann::json::array();
    for (const ImageKind& k : image_kinds(check))
        json["images"].push_back(
            {{"channels", k.channels}, {"bits", k.bits}, {"count", k.images}, {"low", k.low}, {"high", k.high}});
    if (!check.report) return json;
    json["mask_values"] = data::text_of(check.report->rule);
    json["classes"] = nlohmann::json::array();
    const std::vector<PartClasses> parts = classes_of_parts(check);
    for (size_t id = 0; id < size_t(check.report->rule.class_count); ++id) {
        nlohmann::json of_class{{"id", id}, {"name", io::as_utf8(name_of_class(check, id))}};
        for (const PartClasses& part : parts)
            of_class[part.name] = {{"pixels", part.pixels[id]}, {"masks", part.samples_with[id]}};
        json["classes"].push_back(of_class);
    }
    for (const PartClasses& part : parts) json["ignored_pixels"][part.name] = part.ignored;
    return json;
}

}  // namespace atrous
