// Above which probability a pixel is of a class, as it is given: one number for all classes, a number for each of those that
// overlap (`multi-label`), or the scores that `eval` wrote, for the best thresholds that it found.
#pragma once

#include <string>
#include <vector>

#include "base/class_thresholds.h"
#include "base/settings.h"
#include "segmentation/model_card.h"

namespace atrous {

struct Thresholds {
    std::vector<double> values{0.5};  // probabilities: one, or one for each class
    std::string file = {};            // the JSON that has them; empty: `values` are given
    bool operator==(const Thresholds&) const = default;
};

// "0.5", "0.4,0.6,0.5" or "scores.json"; in files also [0.4, 0.6, 0.5].
class ThresholdSetting : public SettingBase {
 public:
    ThresholdSetting(std::string key, Thresholds& field, std::string help);

    Thresholds& value;

    bool differs() const override { return value != default_; }
    bool is_list() const override { return false; }
    bool is_flag() const override { return false; }
    std::string kind() const override { return "NUMBER"; }
    std::string rule() const override;
    bool restricted() const override { return true; }
    std::vector<std::string> choices() const override { return {}; }
    std::string shown() const override;
    std::string shown_default() const override;
    std::vector<Word> words() const override;
    bool assign(const std::vector<Word>& words) override;

 private:
    const Thresholds default_;
};

void describe_thresholds(Settings& settings, Thresholds& thresholds);

// Reads the file, if there is one, into `values`, and returns the logits of the thresholds. Throws UsageError where
// they are given to a net that takes the likeliest of several classes, or are not as many as its classes; DataError for a file
// that is not of `eval`, of other classes, whose classes have names where the net's have none, or without a best threshold for one.
ClassThresholds logit_thresholds(const Settings& settings, Thresholds& thresholds, const ModelCard& card);

}  // namespace atrous
