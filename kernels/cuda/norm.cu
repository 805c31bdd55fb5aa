// Batch normalization. Grid of the kernels that read tensors: x over chunks of pixels, y over slabs of at most 32
// groups of channels (gpu/pixels.h, Columns); a block of 256 threads owns a chunk of a slab, a thread keeps its group's
// constants and sums in registers. Grid of the finishing kernels: x over 8 channels, 32 threads a channel add up the
// chunks. Shared memory: statistics 2 floats an element of the 256 groups and 1 KiB (17 KiB for 8-vectors), gradient
// sums 2 floats an element (16 KiB), finishing 6 KiB.
//
// Forward: statistics (one read; none where x comes with its moments, of which over 1024 runs are merged first: a thread
// a channel and group of runs), finish, apply (one read, one write). Backward: gradient sums (reads dy, x and, with a
// residual, y; writes dresidual), finish, input gradient (reads the masked gradient and x, writes dx).
#include "kernels/norm.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels: statistics ----

template <class T>
struct StatisticsArgs {
    const T* x;
    int64_t pitch;
    float* partials;  // [chunks][2][C]: mean, sum of squared deviations
    Columns shape;
};

// A thread's sums are of differences to its own first value: a large mean costs no digits, and one unusual value (a
// corner of the image, say) spoils at most the few sums that begin with it, by rounding errors of its own size.
template <class T, int W>
__global__ void __launch_bounds__(block_threads) batch_statistics(StatisticsArgs<T> a) {
    __shared__ float means[block_threads * W], squares[block_threads * W], counts[block_threads];
    const ColumnPlace at = place_in<W>(a.shape);
    const int rows = a.shape.rows, columns = a.shape.lanes * W;
    const auto count_of = [&](int row) { return float(max(int64_t(0), (at.last - at.first - row + rows - 1) / rows)); };
    Floats<W> shift = {}, sum = {}, square = {};
    const float count = count_of(at.row);
    if (at.active && count > 0) {
        const T* const x = a.x + at.channel;
        shift = load_floats<W>(x + (at.first + at.row) * a.pitch);
        for_each_pixel<4>(
            at, rows, [&](int64_t pixel) { return load_vector<W>(x + pixel * a.pitch); },
            [&](int64_t, const Vec<T, W>& loaded) {
#pragma unroll
                for (int i = 0; i < W; ++i) {
                    const float d = device_float(loaded.v[i]) - shift.v[i];
                    sum.v[i] += d;
                    square.v[i] = fmaf(d, d, square.v[i]);
                }
            });
    }
    if (at.in_block)
#pragma unroll
        for (int i = 0; i < W; ++i) {
            const int to = at.row * columns + at.lane * W + i;
            const float offset = count > 0 ? sum.v[i] / count : 0.0f;
            means[to] = shift.v[i] + offset;
            squares[to] = square.v[i] - sum.v[i] * offset;
        }
    merge_columns(means, squares, counts, rows, columns, count_of, [&](int column, const Moments& m) {
        const int64_t channel = int64_t(blockIdx.y) * columns + column;
        if (channel >= a.shape.channels) return;
        float* const to = a.partials + int64_t(blockIdx.x) * 2 * a.shape.channels + channel;
        to[0] = m.mean;
        to[a.shape.channels] = m.squares;
    });
}

struct FinishStatisticsArgs {
    const float* partials;
    Columns shape;
    double momentum, epsilon;
    float *mean, *inv_std, *running_mean, *running_var;  // running statistics absent: left alone
    int64_t* batches_tracked;
};

