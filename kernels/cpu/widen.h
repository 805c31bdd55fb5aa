// Temporary copies in another layout or element type.
#pragma once

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

// to = from, or to += from, between views of one shape.
template <class From, class To>
void copy_values(Queue& q, const View& from, const View& to, bool accumulate = false) {
    const RowSplit rows = rows_of(elementwise_row, from, to);
    with_flag(accumulate, [&](auto flag) {
        parallel_rows(q, rows, [&](int64_t row, int64_t width) {
            const From* a = rows.row<const From>(from, row);
            To* b = rows.row<To>(to, row);
            for (int64_t i = 0; i < width; ++i) put<flag.value>(b[i], load(a[i]));
        });
    });
}

// Space for v's values as dense T.
template <class T>
View space_for(Queue& q, View v) {
    v.data = q.scratch<T>(v.count());
    v.dtype = dtype_of<T>;
    v.pitch = v.c;
    return v;
}

// bf16 values as dense float.
inline View widened(Queue& q, const View& v) {
    const View copy = space_for<float>(q, v);
    copy_values<bf16, float>(q, v, copy);
    return copy;
}

template <class T>
View vector_view(T* data, int64_t count) {
    return {data, dtype_of<T>, count, 1, 1, 1, 1};
}

}  // namespace atrous::kernels::cpu
