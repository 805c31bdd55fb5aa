// Confusion counts. They are integers, so threads may count apart and add up in any order.
#include "kernels/metrics.h"

#include <limits>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

template <class T>
void count_binary(const ConfusionArgs& a, int64_t begin, int64_t end, int64_t* counts) {
    using A = accumulator_t<T>;
    const T* logits = a.logits.as<const T>();
    const int64_t pitch = a.logits.pitch;
    int64_t pixels = 0, positive = 0, predicted = 0, both = 0;
    // Threshold and logit meet in double where rounding the threshold to float could change the answer.
    const double given = a.thresholds[0];
    const bool exact = double(A(given)) == given;
    const A threshold = A(given);
#pragma omp simd reduction(+ : pixels, positive, predicted, both)
    for (int64_t i = begin; i < end; ++i) {
        const A z = load(logits[i * pitch]);
        const bool guess = exact ? z > threshold : double(z) > given;
        const int label = a.labels[i];
        const int counted = label != a.ignore_index, truth = counted & (label != 0);
        pixels += counted;
        positive += truth;
        predicted += counted & guess;
        both += truth & guess;
    }
    counts[0] += pixels - positive - predicted + both;
    counts[1] += predicted - both;
    counts[2] += positive - both;
    counts[3] += both;
}

template <class T>
void count_classes(const ConfusionArgs& a, int64_t begin, int64_t end, int64_t* counts) {
    using A = accumulator_t<T>;
    const int64_t classes = a.logits.c;
    for (int64_t i = begin; i < end; ++i) {
        const int label = a.labels[i];
        if (label == a.ignore_index || label >= classes) continue;
        const T* z = a.logits.as<const T>() + i * a.logits.pitch;
        A best = -std::numeric_limits<A>::infinity();
        int64_t guess = 0;
        for (int64_t c = 0; c < classes; ++c) {
            const A value = load(z[c]);
            guess = value > best ? c : guess;
            best = value > best ? value : best;
        }
        ++counts[label * classes + guess];
    }
}

template <class T>
void count_bits(const ConfusionArgs& a, int64_t begin, int64_t end, int64_t* counts) {
    for (int64_t i = begin; i < end; ++i) {
        const int label = a.labels[i];
        if (label == a.ignore_index) continue;
        const T* z = a.logits.as<const T>() + i * a.logits.pitch;
        for (int64_t c = 0; c < a.logits.c; ++c)
            ++counts[(c * 2 + (label >> c & 1)) * 2 + (double(load(z[c])) > a.thresholds[c])];
    }
}

}  // namespace

void confusion(Queue& q, const ConfusionArgs& a) {
    check(a);
    ran("confusion/omp");
    const bool bits = a.form == LabelForm::bits;
    const int64_t classes = a.logits.c == 1 ? 2 : a.logits.c, cells = bits ? 4 * a.logits.c : classes * classes;
    int64_t* all = q.scratch<int64_t>(size_t(q.threads()) * cells);
    std::fill_n(all, q.threads() * cells, int64_t(0));
    dispatch_cpu("confusion", a.logits.dtype, [&](auto zero) {
        using T = decltype(zero);
        parallel_ranges(q, a.logits.pixels(), a.logits.count(), [&](int64_t begin, int64_t end, int thread) {
            int64_t* counts = all + thread * cells;
            if (bits) return count_bits<T>(a, begin, end, counts);
            a.logits.c == 1 ? count_binary<T>(a, begin, end, counts) : count_classes<T>(a, begin, end, counts);
        });
    });
    for (int64_t i = 0; i < q.threads() * cells; ++i) a.counts[i % cells] += all[i];
}

}  // namespace atrous::kernels::cpu
