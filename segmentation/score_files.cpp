#include "segmentation/score_files.h"

#include <fmt/core.h>

#include <cmath>
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

void ImageScores::add(const std::string& name, const int64_t* counts) {
    ScoreKeeper keeper{classes_};
    keeper.add(counts);
    const Scores s = keeper.scores();
    rows_ += csv_field(name);
    for (const double score : {s.dice, s.mean_iou, s.pixel_accuracy}) rows_ += "," + csv_number(score);
    for (const ClassScore& c : s.classes) rows_ += "," + csv_number(c.iou);
    rows_ += "\n";
}

void ImageScores::write(const std::string& path, const std::vector<std::string>& class_names) const {
    std::string heading = "name,dice,mean_iou,pixel_accuracy";
    for (const std::string& name : class_names) heading += "," + csv_field("iou " + name);
    io::write_durably(path, heading + "\n" + rows_);
}

void write_confusion(const std::string& path, const Scores& s, const std::vector<std::string>& names) {
    const size_t classes = s.classes.size();
    std::string text = "truth\\predicted";
    const auto name_of_class = [&](size_t c) { return c < names.size() ? csv_field(names[c]) : std::to_string(c); };
    for (size_t c = 0; c < classes; ++c) text += "," + name_of_class(c);
    for (size_t t = 0; t < classes; ++t) {
        text += "\n" + name_of_class(t);
        for (size_t p = 0; p < classes; ++p) text += fmt::format(",{}", s.confusion[t * classes + p]);
    }
    text += "\n";
    io::write_durably(path, text);
}

nlohmann::json json_of(const Scores& s, const std::vector<std::string>& class_names) {
    const auto number = [](double v) { return std::isnan(v) ? nlohmann::json() : nlohmann::json(v); };
    nlohmann::json classes = nlohmann::json::array();
    for (size_t c = 0; c < s.classes.size(); ++c) {
        const ClassScore& k = s.classes[c];
        classes.push_back({{"name", c < class_names.size() ? class_names[c] : std::to_string(c)},
                           {"dice", number(k.dice)},
                           {"iou", number(k.iou)},
                           {"truth_pixels", k.truth},
                           {"predicted_pixels", k.predicted},
                           {"intersection_pixels", k.intersection}});
    }
    return {{"images", s.images},
            {"pixels", s.pixels},
            {"dice", number(s.dice)},
            {"image_dice", number(s.image_dice)},
            {"mean_iou", number(s.mean_iou)},
            {"pixel_accuracy", number(s.pixel_accuracy)},
            {"loss", number(s.loss)},
            {"nonfinite_images", s.nonfinite},
            {"classes", classes}};
}

void write_json(const std::string& path, const nlohmann::json& json) {
    nlohmann::ordered_json marked;
    marked[std::string(json_mark_key)] = json_mark;  // first, so that the file is known by its beginning
    for (const auto& [key, value] : json.items()) marked[key] = value;
    io::write_durably(path, marked.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace atrous
