// Batch normalization. Pixels are cut into rows of lanes: the channels of one pixel, or of several where channels are
// few and all views dense. Statistics: blocks of rows that fit the cache, each by two passes (mean, then squares about
// it) in float lanes, merged in double (Chan, Golub & LeVeque 1983) within parts and then over parts; both fixed by the
// shape.
#include "kernels/norm.h"

#include <cmath>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

constexpr int64_t lanes_wanted = 128, block_elements = 16384, max_parts = 64, longest_block = 256;

struct Split {
    RowSplit rows;
    int64_t channels, lanes, block_rows, blocks, parts;

    Split(const RowSplit& r, int64_t c) : rows(r), channels(c), lanes(r.width) {
        block_rows = std::clamp<int64_t>(block_elements / std::max<int64_t>(1, lanes), 8, longest_block);
        blocks = ceil_div(rows.rows, block_rows);
        parts = std::min(blocks, max_parts);
    }
    // f(first row, number of rows) for each block of a part, in order.
    template <class F>
    void each_block(int64_t part, F f) const {
        for (int64_t b = blocks * part / parts; b < blocks * (part + 1) / parts; ++b)
            f(b * block_rows, std::min(block_rows, rows.rows - b * block_rows));
    }
};

// per_lane[lane] = per_channel[lane's channel].
template <class A>
void spread(A* per_lane, const A* per_channel, const Split& s) {
    for (int64_t lane = 0; lane < s.lanes; ++lane) per_lane[lane] = per_channel[lane % s.channels];
}

// --- statistics

template <class T, class A>
void add_row(const T* x, A* sum, int64_t width) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) sum[c] += load(x[c]);
}
template <class T, class A>
void add_four_rows(const T* x, int64_t step, A* sum, int64_t width) {
    const T *x1 = x + step, *x2 = x1 + step, *x3 = x2 + step;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) sum[c] += (load(x[c]) + load(x1[c])) + (load(x2[c]) + load(x3[c]));
}
template <class T, class A>
void add_squares(const T* x, const A* centre, A* sum, A* squares, int64_t width) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
        const A d = load(x[c]) - centre[c];
        sum[c] += d;
        squares[c] += d * d;
    }
}
template <class T, class A>
void add_four_squares(const T* x, int64_t step, const A* centre, A* sum, A* squares, int64_t width) {
    const T *x1 = x + step, *x2 = x1 + step, *x3 = x2 + step;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
        const A d0 = load(x[c]) - centre[c], d1 = load(x1[c]) - centre[c];
        const A d2 = load(x2[c]) - centre[c], d3 = load(x3[c]) - centre[c];
        sum[c] += (d0 + d1) + (d2 + d3);
        squares[c] += (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3);
    }
}

// Count, mean and sum of squared deviations of each lane (all lanes have one count).
struct Moments {
    double count = 0;
    double *mean, *squares;
};

// Adds n values a lane: their sum and squares about `centre`.
template <class A>
void merge_block(Moments& m, const A* centre, const A* sum, const A* squares, int64_t n, int64_t lanes) {
    const double inverse = 1 / double(n), total = m.count + double(n);
    const double share = double(n) / total, between = m.count * double(n) / total;
    double *mean = m.mean, *into = m.squares;
#pragma omp simd
    for (int64_t c = 0; c < lanes; ++c) {
        const double shift = double(sum[c]) * inverse;
        const double delta = double(centre[c]) + shift - mean[c];
        into[c] += double(squares[c]) - double(sum[c]) * shift + delta * delta * between;
        mean[c] += delta * share;
    }
    m.count = total;
}

