// Global average pooling. An image is cut into rows of lanes (a pixel's channels, or several pixels' where channels are
// few); blocks of rows are summed in the arithmetic type, blocks into parts and parts into channels in double. Both are
// fixed by the shape.
#include "kernels/global_pool.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

constexpr int64_t lanes_wanted = 128, block_rows = 64, part_blocks = 4;

template <class T>
View image_of(View v, int64_t n) {
    v.data = v.as<T>() + n * v.h * v.w * v.pitch;
    v.n = 1;
    return v;
}

// total[lane] += the sums of rows [begin, end), where `sum` is the block's buffer.
template <class T, class A>
void sum_rows(const RowSplit& rows, const View& image, int64_t begin, int64_t end, A* sum, double* total) {
    for (int64_t first = begin; first < end; first += block_rows) {
        std::fill_n(sum, rows.width, A(0));
        for (int64_t row = first; row < std::min(first + block_rows, end); ++row) {
            const T* x = rows.row<const T>(image, row);
            const int64_t width = rows.width_of(row);
#pragma omp simd
            for (int64_t i = 0; i < width; ++i) sum[i] += load(x[i]);
        }
        for (int64_t i = 0; i < rows.width; ++i) total[i] += double(sum[i]);
    }
}

template <class T>
void forward(Queue& q, const GlobalPoolForwardArgs& a) {
    using A = accumulator_t<T>;
    const int64_t pixels = a.x.h * a.x.w, channels = a.x.c;
    const RowSplit rows = rows_of(lanes_wanted, image_of<T>(a.x, 0));
    const int64_t lanes = std::max(rows.width, rows.tail), part_rows = block_rows * part_blocks;
    const int64_t parts = ceil_div(rows.count(), part_rows);
    double* totals = q.scratch<double>(size_t(a.x.n * parts * lanes));
    A* buffers = q.scratch<A>(size_t(q.threads()) * lanes);
    std::fill_n(totals, a.x.n * parts * lanes, 0.0);
    parallel_ranges(q, a.x.n * parts, a.x.count(), [&](int64_t begin, int64_t end, int thread) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t first = i % parts * part_rows;
            sum_rows<T>(rows, image_of<T>(a.x, i / parts), first, std::min(first + part_rows, rows.count()),
                        buffers + thread * lanes, totals + i * lanes);
        }
    });
    for (int64_t n = 0; n < a.x.n; ++n)
        for (int64_t c = 0; c < channels; ++c) {
            double sum = 0;
            for (int64_t part = 0; part < parts; ++part)
                for (int64_t lane = c; lane < lanes; lane += channels) sum += totals[(n * parts + part) * lanes + lane];
            a.y.as<T>()[n * a.y.pitch + c] = narrow<T>(A(sum / double(pixels)));
        }
}

template <class T>
void backward(Queue& q, const GlobalPoolBackwardArgs& a) {
    using A = accumulator_t<T>;
    const View& dx = a.dx.view;
    const int64_t pixels = dx.h * dx.w;
    const A share = A(1 / double(pixels));
    const RowSplit rows = rows_of(elementwise_row, image_of<T>(dx, 0));
    const int64_t lanes = std::max(rows.width, rows.tail);
    A* gradients = q.scratch<A>(size_t(dx.n * lanes));  // of each image, spread over the lanes of a row
    for (int64_t i = 0; i < dx.n * lanes; ++i)
        gradients[i] = load(a.dy.as<const T>()[i / lanes * a.dy.pitch + i % lanes % dx.c]) * share;
    with_flag(a.dx.accumulate, [&](auto accumulate) {
        parallel_each(q, dx.n * rows.count(), dx.count(), [&](int64_t i) {
            const int64_t n = i / rows.count(), row = i % rows.count(), width = rows.width_of(row);
            const A* gradient = gradients + n * lanes;
            T* to = rows.row<T>(image_of<T>(dx, n), row);
#pragma omp simd
            for (int64_t j = 0; j < width; ++j) put<accumulate>(to[j], gradient[j]);
        });
    });
}

}  // namespace

void global_pool_forward(Queue& q, const GlobalPoolForwardArgs& a) {
    check(a);
    ran("global_pool_forward/omp");
    dispatch_cpu("global_pool_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(q, a); });
}

void global_pool_backward(Queue& q, const GlobalPoolBackwardArgs& a) {
    check(a);
    ran("global_pool_backward/omp");
    dispatch_cpu("global_pool_backward", a.dy.dtype, [&](auto zero) { backward<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
