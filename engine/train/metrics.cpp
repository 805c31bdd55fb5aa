#include "engine/train/metrics.h"

#include <cmath>

namespace atrous {

static std::vector<ClassScore> class_scores(const int64_t* counts, int64_t classes) {
    std::vector<ClassScore> scores(static_cast<size_t>(classes));
    for (int64_t t = 0; t < classes; ++t)
        for (int64_t p = 0; p < classes; ++p) {
            const int64_t n = counts[t * classes + p];
            scores[size_t(t)].truth += n;
            scores[size_t(p)].predicted += n;
            if (t == p) scores[size_t(t)].intersection += n;
        }
    for (ClassScore& s : scores) {
        const int64_t both = s.truth + s.predicted;
        s.dice = both ? 2.0 * double(s.intersection) / double(both) : undefined_score;
        s.iou = both ? double(s.intersection) / double(both - s.intersection) : undefined_score;
    }
    return scores;
}

static double mean_where_it_occurs(const std::vector<ClassScore>& scores, double ClassScore::*member) {
    double sum = 0;
    int64_t n = 0;
    for (const ClassScore& s : scores)
        if (s.truth + s.predicted > 0) sum += s.*member, ++n;
    return n ? sum / double(n) : undefined_score;
}

static double dice_from(const std::vector<ClassScore>& scores) {
    if (scores.size() == 2) return scores[1].dice;
    return mean_where_it_occurs(scores, &ClassScore::dice);
}

double dice_of(const int64_t* counts, int64_t classes) { return dice_from(class_scores(counts, classes)); }

void ScoreKeeper::add(const int64_t* counts) {
    for (size_t i = 0; i < total_.size(); ++i) total_[i] += counts[i];
    ++images_;
    const double dice = dice_of(counts, classes_);
    if (std::isnan(dice)) return;
    dice_sum_ += dice;
    ++images_with_dice_;
}

Scores ScoreKeeper::scores() const {
    Scores s;
    s.classes = class_scores(total_.data(), classes_);
    s.confusion = total_;
    s.dice = dice_from(s.classes);
    if (images_with_dice_) s.image_dice = dice_sum_ / double(images_with_dice_);
    s.mean_iou = mean_where_it_occurs(s.classes, &ClassScore::iou);
    int64_t right = 0;
    for (const ClassScore& c : s.classes) {
        right += c.intersection;
        s.pixels += c.truth;
    }
    if (s.pixels) s.pixel_accuracy = double(right) / double(s.pixels);
    s.images = images_;
    return s;
}

}  // namespace atrous