template <class T, class A>
void block_moments(const Split& s, const View& x, int64_t row, int64_t n, A* centre, A* sum, A* squares) {
    const int64_t lanes = s.lanes, step = s.rows.row<const T>(x, 1) - s.rows.row<const T>(x, 0);
    std::fill_n(centre, lanes, A(0));
    std::fill_n(sum, lanes, A(0));
    std::fill_n(squares, lanes, A(0));
    int64_t r = 0;
    for (; r + 4 <= n; r += 4) {
        const T* four = s.rows.row<const T>(x, row + r);
        prefetch_ahead(four, 4 * step);
        add_four_rows(four, step, centre, lanes);
    }
    for (; r < n; ++r) add_row(s.rows.row<const T>(x, row + r), centre, lanes);
    const A inverse = A(1) / A(n);
    for (int64_t c = 0; c < lanes; ++c) centre[c] *= inverse;
    for (r = 0; r + 4 <= n; r += 4)
        add_four_squares(s.rows.row<const T>(x, row + r), step, centre, sum, squares, lanes);
    for (; r < n; ++r) add_squares(s.rows.row<const T>(x, row + r), centre, sum, squares, lanes);
}

// Merges lanes and the tail row into channels: mean[c] and variance[c].
template <class T>
void merge_lanes(const Split& s, const View& x, const Moments& lanes, double* mean, double* variance) {
    for (int64_t c = 0; c < s.channels; ++c) {
        double count = 0, centre = 0, squares = 0;
        const auto merge = [&](double n, double other_mean, double other_squares) {
            const double delta = other_mean - centre, total = count + n;
            squares += other_squares + delta * delta * count * n / total;
            centre += delta * n / total;
            count = total;
        };
        for (int64_t lane = c; lanes.count > 0 && lane < s.lanes; lane += s.channels)
            merge(lanes.count, lanes.mean[lane], lanes.squares[lane]);
        for (int64_t lane = c; lane < s.rows.tail; lane += s.channels)
            merge(1, double(load(s.rows.row<const T>(x, s.rows.rows)[lane])), 0);
        mean[c] = centre;
        variance[c] = squares / count;
    }
}

template <class T>
void batch_statistics(Queue& q, const Split& s, const View& x, double* mean, double* variance) {
    using A = accumulator_t<T>;
    double* parts = q.scratch<double>(size_t(s.parts + 1) * s.lanes * 2);
    double* counts = q.scratch<double>(s.parts + 1);
    A* buffers = q.scratch<A>(size_t(q.threads()) * s.lanes * 3);
    const auto part_of = [&](int64_t part) {
        double* p = parts + part * s.lanes * 2;
        std::fill_n(p, s.lanes * 2, 0.0);
        return Moments{0, p, p + s.lanes};
    };
    parallel_ranges(q, s.parts, x.count(), [&](int64_t begin, int64_t end, int thread) {
        A* centre = buffers + thread * s.lanes * 3;
        for (int64_t part = begin; part < end; ++part) {
            Moments m = part_of(part);
            s.each_block(part, [&](int64_t row, int64_t n) {
                block_moments<T>(s, x, row, n, centre, centre + s.lanes, centre + 2 * s.lanes);
                merge_block(m, centre, centre + s.lanes, centre + 2 * s.lanes, n, s.lanes);
            });
            counts[part] = m.count;
        }
    });
    Moments all = part_of(s.parts);
    for (int64_t part = 0; part < s.parts; ++part) {
        const double *m = parts + part * s.lanes * 2, n = counts[part], total = all.count + n;
        for (int64_t c = 0; c < s.lanes; ++c) {
            const double delta = m[c] - all.mean[c];
            all.squares[c] += m[s.lanes + c] + delta * delta * (all.count * n / total);
            all.mean[c] += delta * (n / total);
        }
        all.count = total;
    }
    merge_lanes<T>(s, x, all, mean, variance);
}

// Fills mean and inv_std, and the running statistics where they are to follow.
template <class T>
void statistics(Queue& q, const Split& s, const BatchNormForwardArgs& a) {
    using A = accumulator_t<T>;
    A *mean = static_cast<A*>(a.mean), *inv_std = static_cast<A*>(a.inv_std);
    A *running_mean = static_cast<A*>(a.running_mean), *running_var = static_cast<A*>(a.running_var);
    if (!a.training) {
        for (int64_t c = 0; c < s.channels; ++c) {
            mean[c] = running_mean[c];
            inv_std[c] = A(1 / std::sqrt(double(running_var[c]) + a.epsilon));
        }
        return;
    }
    double *exact_mean = q.scratch<double>(s.channels), *variance = q.scratch<double>(s.channels);
    batch_statistics<T>(q, s, a.x, exact_mean, variance);
    const double m = double(a.x.pixels());
    for (int64_t c = 0; c < s.channels; ++c) {
        mean[c] = A(exact_mean[c]);
        inv_std[c] = A(1 / std::sqrt(variance[c] + a.epsilon));
        if (!a.update_running) continue;
        running_mean[c] = A(running_mean[c] + a.momentum * (exact_mean[c] - running_mean[c]));
        running_var[c] = A(running_var[c] + a.momentum * (variance[c] * m / (m - 1) - running_var[c]));
    }
    if (a.update_running && a.batches_tracked) ++*a.batches_tracked;
}