__global__ void __launch_bounds__(finish_threads) finish_statistics(FinishStatisticsArgs a) {
    const int64_t channels = a.shape.channels, channel = int64_t(blockIdx.x) * finish_columns + finish_place().column;
    const double pixels = double(a.shape.pixels);
    const float* const partials = a.partials + channel;
    const double origin = channel < channels ? partials[0] : 0;
    sum_chunks<3>(
        channel < channels ? a.shape.chunks : 0,
        [&](int64_t chunk, double* sums) {
            const double count =
                double(min(a.shape.pixels_per_block, a.shape.pixels - chunk * a.shape.pixels_per_block));
            const double d = partials[chunk * 2 * channels] - origin;
            sums[0] += count * d, sums[1] += count * d * d, sums[2] += partials[(chunk * 2 + 1) * channels];
        },
        [&](const double* sums) {
            if (channel >= channels) return;
            const double mean = origin + sums[0] / pixels;
            const double variance = max((sums[2] + sums[1] - sums[0] * sums[0] / pixels) / pixels, 0.0);
            a.mean[channel] = float(mean);
            a.inv_std[channel] = float(1 / sqrt(variance + a.epsilon));
            if (!a.running_mean) return;
            const double old_mean = a.running_mean[channel], old_var = a.running_var[channel];
            a.running_mean[channel] = float(old_mean + a.momentum * (mean - old_mean));
            a.running_var[channel] = float(old_var + a.momentum * (variance * pixels / (pixels - 1) - old_var));
            if (channel == 0 && a.batches_tracked) ++*a.batches_tracked;
        });
}

struct MergeArgs {
    const float* from;  // [runs][2][C], as partials above
    float* to;          // [groups][2][C]
    int64_t pixels, pixels_of_run, channels, runs, runs_of_group;
};

// As finish_statistics, in double and against the first run's mean: a float would lose the mean's digits run by run.
__global__ void __launch_bounds__(block_threads) merge_runs(MergeArgs a) {
    const int64_t i = int64_t(blockIdx.x) * block_threads + threadIdx.x, channel = i % a.channels,
                  group = i / a.channels;
    const int64_t first = group * a.runs_of_group, last = min(first + a.runs_of_group, a.runs);
    if (first >= last) return;
    const float* const from = a.from + channel;
    const double origin = from[first * 2 * a.channels];
    double pixels = 0, sum = 0, spread = 0, squares = 0;
#pragma unroll 4
    for (int64_t run = first; run < last; ++run) {
        const double count = double(min(a.pixels_of_run, a.pixels - run * a.pixels_of_run));
        const double d = from[run * 2 * a.channels] - origin;
        pixels += count, sum += count * d, spread += count * d * d;
        squares += from[(run * 2 + 1) * a.channels];
    }
    float* const to = a.to + group * 2 * a.channels + channel;
    to[0] = float(origin + sum / pixels);
    to[a.channels] = float(squares + spread - sum * sum / pixels);
}

struct RunningArgs {
    const float *running_mean, *running_var;
    float *mean, *inv_std;
    int64_t channels;
    double epsilon;
};

__global__ void __launch_bounds__(block_threads) use_running(RunningArgs a) {
    const int64_t c = int64_t(blockIdx.x) * block_threads + threadIdx.x;
    if (c >= a.channels) return;
    a.mean[c] = a.running_mean[c];
    a.inv_std[c] = float(1 / sqrt(a.running_var[c] + a.epsilon));
}

// ---- kernels: forward ----

// gamma * (x - mean) * inv_std + beta for the thread's channels. Forward and backward pass share it, so that a mask
// made from x in the one equals the mask of y in the other.
template <int W>
struct Affine {
    Floats<W> mean, scale, beta;

    __device__ __forceinline__ Affine(const float* means, const float* inv_std, const float* gamma, const float* betas,
                                      int64_t channel)
        : mean(load_each<W>(means + channel)),
          scale(load_each<W>(inv_std + channel)),
          beta(load_each<W>(betas + channel)) {
        const Floats<W> g = load_each<W>(gamma + channel);
#pragma unroll
        for (int i = 0; i < W; ++i) scale.v[i] *= g.v[i];
    }
    __device__ __forceinline__ float operator()(float x, int i) const {
        return fmaf(x - mean.v[i], scale.v[i], beta.v[i]);
    }
};

template <class T>
struct ApplyArgs {
    const T *x, *residual;
    T* y;
    int64_t x_pitch, residual_pitch, y_pitch;
    const float *mean, *inv_std, *gamma, *beta;
    bool relu;
    Columns shape;
};

