// Depthwise convolution. Forward and input gradient: grid x over the groups of channels of one image row, y over image
// rows (gpu/pixels.h, Rows); a thread owns one group of one pixel of what is written and gathers its taps. Weight
// gradient: grid x over chunks of output pixels, y over slabs of at most 32 groups of channels (Columns), z over taps,
// the bias last; a block leaves its chunk's sums, which a second kernel adds: x over 8 channels, y over taps.
// Shared memory: weight gradient one float for each channel of each thread (8 KiB for 8-vectors), finishing 2 KiB.
#include "kernels/depthwise.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels: forward and input gradient ----

struct Axis {
    int size, source_size, taps, stride, padding, dilation;

    // The coordinate that tap r of output p reads, or -1; and the output whose tap r reads coordinate h, or -1.
    __device__ __forceinline__ int read_by(int p, int r) const {
        const int h = p * stride - padding + r * dilation;
        return h >= 0 && h < source_size ? h : -1;
    }
    __device__ __forceinline__ int reader_of(int h, int r) const {
        const int position = h + padding - r * dilation, p = position / stride;
        return position >= 0 && p * stride == position && p < source_size ? p : -1;
    }
};

template <class T>
struct GatherArgs {
    const T *from, *weights;
    const float* bias;
    T* to;
    int64_t from_pitch, to_pitch, channels;
    bool accumulate;
    Axis h, w;
    Rows rows;
};

template <class T, int W, bool Transposed>
__global__ void __launch_bounds__(block_threads) depthwise_gather(GatherArgs<T> a) {
    for_each_row(a.rows, [&](int n, int y, int x, int group) {
        const int64_t channel = int64_t(group) * W;
        Floats<W> sum = {};
        if (a.bias) sum = load_each<W>(a.bias + channel);
        for (int r = 0; r < a.h.taps; ++r) {
            const int h = Transposed ? a.h.reader_of(y, r) : a.h.read_by(y, r);
            if (h < 0) continue;
            const T* const row = a.from + (int64_t(n) * a.h.source_size + h) * a.w.source_size * a.from_pitch + channel;
            const T* const weights = a.weights + int64_t(r) * a.w.taps * a.channels + channel;
            for (int s = 0; s < a.w.taps; ++s) {
                const int w = Transposed ? a.w.reader_of(x, s) : a.w.read_by(x, s);
                if (w < 0) continue;
                const Floats<W> value = load_floats<W>(row + w * a.from_pitch);
                const Floats<W> weight = load_floats<W>(weights + s * a.channels);
#pragma unroll
                for (int i = 0; i < W; ++i) sum.v[i] = fmaf(value.v[i], weight.v[i], sum.v[i]);
            }
        }
        T* const to = a.to + ((int64_t(n) * a.h.size + y) * a.w.size + x) * a.to_pitch + channel;
        if (a.accumulate) {
            const Floats<W> old = load_floats<W>(to);
#pragma unroll
            for (int i = 0; i < W; ++i) sum.v[i] += old.v[i];
        }
        store_floats(to, sum);
    });
}

// ---- kernels: weight gradient ----

template <class T>
struct WeightArgs {
    const T *x, *dy;
    int64_t x_pitch, dy_pitch;
    int first_tap, taps;  // tap `taps` is the bias
    Axis h, w;            // of the outputs
    Divider by_width, by_height;
    float* partials;  // [taps + 1 - first_tap][chunks][C]
    Columns shape;
};

template <class T, int W>
__global__ void __launch_bounds__(block_threads) depthwise_weight_sums(WeightArgs<T> a) {
    __shared__ float shared[block_threads * W];
    const ColumnPlace at = place_in<W>(a.shape);
    const int columns = a.shape.lanes * W, tap = a.first_tap + int(blockIdx.z);
    const int r = tap / a.w.taps, s = tap - r * a.w.taps;
    const bool bias = tap == a.taps;
    Floats<W> sum = {};
    struct Loaded {
        Vec<T, W> x, dy;
        bool hit;
    };
    if (at.active)
        for_each_pixel<2>(
            at, a.shape.rows,
            [&](int64_t pixel) {
                const int row = a.by_width.divide(int(pixel)), n = a.by_height.divide(row);
                const int h = bias ? 0 : a.h.read_by(row - n * a.h.size, r);
                const int w = bias ? 0 : a.w.read_by(int(pixel) - row * a.w.size, s);
                Loaded l{{}, {}, h >= 0 && w >= 0};
                if (!l.hit) return l;
                l.dy = load_vector<W>(a.dy + pixel * a.dy_pitch + at.channel);
                if (bias) return l;
                const int64_t from = (int64_t(n) * a.h.source_size + h) * a.w.source_size + w;
                l.x = load_vector<W>(a.x + from * a.x_pitch + at.channel);
                return l;
            },
            [&](int64_t, const Loaded& l) {
                if (!l.hit) return;
#pragma unroll
                for (int i = 0; i < W; ++i)
                    sum.v[i] = fmaf(device_float(l.dy.v[i]), bias ? 1.0f : device_float(l.x.v[i]), sum.v[i]);
            });
    if (at.in_block)
#pragma unroll
        for (int i = 0; i < W; ++i) shared[at.row * columns + at.lane * W + i] = sum.v[i];
    sum_columns(shared, a.shape.rows, columns, [&](int column, float total) {
        const int64_t channel = int64_t(blockIdx.y) * columns + column;
        if (channel < a.shape.channels)
            a.partials[(int64_t(blockIdx.z) * a.shape.chunks + blockIdx.x) * a.shape.channels + channel] = total;
    });
}