// --- forward

// What each lane is multiplied with and shifted by.
template <class A>
struct LaneParameters {
    A *mean, *inv_std, *scale, *beta;

    LaneParameters(Queue& q, const Split& s, const void* gamma, const void* bias, const void* means,
                   const void* inv_stds) {
        mean = q.scratch<A>(s.lanes), inv_std = q.scratch<A>(s.lanes);
        scale = q.scratch<A>(s.lanes), beta = q.scratch<A>(s.lanes);
        spread(mean, static_cast<const A*>(means), s);
        spread(inv_std, static_cast<const A*>(inv_stds), s);
        spread(scale, static_cast<const A*>(gamma), s);
        spread(beta, static_cast<const A*>(bias), s);
        for (int64_t lane = 0; lane < s.lanes; ++lane) scale[lane] *= inv_std[lane];
    }
};

// Before residual and activation. Forward and backward share it, so that their masks agree bit for bit.
template <class A>
inline A affine(A x, A mean, A scale, A beta) {
    return (x - mean) * scale + beta;
}

template <bool residual, bool relu, class T, class A>
void apply_row(const T* x, const T* r, T* y, const LaneParameters<A>& p, int64_t width) {
    const A *mean = p.mean, *scale = p.scale, *beta = p.beta;
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
        A value = affine(load(x[c]), mean[c], scale[c], beta[c]);
        if constexpr (residual) value += load(r[c]);
        if constexpr (relu) value = value <= 0 ? A(0) : value;
        y[c] = narrow<T>(value);
    }
}

template <class T>
void forward(Queue& q, const BatchNormForwardArgs& a) {
    using A = accumulator_t<T>;
    const RowSplit rows = a.residual ? rows_of(lanes_wanted, a.x, a.y, a.residual) : rows_of(lanes_wanted, a.x, a.y);
    const Split s(rows, a.x.c);
    statistics<T>(q, s, a);
    const LaneParameters<A> p(q, s, a.gamma, a.beta, a.mean, a.inv_std);
    with_flag(bool(a.residual), [&](auto residual) {
        with_flag(a.relu, [&](auto relu) {
            parallel_rows(q, rows, [&](int64_t row, int64_t width) {
                const T* r = residual ? rows.row<const T>(a.residual, row) : nullptr;
                apply_row<residual, relu>(rows.row<const T>(a.x, row), r, rows.row<T>(a.y, row), p, width);
            });
        });
    });
}

// --- backward

enum class Mask { none, from_x, from_y };  // where the ReLU's mask comes from

template <Mask mask, class T, class A>
inline A masked(const T* dy, const T* x, const T* y, const LaneParameters<A>& p, int64_t c) {
    const A g = load(dy[c]);
    if constexpr (mask == Mask::from_x) return affine(load(x[c]), p.mean[c], p.scale[c], p.beta[c]) > 0 ? g : A(0);
    if constexpr (mask == Mask::from_y) return load(y[c]) > 0 ? g : A(0);
    return g;
}

template <class F>
void with_mask(const BatchNormBackwardArgs& a, F f) {
    if (!a.relu) return f(std::integral_constant<Mask, Mask::none>{});
    if (a.y) return f(std::integral_constant<Mask, Mask::from_y>{});
    f(std::integral_constant<Mask, Mask::from_x>{});
}

