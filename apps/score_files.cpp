#include "apps/score_files.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/io/durable_file.h"

namespace atrous::app {

static void write_text(const std::string& path, const std::string& text) {
    io::write_durably(path, [&](io::FileSink& sink) { sink.write(std::string_view(text)); });
}

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
}

void ImageScores::add(const std::string& name, const int64_t* counts) {
    ScoreKeeper keeper{classes_};
    keeper.add(counts);
    const Scores s = keeper.scores();
    rows_ += fmt::format("{},{:.6f},{:.6f},{:.6f}", csv_field(name), s.dice, s.mean_iou, s.pixel_accuracy);
    for (const ClassScore& c : s.classes) rows_ += std::isnan(c.iou) ? "," : fmt::format(",{:.6f}", c.iou);
    rows_ += "\n";
}

void ImageScores::write(const std::string& path, const std::vector<std::string>& class_names) const {
    std::string heading = "name,dice,mean_iou,pixel_accuracy";
    for (const std::string& name : class_names) heading += "," + csv_field("iou " + name);
    write_text(path, heading + "\n" + rows_);
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
            {"classes", classes}};
}

void write_json(const std::string& path, const nlohmann::json& json) {
    write_text(path, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace atrous::app