struct FinishArgs {
    const float* partials;
    float *dw, *dbias;
    int64_t channels;
    int chunks, first_tap, taps;
    bool dw_accumulate, dbias_accumulate;
};

__global__ void __launch_bounds__(finish_threads) finish_depthwise_weights(FinishArgs a) {
    const int64_t channel = int64_t(blockIdx.x) * finish_columns + finish_place().column;
    const int tap = a.first_tap + int(blockIdx.y);
    const float* const partials = a.partials + int64_t(blockIdx.y) * a.chunks * a.channels + channel;
    sum_chunks<1>(
        channel < a.channels ? a.chunks : 0,
        [&](int64_t chunk, double* sum) { sum[0] += partials[chunk * a.channels]; },
        [&](const double* sum) {
            if (channel >= a.channels) return;
            const bool bias = tap == a.taps, adds = bias ? a.dbias_accumulate : a.dw_accumulate;
            float* const to = bias ? a.dbias + channel : a.dw + int64_t(tap) * a.channels + channel;
            *to = float(adds ? *to + sum[0] : sum[0]);
        });
}

// ---- launchers ----

Axis axis(int64_t size, int64_t source, int64_t taps, const ConvGeometry& g) {
    return {int(size), int(source), int(taps), g.stride, g.padding, g.dilation};
}

template <bool Transposed>
void run_gather(Queue& q, const char* function, const View& from, const View& w, const void* bias,
                const GradTarget& into, const ConvGeometry& g) {
    const View& to = into.view;
    if (to.count() == 0) return;
    dispatch_gpu(function, to.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int wide = vector_width<T>;
        with_width<wide>(groups_fit(from, wide) && groups_fit(to, wide) && groups_fit(w, wide), [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width(function, W);
            const Rows rows(to.n, to.h, to.w, to.c / W);
            launch(depthwise_gather<T, W, Transposed>, rows.grid(), dim3(rows.threads), 0, q.stream(),
                   GatherArgs<T>{from.as<T>(), w.as<T>(), static_cast<const float*>(bias), to.as<T>(), from.pitch,
                                 to.pitch, to.c, into.accumulate, axis(to.h, from.h, w.h, g),
                                 axis(to.w, from.w, w.w, g), rows});
        });
    });
}

}  // namespace

void depthwise_forward(Queue& q, const DepthwiseForwardArgs& a) {
    check(a);
    run_gather<false>(q, "depthwise_forward", a.x, a.w, a.bias, {a.y, false}, a.geometry);
}

void depthwise_backward_input(Queue& q, const DepthwiseBackwardInputArgs& a) {
    check(a);
    run_gather<true>(q, "depthwise_backward_input", a.dy, a.w, nullptr, a.dx, a.geometry);
}

void depthwise_backward_weight(Queue& q, const DepthwiseBackwardWeightArgs& a) {
    const View &x = a.x, &dy = a.dy, &dw = a.dw.view;
    check(a);
    require(dy.pixels() < (int64_t(1) << 31), "depthwise convolution: 2^31 output pixels or more; split the batch");
    const int taps = int(dw.h * dw.w), first_tap = a.dw ? 0 : taps, blocks_z = taps - first_tap + (a.dbias ? 1 : 0);
    if (blocks_z == 0 || dy.count() == 0) return;
    dispatch_gpu("depthwise_backward_weight", dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        with_width<vector_width<T>>(groups_fit(x, vector_width<T>) && groups_fit(dy, vector_width<T>), [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width("depthwise_backward_weight", W);
            const Columns shape(dy.pixels(), dy.c, W, std::max(1, 4096 / blocks_z), 8, int64_t(1) << 40);
            float* const partials = q.scratch<float>(size_t(blocks_z) * shape.chunks * dy.c);
            launch(depthwise_weight_sums<T, W>, shape.grid(blocks_z), dim3(shape.threads), 0, q.stream(),
                   WeightArgs<T>{x.as<T>(), dy.as<T>(), x.pitch, dy.pitch, first_tap, taps,
                                 axis(dy.h, x.h, std::max<int64_t>(dw.h, 1), a.geometry),
                                 axis(dy.w, x.w, std::max<int64_t>(dw.w, 1), a.geometry), Divider(dy.w), Divider(dy.h),
                                 partials, shape});
            launch(finish_depthwise_weights, dim3(unsigned(ceil_div(dy.c, finish_columns)), unsigned(blocks_z)),
                   dim3(finish_threads), 0, q.stream(),
                   FinishArgs{partials, dw.as<float>(), a.dbias.as<float>(), dy.c, shape.chunks, first_tap, taps,
                              a.dw.accumulate, a.dbias.accumulate});
        });
    });
}

}  // namespace atrous::kernels::cuda