template <class T, int W, bool Residual>
__global__ void __launch_bounds__(block_threads) apply_norm(ApplyArgs<T> a) {
    const ColumnPlace at = place_in<W>(a.shape);
    if (!at.active) return;
    const Affine<W> affine(a.mean, a.inv_std, a.gamma, a.beta, at.channel);
    struct Loaded {
        Vec<T, W> x;
        Vec<T, Residual ? W : 1> residual;
    };
    for_each_pixel<Residual ? 2 : 4>(
        at, a.shape.rows,
        [&](int64_t pixel) {
            Loaded l;
            l.x = load_vector<W>(a.x + pixel * a.x_pitch + at.channel);
            if constexpr (Residual) l.residual = load_vector<W>(a.residual + pixel * a.residual_pitch + at.channel);
            return l;
        },
        [&](int64_t pixel, const Loaded& l) {
            Floats<W> y;
#pragma unroll
            for (int i = 0; i < W; ++i) {
                y.v[i] = affine(device_float(l.x.v[i]), i);
                if constexpr (Residual) y.v[i] += device_float(l.residual.v[i]);
                if (a.relu && y.v[i] <= 0) y.v[i] = 0;  // NaN stays
            }
            store_floats(a.y + pixel * a.y_pitch + at.channel, y);
        });
}

// ---- kernels: backward ----

template <class T>
struct GradientArgs {
    const T *dy, *x, *y;  // y absent: the mask comes from x
    T *dx, *dresidual;
    int64_t dy_pitch, x_pitch, y_pitch, dx_pitch, dresidual_pitch;
    const float *mean, *inv_std, *gamma, *beta;
    bool relu, accumulate;  // accumulate: into dresidual, or dx
    float* partials;        // [chunks][2][C]: sum g, sum g * (x - mean)
    const float* means;     // [2][C]: mean of g, and of g * xhat times inv_std; what the input gradient takes off
    Columns shape;
};

// What one pixel needs. `Plain`: the mask, if any, comes from x, and nothing is added to.
template <class T, int W, bool Plain>
struct GradientInputs {
    static constexpr int extra = Plain ? 1 : W;
    Vec<T, W> dy, x;
    Vec<T, extra> y, old;

    __device__ __forceinline__ void load(const GradientArgs<T>& a, int64_t pixel, int64_t channel, const T* added_to,
                                         int64_t pitch) {
        dy = load_vector<W>(a.dy + pixel * a.dy_pitch + channel);
        x = load_vector<W>(a.x + pixel * a.x_pitch + channel);
        if constexpr (Plain) return;
        if (a.y) y = load_vector<extra>(a.y + pixel * a.y_pitch + channel);
        if (added_to) old = load_vector<extra>(added_to + pixel * pitch + channel);
    }
    // g: dy where the activation passed.
    __device__ __forceinline__ float masked(const GradientArgs<T>& a, const Affine<W>& affine, int i) const {
        const float gradient = device_float(dy.v[i]);
        if (!a.relu) return gradient;
        const float from_x = affine(device_float(x.v[i]), i);
        if constexpr (Plain) return from_x > 0 ? gradient : 0.0f;
        return (a.y ? device_float(y.v[i % extra]) : from_x) > 0 ? gradient : 0.0f;
    }
};