// sum += g, products += g * (x - mean), for one row.
template <Mask mask, class T, class A>
void reduce_row(const T* dy, const T* x, const T* y, const LaneParameters<A>& p, A* sum, A* products, int64_t width) {
    prefetch_ahead(dy, width);
    prefetch_ahead(x, width);
    if constexpr (mask == Mask::from_y) prefetch_ahead(y, width);
#pragma omp simd
    for (int64_t c = 0; c < width; ++c) {
        const A g = masked<mask>(dy, x, y, p, c);
        sum[c] += g;
        products[c] += g * (load(x[c]) - p.mean[c]);
    }
}

// sums[lane] = sum of g and sums[lanes + lane] = sum of g * (x - mean), in double.
template <Mask mask, class T, class A = accumulator_t<T>>
void reduce(Queue& q, const Split& s, const BatchNormBackwardArgs& a, const LaneParameters<A>& p, double* sums) {
    const int64_t lanes = s.lanes;
    double* parts = q.scratch<double>(size_t(s.parts) * lanes * 2);
    A* buffers = q.scratch<A>(size_t(q.threads()) * lanes * 2);
    const auto reduce_into = [&](int64_t row, A* sum, int64_t width) {
        const T* y = mask == Mask::from_y ? s.rows.row<const T>(a.y, row) : nullptr;
        reduce_row<mask>(s.rows.row<const T>(a.dy, row), s.rows.row<const T>(a.x, row), y, p, sum, sum + lanes, width);
    };
    parallel_ranges(q, s.parts, a.x.count(), [&](int64_t begin, int64_t end, int thread) {
        A* sum = buffers + thread * lanes * 2;
        for (int64_t part = begin; part < end; ++part) {
            double* total = parts + part * lanes * 2;
            std::fill_n(total, lanes * 2, 0.0);
            s.each_block(part, [&](int64_t row, int64_t n) {
                std::fill_n(sum, lanes * 2, A(0));
                for (int64_t r = row; r < row + n; ++r) reduce_into(r, sum, lanes);
                for (int64_t c = 0; c < lanes * 2; ++c) total[c] += double(sum[c]);
            });
        }
    });
    std::fill_n(buffers, lanes * 2, A(0));
    if (s.rows.tail > 0) reduce_into(s.rows.rows, buffers, s.rows.tail);
    for (int64_t c = 0; c < lanes * 2; ++c) sums[c] = double(buffers[c]);
    for (int64_t part = 0; part < s.parts; ++part)
        for (int64_t c = 0; c < lanes * 2; ++c) sums[c] += parts[part * lanes * 2 + c];
}

// dgamma and dbeta of each channel from the sums of its lanes.
template <class A>
void fold(const Split& s, const BatchNormBackwardArgs& a, const double* sums, double* dgamma, double* dbeta) {
    const A* inv_std = static_cast<const A*>(a.inv_std);
    for (int64_t c = 0; c < s.channels; ++c) {
        double g = 0, product = 0;
        for (int64_t lane = c; lane < s.lanes; lane += s.channels) g += sums[lane], product += sums[s.lanes + lane];
        dbeta[c] = g;
        dgamma[c] = product * double(inv_std[c]);
        if (a.dbeta) a.dbeta.as<A>()[c] = A(a.dbeta.accumulate ? double(a.dbeta.as<A>()[c]) + g : g);
        if (a.dgamma)
            a.dgamma.as<A>()[c] = A(a.dgamma.accumulate ? double(a.dgamma.as<A>()[c]) + dgamma[c] : dgamma[c]);
    }
}

// dx = scale * g - offset - slope * (x - mean)
template <class A>
struct LaneGradients {
    A *offset, *slope;
};

template <class A>
LaneGradients<A> lane_gradients(Queue& q, const Split& s, const BatchNormBackwardArgs& a, const double* dgamma,
                                const double* dbeta) {
    const LaneGradients<A> out{q.scratch<A>(s.lanes), q.scratch<A>(s.lanes)};
    const double m = a.training ? double(a.x.pixels()) : INFINITY;
    for (int64_t lane = 0; lane < s.lanes; ++lane) {
        const int64_t c = lane % s.channels;
        const double inv_std = double(static_cast<const A*>(a.inv_std)[c]);
        const double scale = double(static_cast<const A*>(a.gamma)[c]) * inv_std;
        out.offset[lane] = A(scale * dbeta[c] / m);
        out.slope[lane] = A(scale * inv_std * dgamma[c] / m);
    }
    return out;
}

