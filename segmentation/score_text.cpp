#include "segmentation/score_text.h"

#include <fmt/core.h>

#include <cmath>

#include "base/error.h"
#include "data/few.h"

namespace atrous {

std::string score_text(double score) { return std::isnan(score) ? "-" : fmt::format("{:.4f}", score); }

std::string scores_line(const Scores& s) {
    return fmt::format("Dice {} (mean over images {}), mIoU {}, pixel accuracy {}, loss {}", score_text(s.dice),
                       score_text(s.image_dice), score_text(s.mean_iou), score_text(s.pixel_accuracy),
                       score_text(s.loss));
}

std::string scores_table(const Scores& s, const std::vector<std::string>& names) {
    std::string text =
        fmt::format("  {:<16} {:>7} {:>7} {:>12} {:>12}\n", "class", "Dice", "IoU", "truth px", "predicted px");
    for (size_t c = 0; c < s.classes.size(); ++c) {
        const ClassScore& k = s.classes[c];
        text += fmt::format("  {:<16} {:>7} {:>7} {:>12} {:>12}\n", c < names.size() ? names[c] : std::to_string(c),
                            score_text(k.dice), score_text(k.iou), k.truth, k.predicted);
    }
    return text;
}

// The scores of predicting class `id` everywhere.
static Scores one_class_everywhere(const Scores& s, size_t id) {
    const size_t classes = s.classes.size();
    std::vector<int64_t> counts(classes * classes);
    for (size_t c = 0; c < classes; ++c) counts[c * classes + id] = s.classes[c].truth;
    ScoreKeeper keeper{int64_t(classes)};
    keeper.add(counts.data());
    return keeper.scores();
}

std::string baseline_line(const Scores& s, const std::vector<std::string>& names, const Scores* untrained) {
    const bool binary = s.classes.size() == 2;
    size_t id = 1;
    for (size_t c = 0; !binary && c < s.classes.size(); ++c)
        if (s.classes[c].truth > s.classes[id].truth) id = c;
    const Scores one = one_class_everywhere(s, id);
    std::string line = binary ? "baselines: all-foreground Dice " + score_text(one.dice)
                              : fmt::format("baselines: '{}' everywhere Dice {}, mIoU {}",
                                            id < names.size() ? names[id] : std::to_string(id), score_text(one.dice),
                                            score_text(one.mean_iou));
    if (untrained) line += "; untrained net Dice " + score_text(untrained->dice);
    if (untrained && !binary) line += ", mIoU " + score_text(untrained->mean_iou);
    return line;
}

std::string epoch_line(const EpochReport& r) {
    std::string line = fmt::format("train loss {:.4f}", r.train_loss);
    if (const auto& v = r.validation)
        line += fmt::format(", val loss {}, Dice {} (images {}), mIoU {}{}", score_text(v->loss), score_text(v->dice),
                            score_text(v->image_dice), score_text(v->mean_iou), r.best ? ", best" : "");
    return line;
}

void refuse_nonfinite(const std::vector<std::string>& names, int64_t of) {
    if (names.empty()) return;
    throw NumericError(fmt::format(
        "the net gave NaN or Inf for {} of {} pictures: {}; its weights may be damaged or their training may have "
        "diverged; try `precision` fp32, or an earlier checkpoint",
        names.size(), of, data::few_of(names)));
}

}  // namespace atrous
