// Dropout. Per run of elements the factors (1 / (1 - p) or 0) are drawn into a buffer, four from each block of random
// words, then multiplied: both loops vectorize.
#include "kernels/dropout.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

struct Draws {
    uint32_t key0, key1, step0, step1, max_dropped;  // words up to max_dropped are dropped, unless none_dropped
    bool none_dropped;

    explicit Draws(const DropoutArgs& a) : key0(uint32_t(a.key)), key1(uint32_t(a.key >> 32)) {
        const uint64_t step = uint64_t(a.step + (a.device_step ? *a.device_step : 0));
        step0 = uint32_t(step), step1 = uint32_t(step >> 32);
        none_dropped = dropout_threshold(a.p) == 0;
        max_dropped = uint32_t(dropout_threshold(a.p) - 1);
    }
};

struct Words {
    uint32_t v[4];
};

// philox4x32 written so that a loop over blocks vectorizes.
inline Words philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
        const uint64_t a = uint64_t(0xD2511F53u) * c0, b = uint64_t(0xCD9E8D57u) * c2;
        c0 = uint32_t(b >> 32) ^ c1 ^ k0, c1 = uint32_t(b);
        c2 = uint32_t(a >> 32) ^ c3 ^ k1, c3 = uint32_t(a);
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return {{c0, c1, c2, c3}};
}

// Factors of elements [4 * first, 4 * (first + blocks)).
template <class A>
void draw(const Draws& d, uint64_t first, int64_t blocks, A scale, A* factors) {
    if (d.none_dropped) {
        std::fill_n(factors, 4 * blocks, scale);
        return;
    }
#pragma omp simd
    for (int64_t i = 0; i < blocks; ++i) {
        const uint64_t block = first + uint64_t(i);
        const Words w = philox(uint32_t(block), uint32_t(block >> 32), d.step0, d.step1, d.key0, d.key1);
        factors[4 * i + 0] = w.v[0] > d.max_dropped ? scale : A(0);
        factors[4 * i + 1] = w.v[1] > d.max_dropped ? scale : A(0);
        factors[4 * i + 2] = w.v[2] > d.max_dropped ? scale : A(0);
        factors[4 * i + 3] = w.v[3] > d.max_dropped ? scale : A(0);
    }
}

template <class T>
void apply(Queue& q, const DropoutArgs& a) {
    using A = accumulator_t<T>;
    const Draws draws(a);
    const A scale = A(dropout_scale(a.p));
    const RowSplit rows = rows_of(elementwise_row, a.x, a.y.view);
    const int64_t width = std::max(rows.width, rows.tail), buffer = width + 8;  // rows may begin and end within a block
    A* buffers = q.scratch<A>(size_t(q.threads() * buffer));
    with_flag(a.y.accumulate, [&](auto accumulate) {
        parallel_ranges(q, rows.count(), a.x.count(), [&](int64_t begin, int64_t end, int thread) {
            A* factors = buffers + thread * buffer;
            for (int64_t row = begin; row < end; ++row) {
                const int64_t first = row * rows.width, count = rows.width_of(row), lead = first % 4;
                draw(draws, uint64_t(first / 4), ceil_div(lead + count, 4), scale, factors);
                const T* x = rows.row<const T>(a.x, row);
                const A* factor = factors + lead;
                T* y = rows.row<T>(a.y.view, row);
#pragma omp simd
                for (int64_t i = 0; i < count; ++i)  // not a product: what is dropped may be infinite
                    put<accumulate>(y[i], factor[i] > 0 ? load(x[i]) * factor[i] : A(0));
            }
        });
    });
}

}  // namespace

void dropout(Queue& q, const DropoutArgs& a) {
    check(a);
    ran("dropout/omp");
    dispatch_cpu("dropout", a.x.dtype, [&](auto zero) { apply<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