template <class T, int W, bool Plain>
__global__ void __launch_bounds__(block_threads) gradient_sums(GradientArgs<T> a) {
    using Inputs = GradientInputs<T, W, Plain>;
    __shared__ float sums[block_threads * 2 * W];
    const ColumnPlace at = place_in<W>(a.shape);
    const int columns = a.shape.lanes * W;
    Floats<W> sum_g = {}, sum_gx = {};
    if (at.active) {
        const Affine<W> affine(a.mean, a.inv_std, a.gamma, a.beta, at.channel);
        const T* const old = !Plain && a.accumulate ? a.dresidual : nullptr;
        for_each_pixel<Plain ? 2 : 1>(
            at, a.shape.rows,
            [&](int64_t pixel) {
                Inputs l = {};
                l.load(a, pixel, at.channel, old, a.dresidual_pitch);
                return l;
            },
            [&](int64_t pixel, const Inputs& l) {
                Floats<W> g;
#pragma unroll
                for (int i = 0; i < W; ++i) {
                    g.v[i] = l.masked(a, affine, i);
                    sum_g.v[i] += g.v[i];
                    sum_gx.v[i] = fmaf(g.v[i], device_float(l.x.v[i]) - affine.mean.v[i], sum_gx.v[i]);
                    if (old) g.v[i] += device_float(l.old.v[i % Inputs::extra]);
                }
                if (!Plain && a.dresidual) store_floats(a.dresidual + pixel * a.dresidual_pitch + at.channel, g);
            });
    }
    if (at.in_block)
#pragma unroll
        for (int i = 0; i < W; ++i) {
            float* const to = sums + at.row * 2 * columns + at.lane * W + i;
            to[0] = sum_g.v[i];
            to[columns] = sum_gx.v[i];
        }
    sum_columns(sums, a.shape.rows, 2 * columns, [&](int column, float sum) {
        const int kind = column / columns;
        const int64_t channel = int64_t(blockIdx.y) * columns + column - kind * columns;
        if (channel < a.shape.channels) a.partials[(int64_t(blockIdx.x) * 2 + kind) * a.shape.channels + channel] = sum;
    });
}

struct FinishGradientArgs {
    const float *partials, *inv_std;
    float *dgamma, *dbeta, *means;
    bool accumulate_gamma, accumulate_beta, training;
    Columns shape;
};

__global__ void __launch_bounds__(finish_threads) finish_gradient(FinishGradientArgs a) {
    const int64_t channels = a.shape.channels, channel = int64_t(blockIdx.x) * finish_columns + finish_place().column;
    const float* const partials = a.partials + channel;
    sum_chunks<2>(
        channel < channels ? a.shape.chunks : 0,
        [&](int64_t chunk, double* sums) {
            sums[0] += partials[chunk * 2 * channels], sums[1] += partials[(chunk * 2 + 1) * channels];
        },
        [&](const double* sums) {
            if (channel >= channels) return;
            const double inv_std = a.inv_std[channel], dbeta = sums[0], dgamma = sums[1] * inv_std;
            if (a.dgamma) a.dgamma[channel] = float(dgamma + (a.accumulate_gamma ? a.dgamma[channel] : 0.0f));
            if (a.dbeta) a.dbeta[channel] = float(dbeta + (a.accumulate_beta ? a.dbeta[channel] : 0.0f));
            a.means[channel] = a.training ? float(dbeta / double(a.shape.pixels)) : 0.0f;
            a.means[channels + channel] = a.training ? float(dgamma * inv_std / double(a.shape.pixels)) : 0.0f;
        });
}

template <class T, int W, bool Plain>
__global__ void __launch_bounds__(block_threads) input_gradient(GradientArgs<T> a) {
    using Inputs = GradientInputs<T, W, Plain>;
    const ColumnPlace at = place_in<W>(a.shape);
    if (!at.active) return;
    const Affine<W> affine(a.mean, a.inv_std, a.gamma, a.beta, at.channel);
    Floats<W> mean_g = {}, mean_gx = {};
    if (a.means) {
        mean_g = load_each<W>(a.means + at.channel);
        mean_gx = load_each<W>(a.means + a.shape.channels + at.channel);
    }
    const T* const old = !Plain && a.accumulate ? a.dx : nullptr;
    for_each_pixel<Plain ? 2 : 1>(
        at, a.shape.rows,
        [&](int64_t pixel) {
            Inputs l = {};
            l.load(a, pixel, at.channel, old, a.dx_pitch);
            return l;
        },
        [&](int64_t pixel, const Inputs& l) {
            Floats<W> dx;
#pragma unroll
            for (int i = 0; i < W; ++i) {
                const float centred = device_float(l.x.v[i]) - affine.mean.v[i];
                const float g = l.masked(a, affine, i) - mean_g.v[i];
                dx.v[i] = affine.scale.v[i] * fmaf(-centred, mean_gx.v[i], g);
                if (old) dx.v[i] += device_float(l.old.v[i % Inputs::extra]);
            }
            store_floats(a.dx + pixel * a.dx_pitch + at.channel, dx);
        });
}

