// Confusion counts by their definition.
#include "kernels/metrics.h"

#include <limits>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

template <class T>
int64_t predicted_class(const View& logits, int64_t pixel, double threshold) {
    if (logits.c == 1) return double(at<T>(logits, pixel, 0)) > threshold;
    int64_t best = 0;
    double best_value = -std::numeric_limits<double>::infinity();
    for (int64_t c = 0; c < logits.c; ++c)
        if (double(at<T>(logits, pixel, c)) > best_value) {
            best = c;
            best_value = at<T>(logits, pixel, c);
        }
    return best;
}

template <class T>
void count_bits(const ConfusionArgs& a) {
    for (int64_t pixel = 0; pixel < a.logits.pixels(); ++pixel)
        for (int64_t c = 0; c < a.logits.c && a.labels[pixel] != a.ignore_index; ++c) {
            const int64_t truth = a.labels[pixel] >> c & 1,
                          predicted = double(at<T>(a.logits, pixel, c)) > a.thresholds[c];
            ++a.counts[(c * 2 + truth) * 2 + predicted];
        }
}

}  // namespace

void confusion(Queue&, const ConfusionArgs& a) {
    check(a);
    ran("confusion/reference");
    const int64_t classes = a.logits.c == 1 ? 2 : a.logits.c;
    dispatch_exact("confusion", a.logits.dtype, [&](auto zero) {
        using T = decltype(zero);
        if (a.form == LabelForm::bits) return count_bits<T>(a);
        for (int64_t pixel = 0; pixel < a.logits.pixels(); ++pixel) {
            const int label = a.labels[pixel];
            if (label == a.ignore_index) continue;
            const int64_t truth = a.logits.c == 1 ? label != 0 : label;
            if (truth < classes) ++a.counts[truth * classes + predicted_class<T>(a.logits, pixel, a.thresholds[0])];
        }
    });
}

}  // namespace atrous::kernels::reference
