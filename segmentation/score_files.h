// Scores as files for other programs: CSV by image, JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/train/scores.h"

namespace atrous {

// The scores of every image, kept until they are written. A line an image, that with the highest loss first: its name,
// its loss, the metrics that are found from counts of pixels (Dice, mean IoU, pixel accuracy), and those of each class
// that ask for it (IoU); empty where one is not defined. Images whose loss is not defined come last.
class ImageScores {
 public:
    explicit ImageScores(int64_t classes, LabelForm form = LabelForm::ids) : classes_(classes), form_(form) {}
    void add(const std::string& name, const int64_t* counts, double loss);  // [truth][predicted], pixels
    void write(const std::string& path, const std::vector<std::string>& class_names) const;

 private:
    int64_t classes_;
    LabelForm form_;
    struct Row {
        double loss;
        std::string text;
    };
    std::vector<Row> rows_;
};

// Rows: ground truth; columns: prediction; values in pixels. Of classes that overlap: a row a class, with its true and false
// positives and negatives.
void write_confusion(const std::string& path, const Scores& scores, const std::vector<std::string>& class_names);

// Text as a field of a CSV file: quoted where it has to be.
std::string csv_field(const std::string& text);

std::string csv_number(double value);  // six decimals; empty where it is not defined

nlohmann::json json_number(double value);                                                   // null for NaN
nlohmann::json json_of(const Scores& scores, const std::vector<std::string>& class_names);  // null for NaN
void write_json(const std::string& path, const nlohmann::json& json);

}  // namespace atrous