// ---- launchers ----

constexpr int64_t reduction_blocks = 1024, reduction_steps = 16, unlimited = int64_t(1) << 40;

Columns reduction_shape(const View& x, int width) {
    return Columns(x.pixels(), x.c, width, reduction_blocks, reduction_steps, unlimited);
}
Columns pointwise_shape(const View& x, int width) { return Columns(x.pixels(), x.c, width, 2048, 4, 16); }
dim3 finish_grid(int64_t channels) { return dim3(unsigned(ceil_div(channels, finish_columns))); }

struct ChannelStatistics {
    float *mean, *inv_std;
};

// Of x in chunks of pixels.
struct Partials {
    const float* data;
    Columns shape;
};

template <class T, int W>
Partials partials_of_values(Queue& q, const BatchNormForwardArgs& a) {
    const Columns shape = reduction_shape(a.x, W);
    float* const partials = q.scratch<float>(size_t(shape.chunks) * 2 * a.x.c);
    launch(batch_statistics<T, W>, shape.grid(), dim3(shape.threads), 0, q.stream(),
           StatisticsArgs<T>{a.x.as<T>(), a.x.pitch, partials, shape});
    return {partials, shape};
}

Partials partials_of_moments(Queue& q, const BatchNormForwardArgs& a) {
    ran("batch_norm_forward/moments");
    const int64_t runs = a.moments.runs(a.x.pixels()), each = ceil_div(runs, reduction_blocks);
    Partials p{a.moments.data, {}};
    p.shape.pixels = a.x.pixels(), p.shape.channels = a.x.c;
    p.shape.pixels_per_block = each * a.moments.pixels, p.shape.chunks = int(ceil_div(runs, each));
    if (each == 1) return p;
    float* const merged = q.scratch<float>(size_t(p.shape.chunks) * 2 * a.x.c);
    launch(merge_runs, dim3(unsigned(ceil_div(p.shape.chunks * a.x.c, block_threads))), dim3(block_threads), 0,
           q.stream(), MergeArgs{p.data, merged, a.x.pixels(), a.moments.pixels, a.x.c, runs, each});
    p.data = merged;
    return p;
}

template <class T, int W>
void training_statistics(Queue& q, const BatchNormForwardArgs& a, ChannelStatistics out) {
    const auto [partials, shape] = a.moments ? partials_of_moments(q, a) : partials_of_values<T, W>(q, a);
    launch(finish_statistics, finish_grid(a.x.c), dim3(finish_threads), 0, q.stream(),
           FinishStatisticsArgs{partials, shape, a.momentum, a.epsilon, out.mean, out.inv_std,
                                a.update_running ? static_cast<float*>(a.running_mean) : nullptr,
                                static_cast<float*>(a.running_var), a.batches_tracked});
}

void running_statistics(Queue& q, const BatchNormForwardArgs& a, ChannelStatistics out) {
    launch(use_running, dim3(unsigned(ceil_div(a.x.c, block_threads))), dim3(block_threads), 0, q.stream(),
           RunningArgs{static_cast<const float*>(a.running_mean), static_cast<const float*>(a.running_var), out.mean,
                       out.inv_std, a.x.c, a.epsilon});
}

