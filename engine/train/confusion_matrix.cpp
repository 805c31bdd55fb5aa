#include "engine/train/confusion_matrix.h"

#include <cmath>
#include <limits>

namespace atrous {

void ConfusionMatrix::add(const int64_t* counts) {
    const size_t each_once = overlapping() ? 4 : counts_.size();
    for (size_t i = 0; i < counts_.size(); ++i) {
        counts_[i] += counts[i];
        if (i < each_once) pixels_ += counts[i];
    }
}

void ConfusionMatrix::count(int64_t* counts, int64_t classes, LabelForm form, int truth, int predicted) {
    if (form == LabelForm::ids) {
        ++counts[truth * classes + predicted];
        return;
    }
    for (int64_t c = 0; c < classes; ++c) ++counts[4 * c + 2 * (truth >> c & 1) + (predicted >> c & 1)];
}

ClassCounts ConfusionMatrix::of_class(int64_t c) const {
    if (overlapping()) {
        const int64_t* const own = counts_.data() + 4 * c;
        return {own[2] + own[3], own[1] + own[3], own[3], pixels()};
    }
    ClassCounts counts{0, 0, at(c, c), pixels()};
    for (int64_t other = 0; other < classes_; ++other) {
        counts.truth += at(c, other);
        counts.predicted += at(other, c);
    }
    return counts;
}

double mean_over_classes(const ConfusionMatrix& matrix, double (*of_class)(const ClassCounts&)) {
    double sum = 0;
    int64_t n = 0;
    for (int64_t c = 0; c < matrix.classes(); ++c) {
        const ClassCounts counts = matrix.of_class(c);
        const double value = counts.both() > 0 ? of_class(counts) : std::numeric_limits<double>::quiet_NaN();
        if (!std::isnan(value)) sum += value, ++n;
    }
    return n ? sum / double(n) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace atrous
