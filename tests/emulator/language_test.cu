// The CUDA language in the emulated platform: what must work, in every build and every thread order.
#include <cmath>
#include <limits>

#include "tests/emulator/support.h"

namespace atrous::gpu::test {
namespace {

struct Out {
    int* out;
};

__global__ void count_index(Out a) {
    const int b = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    a.out[((b * blockDim.z + threadIdx.z) * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x] += 1;
}
TEST(Language, EveryIndexOnce) {
    Buffer<int> out(2 * 3 * 2 * 24, 0);
    launch(count_index, dim3(2, 3, 2), dim3(4, 3, 2), 0, stream().view(), {out.data()});
    for (int v : out.get()) ASSERT_EQ(v, 1);
}

__global__ void warp_neighbours(Out a) {
    __shared__ int s[64];
    s[threadIdx.x] = int(threadIdx.x);
    __syncwarp();
    a.out[threadIdx.x] = s[threadIdx.x ^ 1];
}
TEST(Language, SyncwarpOrdersSharedMemory) {
    Buffer<int> out(64);
    launch(warp_neighbours, 1, 64, 0, stream().view(), {out.data()});
    const auto v = out.get();
    for (int i = 0; i < 64; ++i) EXPECT_EQ(v[i], i ^ 1);
}

__global__ void half_warps(Out a) {
    int v = int(threadIdx.x);
    if (threadIdx.x & 16)
        for (int i = 1; i < 16; i *= 2) v += __shfl_xor_sync(0xffff0000u, v, i);
    else
        v = int(__ballot_sync(0x0000ffffu, v & 1)) + __shfl_up_sync(0x0000ffffu, v, 3, 8);
    a.out[threadIdx.x] = v;
}
TEST(Language, PartsOfAWarpShuffleAndVote) {
    Buffer<int> out(32);
    launch(half_warps, 1, 32, 0, stream().view(), {out.data()});
    const auto v = out.get();
    EXPECT_EQ(v[16], 376);  // 16 + ... + 31
    EXPECT_EQ(v[31], 376);
    EXPECT_EQ(v[5], 0xaaaa + 2);
    EXPECT_EQ(v[1], 0xaaaa + 1);  // below its group of 8: its own value
}

__global__ void votes(Out a) {
    const int t = int(threadIdx.x);
    a.out[t] = __syncthreads_count(t % 3 == 0) * 4 + __syncthreads_or(t == 5) * 2 + __syncthreads_and(t != 5);
}
TEST(Language, BlockVotes) {
    Buffer<int> out(33);
    launch(votes, 1, 33, 0, stream().view(), {out.data()});
    for (int v : out.get()) EXPECT_EQ(v, 11 * 4 + 2);
}

struct Narrow {
    unsigned char* bytes;
    bf16* halves;
};
__global__ void neighbouring_bytes(Narrow a) {
    __shared__ unsigned char s[64];
    const unsigned t = threadIdx.x;
    s[t] = static_cast<unsigned char>(t);
    a.bytes[t] = static_cast<unsigned char>(t);
    a.halves[t] = device_round<bf16>(float(t));
    __syncthreads();
    a.bytes[t] = static_cast<unsigned char>(a.bytes[t] + s[63 - t]);
}
TEST(Language, NeighbouringBytesAreNoRace) {
    Buffer<unsigned char> bytes(64);
    Buffer<bf16> halves(64);
    launch(neighbouring_bytes, 1, 64, 0, stream().view(), {bytes.data(), halves.data()});
    for (unsigned char v : bytes.get()) EXPECT_EQ(v, 63);
    EXPECT_EQ(to_float(halves.get()[63]), 63);
}

__global__ void count_in_bins(Out a) {
    __shared__ int bins[4];
    if (threadIdx.x < 4) bins[threadIdx.x] = 0;
    __syncthreads();
    atomicAdd(&bins[threadIdx.x % 4], 1);
    __syncthreads();
    if (threadIdx.x < 4) atomicAdd(&a.out[threadIdx.x], bins[threadIdx.x]);
}
TEST(Language, AtomicsInSharedAndGlobalMemory) {
    Buffer<int> out(4, 0);
    launch(count_in_bins, 100, 96, 0, stream().view(), {out.data()});
    for (int v : out.get()) EXPECT_EQ(v, 2400);
}

struct Atomics {
    int* i;
    unsigned long long* u;
    float* f;
};
__global__ void all_atomics(Atomics a) {
    const int t = int(threadIdx.x);
    atomicMin(&a.i[0], t);
    atomicMax(&a.i[1], t);
    atomicOr(&a.i[2], 1 << t);
    atomicXor(&a.i[3], 3);
    atomicSub(&a.i[4], 1);
    atomicExch(&a.i[5], 7);
    atomicCAS(&a.i[6], 0, 9);
    atomicAdd(a.u, 1ull << 33);
    atomicAdd(a.f, 0.5f);
}
TEST(Language, EveryAtomic) {
    Buffer<int> i(std::vector<int>{50, -1, 0, 0, 0, 0, 0});
    Buffer<unsigned long long> u(1, 0);
    Buffer<float> f(1, 0.0f);
    launch(all_atomics, 1, 31, 0, stream().view(), {i.data(), u.data(), f.data()});
    EXPECT_EQ(i.get(), (std::vector<int>{0, 30, 0x7fffffff, 3, -31, 7, 9}));
    EXPECT_EQ(u.get()[0], 31ull << 33);
    EXPECT_EQ(f.get()[0], 15.5f);
}

struct Lock {
    int *lock, *count;
};
__global__ void spin_lock(Lock a) {
    for (bool done = false; !done;)
        if (atomicCAS(a.lock, 0, 1) == 0) {
            atomicAdd(a.count, 1);
            atomicExch(a.lock, 0);
            done = true;
        }
}
TEST(Language, SpinLocksMakeProgress) {
    Buffer<int> lock(1, 0), count(1, 0);
    launch(spin_lock, 2, 64, 0, stream().view(), {lock.data(), count.data()});
    EXPECT_EQ(count.get()[0], 128);
}

__global__ void wait_for_the_far_end(Lock a) {  // every other thread waits for one at the other end of the order
    const int end = a.count[1] ? 0 : int(blockDim.x) - 1;
    if (int(threadIdx.x) == end)
        atomicExch(a.lock, 1);
    else
        while (atomicAdd(a.lock, 0) == 0) {
        }
    atomicAdd(a.count, 1);
}
TEST(Language, WaitingThreadsLetOthersRun) {
    for (auto order : {emu::Options::Order::forward, emu::Options::Order::reverse, emu::Options::Order::shuffled})
        for (int end = 0; end < 2; ++end) {
            emu::ScopedOptions options;
            options->order = order;
            Buffer<int> lock(1, 0), count(std::vector<int>{0, end});
            launch(wait_for_the_far_end, 1, 96, 0, stream().view(), {lock.data(), count.data()});
            EXPECT_EQ(count.get()[0], 96);
        }
}

__global__ void early_exit(Out a) {
    if (threadIdx.x >= 40) return;
    __syncthreads();
    a.out[threadIdx.x] = 1;
}
TEST(Language, ReturnedThreadsDoNotHoldABarrier) {
    Buffer<int> out(64, 0);
    launch(early_exit, 1, 64, 0, stream().view(), {out.data()});
    EXPECT_EQ(out.get()[39], 1);
    emu::ScopedOptions options;
    options->strict_exit = true;
    EXPECT_NE(error_of([&] { launch(early_exit, 1, 64, 0, stream().view(), {out.data()}); }).find("early exit"),
              std::string::npos);
}

__constant__ const float table[4] = {1, 2, 3, 4};
struct Big {
    float v[40];
    float* out;
};
__global__ void constants(Big a) {
    float local[8];
    for (unsigned i = 0; i < 8; ++i) local[i] = a.v[i + threadIdx.x % 4] * table[i % 4];
    a.v[0] = -1;  // its own copy
    a.out[threadIdx.x] = local[threadIdx.x % 8];
}
TEST(Language, ConstantsArgumentsAndLocalArrays) {
    Buffer<float> out(32);
    Big a{{5, 6, 7}, out.data()};
    launch(constants, 1, 32, 0, stream().view(), a);
    EXPECT_EQ(out.get()[0], 5);
    EXPECT_EQ(out.get()[1], 14);
    EXPECT_EQ(out.get()[8], 5);
    EXPECT_EQ(a.v[0], 5);
}

template <class T>
struct Convert {
    const float* x;
    T* y;
    float* back;
};
template <class T>
__global__ void convert(Convert<T> a) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    a.y[i] = device_round<T>(a.x[i]);
    a.back[i] = device_float(a.y[i]);
}
template <class T>
void expect_host_conversions(const std::vector<float>& values) {
    Buffer<float> x(values), back(values.size());
    Buffer<T> y(values.size());
    launch(convert<T>, unsigned(values.size() / 32), 32, 0, stream().view(), {x.data(), y.data(), back.data()});
    const auto rounded = y.get();
    const auto returned = back.get();
    for (size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(rounded[i].bits, round_to<T>(values[i]).bits);
        EXPECT_TRUE(returned[i] == to_float(rounded[i]) || std::isnan(values[i]));
    }
}
TEST(Language, HalfTypesRoundAsOnTheHost) {
    std::vector<float> values;
    for (int i = 0; i < 480; ++i) values.push_back(std::ldexp(1.0f + float(i) / 479, i % 60 - 30) * (i % 2 ? -1 : 1));
    for (float v :
         {0.0f, -0.0f, 65504.0f, 65520.0f, 1e30f, std::numeric_limits<float>::infinity(), std::nanf(""), 1e-8f})
        values.insert(values.end(), 4, v);
    expect_host_conversions<bf16>(values);
    expect_host_conversions<f16>(values);
}

struct Vectors {
    const float* x;
    float* y;
};
__global__ void vectors(Vectors a) {
    const auto v = reinterpret_cast<const Vec<float, 4>*>(a.x)[threadIdx.x];
    const float4 w = __ldg(reinterpret_cast<const float4*>(a.x) + threadIdx.x);
    reinterpret_cast<float4*>(a.y)[threadIdx.x] = make_float4(v.v[0] + w.x, v.v[1] + w.y, v.v[2] + w.z, v.v[3] + w.w);
}
TEST(Language, VectorAccess) {
    const auto values = small_integers(128, 3);
    Buffer<float> x(values), y(128);
    launch(vectors, 1, 32, 0, stream().view(), {x.data(), y.data()});
    const auto got = y.get();
    for (int i = 0; i < 128; ++i) EXPECT_EQ(got[i], 2 * values[i]);
    EXPECT_EQ(alignof(float4), 16u);
    EXPECT_EQ(alignof(double4), 16u);
    EXPECT_EQ(sizeof(float3), 12u);
    EXPECT_EQ(alignof(ushort4), 8u);
}

TEST(Language, MinAndMaxAsInCuda) {
    const float nan = std::nanf("");
    EXPECT_EQ(::max(nan, 1.0f), 1);
    EXPECT_EQ(::max(1.0f, nan), 1);
    EXPECT_EQ(::min(nan, 1.0f), 1);
    EXPECT_EQ(::min(1.0f, nan), 1);
    EXPECT_EQ(::max(-1, 1u), 0xffffffffu);  // converted as in arithmetic
    EXPECT_EQ(::min(int64_t(1) << 40, 7), 7);
}

TEST(Language, LaunchLimits) {
    Buffer<int> out(1, 0);
    auto message = [&](dim3 grid, dim3 block, size_t smem) {
        return error_of([&] { launch(early_exit, grid, block, smem, stream().view(), {out.data()}); });
    };
    EXPECT_NE(message(1, 1025, 0).find("1024 threads"), std::string::npos);
    EXPECT_NE(message(dim3(1, 65536), 1, 0).find("grid is too large"), std::string::npos);
    EXPECT_NE(message(0, 1, 0).find("grid is empty"), std::string::npos);
    EXPECT_NE(message(1, 1, 228 << 10).find("227 KiB"), std::string::npos);
}

}  // namespace
}  // namespace atrous::gpu::test
