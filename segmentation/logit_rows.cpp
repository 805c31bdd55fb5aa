#include "segmentation/logit_rows.h"

#include <algorithm>
#include <cmath>

namespace atrous {

LogitRows::Tap LogitRows::tap(int64_t in, int64_t out, int64_t p) {
    const double position = std::max((double(p) + 0.5) * double(in) / double(out) - 0.5, 0.0);
    const int64_t i0 = std::min(int64_t(position), in - 1);
    const double weight = position - double(i0);
    return {i0, std::min(i0 + 1, in - 1), float(1 - weight), float(weight)};
}

std::vector<LogitRows::Tap> LogitRows::taps(int64_t in, int64_t out, Columns part) {
    std::vector<Tap> taps;
    for (int64_t p = part.first; p < part.end(); ++p) taps.push_back(tap(in, out, p));
    return taps;
}

LogitRows::LogitRows(const float* logits, int64_t h, int64_t w, Columns given, int64_t c, int64_t height, int64_t width,
                     Columns columns)
    : logits_(logits),
      w_(given.count),
      c_(c),
      height_(height),
      width_(columns.count),
      vertical_(taps(h, height, {0, height})),
      horizontal_(taps(w, width, columns)) {
    for (Tap& t : horizontal_) t.i0 -= given.first, t.i1 -= given.first;
}

Columns LogitRows::source_columns(int64_t w, int64_t width, Columns columns) {
    const int64_t first = tap(w, width, columns.first).i0;
    return {first, tap(w, width, columns.end() - 1).i1 + 1 - first};
}

int64_t LogitRows::rows_at_once() const { return std::clamp<int64_t>((int64_t(1) << 20) / (width_ * c_), 1, height_); }

void LogitRows::continue_with(const float* logits, int64_t first) {
    logits_ = logits;
    first_ = first;
}

int64_t LogitRows::complete(int64_t rows) const {
    const auto beyond = [](const Tap& tap, int64_t row) { return tap.i1 < row; };
    return std::lower_bound(vertical_.begin(), vertical_.end(), rows, beyond) - vertical_.begin();
}

// Which product is fused into the sum is said by name: a pixel's value does not depend on its place in a vector, and so not
// on the columns that are asked for.
const float* LogitRows::rows(int64_t first, int64_t count) {
    rows_.resize(size_t(count * width_ * c_));
    const int64_t elements = w_ * c_;
#pragma omp parallel for schedule(static)
    for (int64_t y = 0; y < count; ++y) {
        const Tap& v = vertical_[size_t(first + y)];
        const float *upper = logits_ + (v.i0 - first_) * elements, *lower = logits_ + (v.i1 - first_) * elements;
        std::vector<float> row(static_cast<size_t>(elements));  // blended along the height
#pragma omp simd
        for (int64_t i = 0; i < elements; ++i) row[size_t(i)] = std::fma(v.weight1, lower[i], v.weight0 * upper[i]);
        float* to = rows_.data() + y * width_ * c_;
        for (const Tap& t : horizontal_) {
            const float *a = row.data() + t.i0 * c_, *b = row.data() + t.i1 * c_;
            for (int64_t ch = 0; ch < c_; ++ch) *to++ = std::fma(t.weight1, b[ch], t.weight0 * a[ch]);
        }
    }
    return rows_.data();
}

}  // namespace atrous
