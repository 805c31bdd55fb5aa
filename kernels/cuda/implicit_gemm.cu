// What the implementations of a convolution's products share on the host, and the two sums that need no product: of
// weight-gradient partials and of dy over its pixels.
//
// sum_partials: `lanes` threads of a block share 4 (or 1) elements, each adds every lanes-th part, and they meet in shared
// memory (4 or 1 KB) in order.
// channel_sums: grid x = groups of 8 chunks of channels, y = shares of the pixels. A block of 8x32 threads owns 8
// chunks of W channels over its share; 32 pixel lanes meet in shared memory (8 W 32 floats: 1, 4 or 8 KB) in a fixed
// order.
#include "base/dispatch.h"
#include "base/error.h"
#include "base/variant.h"
#include "kernels/cuda/implicit_gemm.h"
#include "kernels/gpu/pixels.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>

namespace atrous::kernels::cuda {

namespace {

// ---- kernels ----------------------------------------------------------------------------------------------------

constexpr int partial_threads = 256;

struct PartialArgs {
    const float* partial;
    float* out;
    int64_t count;
    int parts, lanes;  // lanes: threads that share the parts of an element
    bool accumulate;
};

template <int W>
__device__ __forceinline__ void add(gpu::Floats<W>& to, const gpu::Floats<W>& v) {
#pragma unroll
    for (int j = 0; j < W; ++j) to.v[j] += v.v[j];
}

template <int W>
__global__ void __launch_bounds__(partial_threads) sum_partials_kernel(PartialArgs a) {
    __shared__ gpu::Floats<W> sums[partial_threads];
    const int width = partial_threads / a.lanes, lane = int(threadIdx.x) / width;
    const int64_t i = (int64_t(blockIdx.x) * width + int(threadIdx.x) % width) * W;
    gpu::Floats<W> sum{};
    if (i < a.count) {
#pragma unroll 4
        for (int part = lane; part < a.parts; part += a.lanes)
            add(sum, gpu::load_floats<W>(a.partial + part * a.count + i));
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (lane > 0 || i >= a.count) return;
    for (int other = 1; other < a.lanes; ++other) add(sum, sums[other * width + int(threadIdx.x)]);
    if (a.accumulate) add(sum, gpu::load_floats<W>(a.out + i));
    gpu::store_floats(a.out + i, sum);
}

constexpr int sum_chunks = 8, sum_lanes = 32;

struct ChannelSumArgs {
    const void* dy;
    int64_t pixels, pitch, share;
    int channels;
    float* partial;  // [shares][channels]
};

template <class T, int W>
__global__ void __launch_bounds__(sum_chunks* sum_lanes) channel_sums(ChannelSumArgs a) {
    float* const lanes = gpu::dynamic_shared<float>();
    constexpr int width = sum_chunks * W;
    const int chunk = threadIdx.x % sum_chunks, lane = threadIdx.x / sum_chunks;
    const int c = (int(blockIdx.x) * sum_chunks + chunk) * W;
    const int64_t begin = blockIdx.y * a.share, end = begin + a.share < a.pixels ? begin + a.share : a.pixels;
    float sum[W] = {};
    if (c < a.channels)
        for (int64_t pixel = begin + lane; pixel < end; pixel += sum_lanes) {
            const auto v = *reinterpret_cast<const gpu::Vec<T, W>*>(static_cast<const T*>(a.dy) + pixel * a.pitch + c);
#pragma unroll
            for (int j = 0; j < W; ++j) sum[j] += gpu::device_float(v.v[j]);
        }
#pragma unroll
    for (int j = 0; j < W; ++j) lanes[lane * width + chunk * W + j] = sum[j];
    __syncthreads();
    const int mine = int(blockIdx.x) * width + int(threadIdx.x);
    if (int(threadIdx.x) < width && mine < a.channels) {
        float total = 0;
        for (int i = 0; i < sum_lanes; ++i) total += lanes[i * width + threadIdx.x];
        a.partial[blockIdx.y * int64_t(a.channels) + mine] = total;
    }
}

// ---- launchers --------------------------------------------------------------------------------------------------

using gpu::aligned;

void report(const char* function, const char* variant, DType dtype) {
    ran((std::string(function) + "/" + variant + "_" + name_of(dtype)).c_str());
}

// Whether `width` neighbours in memory always belong to one pixel or one tap and are aligned as one access.
bool vectors(const ImplicitGemm& p, DType dtype, int width) {
    const int64_t other_stride = p.channel_stride == 1 ? p.column_stride : p.channel_stride;
    return p.depth % width == 0 && p.source_pitch % width == 0 && p.tap_stride % width == 0 &&
           other_stride % width == 0 && (p.channel_stride == 1 || p.columns % width == 0) &&
           aligned(p.source, width * size_of(dtype)) && aligned(p.weights, width * size_of(dtype));
}
bool vector_stores(const ImplicitGemm& p, DType dtype, int width) {
    return p.columns % width == 0 && p.out_pitch % width == 0 && aligned(p.out, width * size_of(dtype));
}
bool vectors(const GemmOperand& f, DType dtype, int width) {
    return f.channels % width == 0 && f.pitch % width == 0 && aligned(f.data, width * size_of(dtype));
}

int splits_of(const WgradGemm& p, const TileSize& tile) {
    const int64_t tiles = ceil_div(p.a.columns, tile.rows) * ceil_div(p.b.columns, tile.columns);
    const int64_t steps = ceil_div(int64_t(p.images) * p.height * p.width, tile.depth);
    return pixel_splits(tiles, steps, tile.blocks, int64_t(p.a.columns) * p.b.columns);
}

// launch(product) with the pixels split, then the sum of the partial results. `tile` is the kernel's.
template <class Launch>
void run_splits(Queue& q, const WeightWork& work, const TileSize& tile, Launch launch) {
    WgradGemm p = work.product;
    p.splits = splits_of(p, tile);
    const int64_t count = int64_t(p.a.columns) * p.b.columns;
    if (p.splits > 1) p.out = q.scratch<float>(size_t(p.splits * count)), p.accumulate = false;
    launch(p);
    if (p.splits > 1) sum_partials(q, p.out, p.splits, count, work.product.out, work.product.accumulate);
}

}  // namespace

// So many that a large GPU is full, its last wave of blocks too, each with eight of `steps` or more, and no more than 192 MB of
// partial sums. A tap of "wgmma" that reads fewer outputs has fewer steps, and some of its splits may have none. Depends on
// shapes alone, so that results are the same on every device: a wave is what the 132 multiprocessors of an H100 hold.
int pixel_splits(int64_t tiles, int64_t steps, int64_t blocks, int64_t count) {
    const int64_t wave = 132 * blocks, memory = (int64_t(192) << 20) / (count * int64_t(sizeof(float)));
    const int64_t most = std::min({ceil_div(4 * wave, tiles), steps / 8, memory});
    const auto time = [&](int64_t splits) { return double(ceil_div(tiles * splits, wave)) / double(splits); };
    int64_t best = 1;  // fewer splits, whose partial sums are fewer, unless more are 5 % faster
    for (int64_t splits = 2; splits <= most; ++splits)
        if (time(splits) < 0.95 * time(best)) best = splits;
    return int(best);
}

int Axis::phase_taps() const { return transposed ? int(ceil_div(taps, stride / std::gcd(stride, dilation))) : taps; }

// Where no GPU is here, a plan is made for one that has them.
static bool has_mma(DType dtype, MathMode math) {
    const int capability = gpu::capability();
    return (is_half(dtype) || (dtype == DType::f32 && math == MathMode::tf32)) && (capability == 0 || capability >= 80);
}

static int chunk_of(DType dtype) { return 16 / int(size_of(dtype)); }

static void report_mma(const char* function, const char* name, DType dtype) {
    dtype == DType::f32 ? ran((std::string(function) + "/" + name + "_tf32").c_str()) : report(function, name, dtype);
}

// Whether offsets of chunks of 16 bytes fit into 32 bits, those of taps in the padding around the images included.
static bool offsets_fit(int images, const Axis& h, const Axis& w, int64_t chunks) {
    const auto reach = [](const Axis& a) { return int64_t(a.padding) + int64_t(a.taps) * a.dilation + a.stride; };
    const int64_t lines = int64_t(images) * h.source + 2 * reach(h), line = w.source + 2 * reach(w);
    return lines * line <= std::numeric_limits<int>::max() / chunks;
}

bool fits_mma(const PixelWork& w, MathMode math) {
    const int chunk = chunk_of(w.dtype);
    const ImplicitGemm& p = w.product;
    if (p.h.phase_taps() + p.w.phase_taps() > most_tap_bits) return false;
    if (!offsets_fit(p.images, p.h, p.w, ceil_div(p.source_pitch, chunk))) return false;
    return has_mma(w.dtype, math) && vectors(w.product, w.dtype, chunk) && vector_stores(w.product, w.dtype, chunk);
}

void run_mma(Queue& q, const PixelWork& w, const char* name) {
    implicit_gemm_mma(q, w.product, w.dtype);
    report_mma(w.function, name, w.dtype);
}

void run_simt(Queue& q, const PixelWork& w) {
    ImplicitGemm p = w.product;
    p.vector_out = vector_stores(p, w.dtype, 4);
    implicit_gemm_simt(q, p, w.dtype, vectors(p, w.dtype, 4));
    report(w.function, "simt", w.dtype);
}

bool fits_mma(const WeightWork& w, MathMode math) {
    const WgradGemm& p = w.product;
    const int chunk = chunk_of(w.dtype);
    for (const GemmOperand* f : {&p.a, &p.b})
        if (!offsets_fit(p.images, f->h, f->w, ceil_div(f->pitch, chunk))) return false;
    return has_mma(w.dtype, math) && vectors(p.a, w.dtype, chunk) && vectors(p.b, w.dtype, chunk) &&
           aligned(p.out, 2 * sizeof(float));
}

void run_mma(Queue& q, const WeightWork& w, const char* name) {
    run_splits(q, w, weight_tile_mma(w.product, w.dtype), [&](const WgradGemm& p) { wgrad_gemm_mma(q, p, w.dtype); });
    report_mma(w.function, name, w.dtype);
}

void run_simt(Queue& q, const WeightWork& w) {
    const bool vector = vectors(w.product.a, w.dtype, 4) && vectors(w.product.b, w.dtype, 4);
    run_splits(q, w, weight_tile_simt(w.product), [&](const WgradGemm& p) { wgrad_gemm_simt(q, p, w.dtype, vector); });
    report(w.function, "simt", w.dtype);
}

// Few elements get many lanes, so that there are blocks enough for a large GPU; a lane has four parts or more.
static int partial_lanes(int64_t groups, int parts) {
    int lanes = 1;
    while (lanes < 32 && groups * lanes < 264 * partial_threads && parts >= 8 * lanes) lanes *= 2;
    return lanes;
}

void sum_partials(Queue& q, const float* partial, int parts, int64_t count, float* out, bool accumulate) {
    const bool vector = count % 4 == 0 && aligned(out, 16) && aligned(partial, 16);
    const int64_t groups = vector ? count / 4 : count;
    const int lanes = partial_lanes(groups, parts);
    gpu::launch(vector ? sum_partials_kernel<4> : sum_partials_kernel<1>,
                dim3(unsigned(ceil_div(groups, partial_threads / lanes))), dim3(partial_threads), 0, q.stream(),
                PartialArgs{partial, out, count, parts, lanes, accumulate});
}

void run_channel_sums(Queue& q, const View& dy, const VectorGradTarget& dbias, const char* function) {
    report(function, "bias", dy.dtype);
    dispatch_gpu(function, dy.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int W = 16 / sizeof(T);
        const bool vector = dy.c % W == 0 && dy.pitch % W == 0 && aligned(dy.data, 16);
        const int64_t width = sum_chunks * (vector ? W : 1), groups = ceil_div(dy.c, width);
        const int64_t shares = std::clamp<int64_t>(dy.pixels() / 256, 1, std::max<int64_t>(1, 512 / groups));
        float* const partial = q.scratch<float>(size_t(shares * dy.c));
        gpu::launch(vector ? channel_sums<T, W> : channel_sums<T, 1>, dim3(unsigned(groups), unsigned(shares)),
                    dim3(sum_chunks * sum_lanes), size_t(width) * sum_lanes * sizeof(float), q.stream(),
                    ChannelSumArgs{dy.data, dy.pixels(), dy.pitch, ceil_div(dy.pixels(), shares), int(dy.c), partial});
        sum_partials(q, partial, int(shares), dy.c, dbias.as<float>(), dbias.accumulate);
    });
}

}  // namespace atrous::kernels::cuda
