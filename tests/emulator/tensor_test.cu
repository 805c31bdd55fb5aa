// cp.async, ldmatrix and mma against plain products.
#include <platform/async.h>
#include <platform/mma.h>

#include <cmath>
#include <limits>

#include "tests/emulator/support.h"

namespace atrous::gpu::test {
namespace {

template <class T>
struct Product {
    const float *a, *b;
    float* d;
};

template <class T>
__device__ __forceinline__ uint32_t bits_of(float x) {
    return device_round<T>(x).bits;
}

// Fragments laid out as CUTLASS states them (mma_traits_sm80.hpp, SM80_16x8x16), an account of them that is independent
// of the PTX ISA's, from which the emulation was written.
template <class T>
__global__ void cute_fragments(Product<T> p) {
    const int t0 = int(threadIdx.x % 4), t1 = int(threadIdx.x / 4);
    uint32_t a[4] = {}, b[2] = {};
    for (int v = 0; v < 8; ++v) {  // A: (T(4,8), V(2,2,2)) -> m + 16 k with strides (32,1), (16,8,128)
        const int at = t0 * 32 + t1 + v % 2 * 16 + v / 2 % 2 * 8 + v / 4 * 128;
        a[v / 2] |= bits_of<T>(p.a[at % 16 * 16 + at / 16]) << 16 * (v % 2);
    }
    for (int v = 0; v < 4; ++v) {  // B: (T(4,8), V(2,2)) -> n + 8 k with strides (16,1), (8,64)
        const int at = t0 * 16 + t1 + v % 2 * 8 + v / 2 * 64;
        b[v / 2] |= bits_of<T>(p.b[at / 8 * 8 + at % 8]) << 16 * (v % 2);
    }
    float d[4] = {};
    mma_m16n8k16<T>(d, a, b[0], b[1]);
    for (int v = 0; v < 4; ++v) {  // C: (T(4,8), V(2,2)) -> m + 16 n with strides (32,1), (16,8)
        const int at = t0 * 32 + t1 + v % 2 * 16 + v / 2 * 8;
        p.d[at % 16 * 8 + at / 16] = d[v];
    }
}

// The same product the way kernels do it: ldmatrix for A, ldmatrix.trans for B.
template <class T>
__global__ void loaded_fragments(Product<T> p) {
    __shared__ __align__(16) T a_tile[16 * 16];
    __shared__ __align__(16) T b_tile[16 * 8];
    const int lane = int(threadIdx.x);
    for (int i = lane; i < 256; i += 32) a_tile[i] = device_round<T>(p.a[i]);
    for (int i = lane; i < 128; i += 32) b_tile[i] = device_round<T>(p.b[i]);
    __syncthreads();
    uint32_t a[4], b[4];
    ldmatrix_x4(a, a_tile + lane % 16 * 16 + lane / 16 * 8);
    ldmatrix_x4_trans(b, b_tile + lane % 16 * 8);
    float d[4] = {};
    mma_m16n8k16<T>(d, a, b[0], b[1]);
    for (int v = 0; v < 4; ++v) p.d[(lane / 4 + v / 2 * 8) * 8 + lane % 4 * 2 + v % 2] = d[v];
}

template <class T>
void expect_product(void (*kernel)(Product<T>)) {
    const auto a = small_integers(256, 1), b = small_integers(128, 77);
    Buffer<float> da(a), db(b), d(128);
    launch(kernel, 1, 32, 0, stream().view(), {da.data(), db.data(), d.data()});
    const auto got = d.get();
    for (int m = 0; m < 16; ++m)
        for (int n = 0; n < 8; ++n) {
            float sum = 0;
            for (int k = 0; k < 16; ++k) sum += a[m * 16 + k] * b[k * 8 + n];
            EXPECT_EQ(got[m * 8 + n], sum) << m << "," << n;
        }
}
TEST(Tensor, MmaFragments) {
    expect_product<bf16>(cute_fragments<bf16>);
    expect_product<f16>(cute_fragments<f16>);
}
TEST(Tensor, LdmatrixFeedsMma) {
    expect_product<bf16>(loaded_fragments<bf16>);
    expect_product<f16>(loaded_fragments<f16>);
}

// The same account of TF32's fragments (SM80_16x8x8_F32TF32TF32F32_TN).
__global__ void cute_fragments_tf32(Product<float> p) {
    const int t0 = int(threadIdx.x % 4), t1 = int(threadIdx.x / 4);
    uint32_t a[4], b[2];
    for (int v = 0; v < 4; ++v) {  // A: (T(4,8), V(2,2)) -> m + 16 k with strides (16,1), (8,64)
        const int at = t0 * 16 + t1 + v % 2 * 8 + v / 2 * 64;
        a[v] = round_tf32(__float_as_uint(p.a[at % 16 * 8 + at / 16]));
    }
    for (int v = 0; v < 2; ++v) {  // B: (T(4,8), V2) -> n + 8 k with strides (8,1), 32
        const int at = t0 * 8 + t1 + v * 32;
        b[v] = round_tf32(__float_as_uint(p.b[at / 8 * 8 + at % 8]));
    }
    float d[4] = {};
    mma_m16n8k8_tf32(d, a, b[0], b[1]);
    for (int v = 0; v < 4; ++v) {  // C: as of the 16-bit products
        const int at = t0 * 32 + t1 + v % 2 * 16 + v / 2 * 8;
        p.d[at % 16 * 8 + at / 16] = d[v];
    }
}
TEST(Tensor, MmaFragmentsOfTf32) {
    const auto a = small_integers(128, 1), b = small_integers(64, 77);
    Buffer<float> da(a), db(b), d(128);
    launch(cute_fragments_tf32, 1, 32, 0, stream().view(), {da.data(), db.data(), d.data()});
    const auto got = d.get();
    for (int m = 0; m < 16; ++m)
        for (int n = 0; n < 8; ++n) {
            float sum = 0;
            for (int k = 0; k < 8; ++k) sum += a[m * 8 + k] * b[k * 8 + n];
            EXPECT_EQ(got[m * 8 + n], sum) << m << "," << n;
        }
}

struct Rounded {
    const float* x;
    float* y;
};
__global__ void round_all(Rounded a) {
    a.y[threadIdx.x] = __uint_as_float(round_tf32(__float_as_uint(a.x[threadIdx.x])));
}
TEST(Tensor, RoundsToTf32AwayFromZeroAtTies) {
    const float huge = std::numeric_limits<float>::max(), inf = std::numeric_limits<float>::infinity();
    std::vector<float> x{
        0,    -0.0f, 1,    1 + 0x1p-10f, 1 + 0x1p-11f, -1 - 0x1p-11f, 1 + 0x1p-11f - 0x1p-23f, 3 * 0x1p-11f + 1,
        2047, 2049,  huge, -inf,         NAN,          0x1p-149f};
    const std::vector<float> expected{0,           -0.0f, 1,    1 + 0x1p-10f, 1 + 0x1p-10f, -1 - 0x1p-10f, 1,
                                      1 + 0x1p-9f, 2047,  2050, inf,          -inf,         NAN,           0};
    x.resize(32);
    Buffer<float> from(x), to(32);
    launch(round_all, 1, 32, 0, stream().view(), {from.data(), to.data()});
    const auto got = to.get();
    for (size_t i = 0; i < expected.size(); ++i)
        if (expected[i] == expected[i])
            EXPECT_EQ(got[i], expected[i]) << x[i];
        else
            EXPECT_TRUE(got[i] != got[i]);
}

struct Rows {
    uint32_t* out;
    int pitch;
};
__global__ void load_rows(Rows a) {
    auto* s = dynamic_shared<uint16_t>();
    for (int i = int(threadIdx.x); i < 32 * 72; i += 32) s[i] = 0;
    __syncthreads();
    uint32_t r[4];
    ldmatrix_x4(r, s + int(threadIdx.x) * a.pitch);
    a.out[threadIdx.x] = r[0] + r[1] + r[2] + r[3];
}
TEST(Tensor, LdmatrixCountsBankConflicts) {
    Buffer<uint32_t> out(32);
    emu::statistics() = {};
    launch(load_rows, 1, 32, 32 * 144, stream().view(), {out.data(), 72});
    EXPECT_EQ(emu::statistics().bank_conflicts, 0u);  // 144-byte rows
    launch(load_rows, 1, 32, 32 * 144, stream().view(), {out.data(), 64});
    EXPECT_EQ(emu::statistics().bank_conflicts, 28u);  // 128-byte rows: 8 passes for each of 4 matrices
}

struct Pipeline {
    const float* x;
    float* y;
    int tiles, valid_tiles;
};
// Two stages in flight; the tiles past valid_tiles are zeros.
__global__ void pipeline(Pipeline a) {
    __shared__ __align__(16) float stage[2][128];
    const int t = int(threadIdx.x);
    auto start = [&](int tile) {
        if (tile < a.tiles) cp_async16(&stage[tile % 2][4 * t], a.x + tile * 128 + 4 * t, tile < a.valid_tiles);
        cp_async_commit();
    };
    start(0);
    float sum = 0;
    for (int tile = 0; tile < a.tiles; ++tile) {
        start(tile + 1);
        cp_async_wait<1>();
        __syncthreads();
        sum += stage[tile % 2][127 - t];  // another thread's copy
        __syncthreads();
    }
    a.y[t] = sum;
}
TEST(Tensor, CpAsyncPipeline) {
    constexpr int tiles = 5, valid = 4;
    const auto values = small_integers(valid * 128, 5);  // shorter than the tiles: what is not valid is not read
    Buffer<float> x(values), y(32);
    launch(pipeline, 1, 32, 0, stream().view(), {x.data(), y.data(), tiles, valid});
    const auto got = y.get();
    for (int t = 0; t < 32; ++t) {
        float sum = 0;
        for (int tile = 0; tile < valid; ++tile) sum += values[tile * 128 + 127 - t];
        EXPECT_EQ(got[t], sum);
    }
}

}  // namespace
}  // namespace atrous::gpu::test