template <bool accumulate, class T, class A>
void input_row(const A* g, const T* x, T* dx, const LaneParameters<A>& p, const LaneGradients<A>& k, int64_t width) {
#pragma omp simd
    for (int64_t c = 0; c < width; ++c)
        put<accumulate>(dx[c], p.scale[c] * g[c] - k.offset[c] - k.slope[c] * (load(x[c]) - p.mean[c]));
}

template <class T, class A>
void residual_row(const A* g, T* to, bool accumulate, int64_t width) {
    with_flag(accumulate, [&](auto add) {
#pragma omp simd
        for (int64_t c = 0; c < width; ++c) put<add>(to[c], g[c]);
    });
}

template <Mask mask, class T, class A = accumulator_t<T>>
void apply(Queue& q, const Split& s, const BatchNormBackwardArgs& a, const LaneParameters<A>& p,
           const LaneGradients<A>& k) {
    A* buffers = q.scratch<A>(size_t(q.threads()) * s.lanes);
    parallel_ranges(q, s.rows.count(), a.x.count(), [&](int64_t begin, int64_t end, int thread) {
        A* g = buffers + thread * s.lanes;
        for (int64_t row = begin; row < end; ++row) {
            const int64_t width = s.rows.width_of(row);
            const T *dy = s.rows.row<const T>(a.dy, row), *x = s.rows.row<const T>(a.x, row);
            const T* y = mask == Mask::from_y ? s.rows.row<const T>(a.y, row) : nullptr;
            prefetch_ahead(dy, width);
            prefetch_ahead(x, width);
            if constexpr (mask == Mask::from_y) prefetch_ahead(y, width);
#pragma omp simd
            for (int64_t c = 0; c < width; ++c) g[c] = masked<mask>(dy, x, y, p, c);
            if (a.dx)
                with_flag(a.dx.accumulate, [&](auto accumulate) {
                    input_row<accumulate>(g, x, s.rows.row<T>(a.dx.view, row), p, k, width);
                });
            if (a.dresidual) residual_row(g, s.rows.row<T>(a.dresidual.view, row), a.dresidual.accumulate, width);
        }
    });
}

template <class T>
void backward(Queue& q, const BatchNormBackwardArgs& a) {
    using A = accumulator_t<T>;
    const View &y = a.y ? a.y : a.x, &dx = a.dx ? a.dx.view : a.x, &dresidual = a.dresidual ? a.dresidual.view : a.x;
    const Split s(rows_of(lanes_wanted, a.x, a.dy, y, dx, dresidual), a.x.c);
    const LaneParameters<A> p(q, s, a.gamma, a.beta, a.mean, a.inv_std);
    double *dgamma = q.scratch<double>(s.channels), *dbeta = q.scratch<double>(s.channels);
    std::fill_n(dgamma, s.channels, 0.0);
    std::fill_n(dbeta, s.channels, 0.0);
    with_mask(a, [&](auto mask) {
        if (a.training || a.dgamma || a.dbeta) {
            double* sums = q.scratch<double>(s.lanes * 2);
            reduce<mask.value, T>(q, s, a, p, sums);
            fold<A>(s, a, sums, dgamma, dbeta);
        }
        if (a.dx || a.dresidual) apply<mask.value, T>(q, s, a, p, lane_gradients<A>(q, s, a, dgamma, dbeta));
    });
}

}  // namespace

void batch_norm_forward(Queue& q, const BatchNormForwardArgs& a) {
    check(a);
    ran("batch_norm_forward/omp");
    dispatch_cpu("batch_norm_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(q, a); });
}

void batch_norm_backward(Queue& q, const BatchNormBackwardArgs& a) {
    check(a);
    ran("batch_norm_backward/omp");
    dispatch_cpu("batch_norm_backward", a.x.dtype, [&](auto zero) { backward<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
