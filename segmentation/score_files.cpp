#include "segmentation/score_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "segmentation/outputs.h"

namespace atrous {

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
}

std::string csv_number(double value) { return std::isnan(value) ? "" : fmt::format("{:.6f}", value); }

// NaN has no place in an order.
static double sort_key(double loss) { return std::isnan(loss) ? -std::numeric_limits<double>::infinity() : loss; }

void ImageScores::add(const std::string& name, const int64_t* counts, double loss) {
    const ConfusionMatrix image(classes_, counts, form_);
    std::string row = csv_field(name) + "," + csv_number(loss);
    for (const auto& metric : Metric::catalogue().all())
        if (metric->of_counts) row += "," + csv_number(metric->of_counts(image));
    for (const auto& metric : Metric::catalogue().all())
        for (int64_t c = 0; metric->by_class.by_image && c < classes_; ++c)
            row += "," + csv_number(metric->by_class.value(image.of_class(c)));
    rows_.push_back({loss, row + "\n"});
}

void ImageScores::write(const std::string& path, const std::vector<std::string>& class_names) const {
    std::string text = "name,loss";
    for (const auto& metric : Metric::catalogue().all())
        if (metric->of_counts) text += "," + metric->field_name();
    for (const auto& metric : Metric::catalogue().all())
        for (const std::string& name : class_names)
            if (metric->by_class.by_image) text += "," + csv_field(metric->by_class.field + " " + name);
    text += "\n";
    std::vector<const Row*> sorted;
    for (const Row& row : rows_) sorted.push_back(&row);
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Row* a, const Row* b) { return sort_key(a->loss) > sort_key(b->loss); });
    for (const Row* row : sorted) text += row->text;
    io::write_durably(path, text);
}

static void write_class_counts(const std::string& path, const Scores& s, const std::vector<std::string>& names) {
    std::string text(class_counts_heading);
    for (size_t c = 0; c < s.classes.size(); ++c) {
        const ClassCounts& k = s.classes[c];
        const int64_t fp = k.predicted - k.intersection, fn = k.truth - k.intersection;
        text += fmt::format("\n{},{},{},{},{}", c < names.size() ? csv_field(names[c]) : std::to_string(c),
                            k.intersection, fp, fn, k.all - k.intersection - fp - fn);
    }
    io::write_durably(path, text + "\n");
}

void write_confusion(const std::string& path, const Scores& s, const std::vector<std::string>& names) {
    if (s.confusion.overlapping()) return write_class_counts(path, s, names);
    const size_t classes = s.classes.size();
    std::string text = "truth\\predicted";
    const auto name_of_class = [&](size_t c) { return c < names.size() ? csv_field(names[c]) : std::to_string(c); };
    for (size_t c = 0; c < classes; ++c) text += "," + name_of_class(c);
    for (size_t t = 0; t < classes; ++t) {
        text += "\n" + name_of_class(t);
        for (size_t p = 0; p < classes; ++p) text += fmt::format(",{}", s.confusion.at(int64_t(t), int64_t(p)));
    }
    text += "\n";
    io::write_durably(path, text);
}

nlohmann::json json_number(double value) { return std::isnan(value) ? nlohmann::json() : nlohmann::json(value); }

nlohmann::json json_of(const Scores& s, const std::vector<std::string>& class_names) {
    nlohmann::json classes = nlohmann::json::array();
    for (size_t c = 0; c < s.classes.size(); ++c) {
        const ClassCounts& k = s.classes[c];
        nlohmann::json json{{"name", c < class_names.size() ? class_names[c] : std::to_string(c)},
                            {"truth_pixels", k.truth},
                            {"predicted_pixels", k.predicted},
                            {"intersection_pixels", k.intersection}};
        for (const auto& metric : Metric::catalogue().all())
            if (metric->by_class.value) json[metric->by_class.field] = json_number(metric->by_class.value(k));
        classes.push_back(json);
    }
    nlohmann::json json{{"images", s.images},
                        {"pixels", s.pixels},
                        {"loss", json_number(s.loss)},
                        {"nonfinite_images", s.nonfinite},
                        {"classes", classes}};
    for (const auto& metric : Metric::catalogue().all()) json[metric->field_name()] = json_number(s.of(metric->key));
    return json;
}

void write_json(const std::string& path, const nlohmann::json& json) {
    nlohmann::ordered_json marked;
    marked[std::string(json_mark_key)] = json_mark;  // first, so that the file is known by its beginning
    for (const auto& [key, value] : json.items()) marked[key] = value;
    io::write_durably(path, marked.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace atrous
