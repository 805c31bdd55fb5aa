#include "engine/train/metrics.h"

#include <limits>

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
        const double nan = std::numeric_limits<double>::quiet_NaN();
        s.dice = both ? 2.0 * double(s.intersection) / double(both) : nan;
        s.iou = both ? double(s.intersection) / double(both - s.intersection) : nan;
    }
    return scores;
}

static double mean_where_it_occurs(const std::vector<ClassScore>& scores, double ClassScore::*member) {
    double sum = 0;
    int64_t n = 0;
    for (const ClassScore& s : scores)
        if (s.truth + s.predicted > 0) sum += s.*member, ++n;
    return n ? sum / double(n) : 1;
}

static double dice_from(const std::vector<ClassScore>& scores) {
    if (scores.size() == 2) return scores[1].truth + scores[1].predicted > 0 ? scores[1].dice : 1;
    return mean_where_it_occurs(scores, &ClassScore::dice);
}

double dice_of(const int64_t* counts, int64_t classes) { return dice_from(class_scores(counts, classes)); }

void ScoreKeeper::add(const int64_t* counts) {
    for (size_t i = 0; i < total_.size(); ++i) total_[i] += counts[i];
    dice_sum_ += dice_of(counts, classes_);
    ++images_;
}

Scores ScoreKeeper::scores() const {
    Scores s;
    s.classes = class_scores(total_.data(), classes_);
    s.confusion = total_;
    s.dice = dice_from(s.classes);
    s.image_dice = images_ ? dice_sum_ / double(images_) : 0;
    s.mean_iou = mean_where_it_occurs(s.classes, &ClassScore::iou);
    int64_t right = 0;
    for (const ClassScore& c : s.classes) {
        right += c.intersection;
        s.pixels += c.truth;
    }
    s.pixel_accuracy = s.pixels ? double(right) / double(s.pixels) : 0;
    s.images = images_;
    return s;
}

}  // namespace atrous
