// How the loops of the cpu kernels are shared out: contiguous ranges for threads, rows of contiguous elements for
// vectors. Nothing computed here depends on the number of threads; kernels split sums into parts fixed by the shape.
// Each thread takes range after range (team.h): one that another program keeps from its core leaves the rest to others.
#pragma once

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "base/error.h"
#include "base/view.h"
#include "kernels/cpu/team.h"
#include "kernels/queue.h"

namespace atrous::kernels::cpu {

// Below this many elements a thread costs more than it saves.
constexpr int64_t elements_worth_a_thread = 16384;

// A range of fewer elements is not worth the asking for it.
constexpr int64_t least_elements_a_range = 4096;
constexpr int64_t most_ranges_a_thread = 8;

// f(begin, end, thread) on contiguous ranges that cover [0, count), several for each thread and in any order; `elements`
// is the work in all of them.
template <class F>
void parallel_ranges(const Queue& q, int64_t count, int64_t elements, F f) {
    if (count <= 0 || q.is_dry_run()) return;
    const int64_t useful = std::min(count, std::max<int64_t>(1, elements / elements_worth_a_thread));
    const int threads = int(std::min<int64_t>(q.threads(), useful));
    if (threads <= 1) return f(int64_t(0), count, 0);
    const int64_t ranges = std::min(
        {count, threads * most_ranges_a_thread, std::max<int64_t>(threads, elements / least_elements_a_range)});
    share_pieces(threads, ranges,
                 [&](int64_t range, int thread) { f(count * range / ranges, count * (range + 1) / ranges, thread); });
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