template <class T, int W>
void forward(Queue& q, const BatchNormForwardArgs& a) {
    ran_width("batch_norm_forward", W);
    const ChannelStatistics s{static_cast<float*>(a.mean), static_cast<float*>(a.inv_std)};
    if (a.training)
        training_statistics<T, W>(q, a, s);
    else
        running_statistics(q, a, s);
    const Columns shape = pointwise_shape(a.x, W);
    launch(
        a.residual ? apply_norm<T, W, true> : apply_norm<T, W, false>, shape.grid(), dim3(shape.threads), 0, q.stream(),
        ApplyArgs<T>{a.x.as<T>(), a.residual.as<T>(), a.y.as<T>(), a.x.pitch, a.residual.pitch, a.y.pitch, s.mean,
                     s.inv_std, static_cast<const float*>(a.gamma), static_cast<const float*>(a.beta), a.relu, shape});
}

template <class T, int W>
void backward(Queue& q, const BatchNormBackwardArgs& a) {
    ran_width("batch_norm_backward", W);
    const View &dx = a.dx.view, &dresidual = a.dresidual.view;
    GradientArgs<T> g{a.dy.as<T>(),
                      a.x.as<T>(),
                      a.relu ? a.y.as<T>() : nullptr,
                      dx.as<T>(),
                      dresidual.as<T>(),
                      a.dy.pitch,
                      a.x.pitch,
                      a.y.pitch,
                      dx.pitch,
                      dresidual.pitch,
                      static_cast<const float*>(a.mean),
                      static_cast<const float*>(a.inv_std),
                      static_cast<const float*>(a.gamma),
                      static_cast<const float*>(a.beta),
                      a.relu,
                      a.dresidual.accumulate,
                      nullptr,
                      nullptr,
                      reduction_shape(a.x, W)};
    if (a.training || a.dgamma || a.dbeta || a.dresidual) {
        g.partials = q.scratch<float>(size_t(g.shape.chunks) * 2 * a.x.c);
        float* const means = q.scratch<float>(2 * a.x.c);
        const bool plain = !g.y && !g.dresidual;
        launch(plain ? gradient_sums<T, W, true> : gradient_sums<T, W, false>, g.shape.grid(), dim3(g.shape.threads), 0,
               q.stream(), g);
        launch(finish_gradient, finish_grid(a.x.c), dim3(finish_threads), 0, q.stream(),
               FinishGradientArgs{g.partials, g.inv_std, a.dgamma.as<float>(), a.dbeta.as<float>(), means,
                                  a.dgamma.accumulate, a.dbeta.accumulate, a.training, g.shape});
        g.means = means;
    }
    if (!a.dx) return;
    if (a.dresidual && !a.dresidual.accumulate) {  // it now holds g: one tensor to read instead of two
        g.dy = g.dresidual, g.dy_pitch = g.dresidual_pitch;
        g.y = nullptr, g.relu = false;
    }
    g.accumulate = a.dx.accumulate;
    g.shape = pointwise_shape(a.x, W);
    const bool plain = !g.y && !g.accumulate;
    launch(plain ? input_gradient<T, W, true> : input_gradient<T, W, false>, g.shape.grid(), dim3(g.shape.threads), 0,
           q.stream(), g);
}

}  // namespace

void batch_norm_forward(Queue& q, const BatchNormForwardArgs& a) {
    check(a);
    if (a.x.count() == 0) return;
    dispatch_gpu("batch_norm_forward", a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int wide = vector_width<T>;
        const bool vectors = groups_fit(a.x, wide) && groups_fit(a.residual, wide) && groups_fit(a.y, wide);
        with_width<wide>(vectors, [&](auto width) { forward<T, decltype(width)::value>(q, a); });
    });
}

void batch_norm_backward(Queue& q, const BatchNormBackwardArgs& a) {
    check(a);
    if (a.x.count() == 0) return;
    dispatch_gpu("batch_norm_backward", a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int wide = vector_width<T>;
        const bool vectors = groups_fit(a.dy, wide) && groups_fit(a.x, wide) && (!a.relu || groups_fit(a.y, wide)) &&
                             groups_fit(a.dx.view, wide) && groups_fit(a.dresidual.view, wide);
        with_width<wide>(vectors, [&](auto width) { backward<T, decltype(width)::value>(q, a); });
    });
}

}  // namespace atrous::kernels::cuda
