#include "segmentation/logit_scores.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "data/mask.h"
#include "segmentation/postprocess.h"
#include "segmentation/score_files.h"
#include "segmentation/score_text.h"

namespace atrous {

namespace {

using nlohmann::json;

// In float: a pixel's seventh digit is nothing to a mean over pixels, and exp takes half the time.
float sigmoid(float z) { return 1 / (1 + std::exp(-z)); }

// The probability of class `c`: of a softmax over the channels, or of its own sigmoid.
float probability_of(const float* z, int64_t channels, int64_t c, bool softmax) {
    if (!softmax) return sigmoid(z[c]);
    float sum = 0;
    for (int64_t k = 0; k < channels; ++k) sum += std::exp(z[k] - z[c]);
    return 1 / sum;
}

}  // namespace

ProbabilityScores::ProbabilityScores(const ModelCard& card)
    : channels_(card.net.out_channels), softmax_(is_softmax(card)) {
    if (card.label_form() == LabelForm::bits)
        of_classes_.resize(size_t(channels_));
    else if (channels_ == 1 || (channels_ == 2 && softmax_))
        precision_recall_.emplace();
}

void ProbabilityScores::add(const float* logits, const uint8_t* labels, int64_t pixels,
                            const ClassThresholds& thresholds) {
    for (int64_t p = 0; p < pixels; ++p) {
        const uint8_t label = labels[p];
        if (label == data::ignored_class) continue;
        const float* z = logits + p * channels_;
        for (size_t c = 0; c < of_classes_.size(); ++c) {
            const bool is_there = label >> c & 1, taken = z[c] > thresholds[int64_t(c)];
            of_classes_[c].add(z[c], is_there);
            calibration_.add(sigmoid(taken ? z[c] : -z[c]), taken == is_there);
        }
        if (!of_classes_.empty()) continue;
        if (precision_recall_) precision_recall_->add(channels_ == 1 ? z[0] : z[1] - z[0], label == 1);
        if (channels_ == 1) {
            const bool foreground = z[0] > thresholds[0];
            calibration_.add(sigmoid(foreground ? z[0] : -z[0]), foreground == (label == 1));
        } else {
            const int64_t taken = std::max_element(z, z + channels_) - z;
            calibration_.add(probability_of(z, channels_, taken, softmax_), taken == label);
        }
    }
}

// Of the classes that have one.
static double mean_average_precision(const ProbabilityScores& p) {
    double sum = 0;
    int64_t count = 0;
    for (const PrecisionRecall& of_class : p.of_classes())
        if (const double ap = of_class.average_precision(); !std::isnan(ap)) sum += ap, ++count;
    return count ? sum / double(count) : undefined_score;
}

std::string probability_line(const ProbabilityScores& p, const Scores& scores, double threshold) {
    std::string line;
    if (!p.of_classes().empty()) line = "mean average precision " + score_text(mean_average_precision(p)) + ", ";
    if (const auto& curve = p.precision_recall()) {
        const auto best = curve->best();
        line = "average precision " + score_text(curve->average_precision()) + ", ";
        if (!std::isnan(best.threshold) && p.takes_threshold())
            line += fmt::format("best threshold {}: Dice {} (at {:g}: {}), ", best.threshold, score_text(best.dice()),
                                threshold, score_text(scores.of("dice")));
    }
    return line + "calibration error " + score_text(p.calibration().error());
}

std::string best_thresholds_line(const ProbabilityScores& p, const std::vector<std::string>& names) {
    std::string line;
    for (size_t c = 0; c < p.of_classes().size(); ++c) {
        const auto best = p.of_classes()[c].best();
        line += line.empty() ? "best thresholds by class: " : ", ";
        line += (c < names.size() ? names[c] : std::to_string(c)) + " ";
        line += std::isnan(best.threshold) ? "-" : fmt::format("{} (Dice {})", best.threshold, score_text(best.dice()));
    }
    return line.empty() ? line : line + "\n";
}

static void add_best(json& to, const PrecisionRecall& curve) {
    const auto best = curve.best();
    to["best_threshold"] = json_number(best.threshold);
    to["best_threshold_dice"] = json_number(best.dice());
}

void add_to(json& to, const ProbabilityScores& p) {
    to["calibration_error"] = json_number(p.calibration().error());
    json& bins = to["calibration_bins"] = json::array();
    for (const Calibration::Bin& bin : p.calibration().of_bins()) {
        const double pixels = bin.pixels ? double(bin.pixels) : undefined_score;
        bins.push_back({{"pixels", bin.pixels},
                        {"confidence", json_number(bin.confidence / pixels)},
                        {"accuracy", json_number(double(bin.right) / pixels)}});
    }
    if (!p.of_classes().empty()) to["average_precision"] = json_number(mean_average_precision(p));
    for (size_t c = 0; c < p.of_classes().size(); ++c) {
        json& of_class = to.at("classes").at(c);
        of_class["average_precision"] = json_number(p.of_classes()[c].average_precision());
        add_best(of_class, p.of_classes()[c]);
    }
    if (!p.precision_recall()) return;
    to["average_precision"] = json_number(p.precision_recall()->average_precision());
    if (p.takes_threshold()) add_best(to, *p.precision_recall());
    json& curve = to["precision_recall"] = json::array();
    for (const auto& point : p.precision_recall()->curve(0.005))
        curve.push_back(
            {{"threshold", json_number(point.threshold)}, {"precision", point.precision}, {"recall", point.recall}});
}

void add_image(SurfaceScores& surfaces, const float* logits, const uint8_t* labels, int64_t h, int64_t w,
               int64_t channels, double threshold) {
    surfaces.add(labels, class_ids(logits, h, w, channels, threshold).u8.data(), h, w);
}

static std::string pixels_text(double distance) { return std::isnan(distance) ? "-" : fmt::format("{:.2f}", distance); }

std::string surface_line(const SurfaceScores& surfaces) {
    const SurfaceScore s = surfaces.whole();
    return fmt::format("boundary F1 {}, HD95 {} px, mean surface distance {} px", score_text(s.boundary_f1),
                       pixels_text(s.hd95), pixels_text(s.mean_distance));
}

std::string surface_table(const SurfaceScores& surfaces, const std::vector<std::string>& names) {
    std::string text = fmt::format("  {:<16} {:>11} {:>9} {:>16} {:>9}\n", "class", "boundary F1", "HD95",
                                   "surface distance", "images");
    for (size_t c = 0; c < surfaces.classes().size(); ++c) {
        const SurfaceScore s = surfaces.of_class(c);
        text += fmt::format("  {:<16} {:>11} {:>9} {:>16} {:>9}\n", c < names.size() ? names[c] : std::to_string(c),
                            score_text(s.boundary_f1), pixels_text(s.hd95), pixels_text(s.mean_distance),
                            surfaces.classes()[c].hd95.images);
    }
    return text;
}

static void add_to(json& to, const SurfaceScore& s) {
    to["hd95"] = json_number(s.hd95);
    to["mean_surface_distance"] = json_number(s.mean_distance);
    to["boundary_f1"] = json_number(s.boundary_f1);
}

void add_to(json& to, const SurfaceScores& surfaces) {
    add_to(to, surfaces.whole());
    for (size_t c = 0; c < surfaces.classes().size(); ++c) {
        json& k = to.at("classes").at(c);
        add_to(k, surfaces.of_class(c));
        k["hd95_images"] = surfaces.classes()[c].hd95.images;
        k["boundary_f1_images"] = surfaces.classes()[c].boundary_f1.images;
    }
}

}  // namespace atrous
