// How the loops of the cpu kernels are shared out: contiguous ranges for threads, rows of contiguous elements for
// vectors. Nothing computed here depends on the number of threads; kernels split sums into parts fixed by the shape.
#pragma once

#include <omp.h>

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "base/error.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::kernels::cpu {

// Below this many elements a thread costs more than it saves.
constexpr int64_t elements_worth_a_thread = 16384;

// f(begin, end, thread) on contiguous ranges that cover [0, count); `elements` is the work in all of them.
template <class F>
void parallel_ranges(const Queue& q, int64_t count, int64_t elements, F f) {
    if (count <= 0 || q.is_dry_run()) return;
    const int64_t useful = std::min(count, std::max<int64_t>(1, elements / elements_worth_a_thread));
    const int threads = int(std::min<int64_t>(q.threads(), useful));
    if (threads <= 1) return f(int64_t(0), count, 0);
#pragma omp parallel num_threads(threads)
    {
        const int64_t thread = omp_get_thread_num(), all = omp_get_num_threads();
        f(count * thread / all, count * (thread + 1) / all, int(thread));
    }
}

// f(index) for every index in [0, count).
template <class F>
void parallel_each(const Queue& q, int64_t count, int64_t elements, F f) {
    parallel_ranges(q, count, elements, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) f(i);
    });
}

// Calls f(std::true_type) or f(std::false_type): a flag that inner loops are compiled for.
template <class F>
void with_flag(bool flag, F f) {
    flag ? f(std::true_type{}) : f(std::false_type{});
}

// Equal-shaped views cut into rows of contiguous elements: `rows` of `width`, then one of `tail` if that is positive.
struct RowSplit {
    int64_t rows = 0, width = 0, tail = 0;
    bool flat = false;

    int64_t count() const { return rows + (tail > 0); }
    int64_t width_of(int64_t row) const { return row < rows ? width : tail; }
    template <class T>
    T* row(const View& v, int64_t index) const {
        return v.as<T>() + index * (flat ? width : v.pitch);
    }
};

// Dense views are rows of whole pixels: at least about `elements` and, where that stays short, a multiple of a vector.
// Pitched ones are a row a pixel.
template <class... Views>
RowSplit rows_of(int64_t elements, const View& first, const Views&... others) {
    if (!(first.dense() && ... && others.dense())) return {first.pixels(), first.c, 0, false};
    const int64_t c = std::max<int64_t>(1, first.c);
    int64_t pixels = 32 / std::gcd<int64_t>(c, 32);
    while (pixels > 1 && pixels * c > std::max<int64_t>(640, elements)) pixels /= 2;
    pixels *= std::max<int64_t>(1, elements / (pixels * c));
    return {first.pixels() / pixels, pixels * c, first.pixels() % pixels * c, true};
}

// f(row, width) for every row of element-wise work.
template <class F>
void parallel_rows(const Queue& q, const RowSplit& rows, F f) {
    parallel_each(q, rows.count(), rows.count() * rows.width, [&](int64_t row) { f(row, rows.width_of(row)); });
}
constexpr int64_t elementwise_row = 4096;

}  // namespace atrous::kernels::cpu
