// Planted bugs: each kernel is right with bug = 0 and wrong with bug = 1, and every build that can catch the bug must.
#include <platform/async.h>
#include <platform/mma.h>

#include <cmath>
#include <functional>

#include "tests/emulator/support.h"

namespace atrous::gpu::test {
namespace {

constexpr int n = 128;  // threads of a block, elements of a buffer

struct Args {
    const float* x;  // 1, 2, ..., n
    float* y;        // n, unwritten
    int* counter;    // 4 zeros
    float* extra;    // n, unwritten
    int bug;
};

// ---- shared memory and barriers -------------------------------------------------------------------------------------
__global__ void missing_barrier(Args a) {
    float* s = dynamic_shared<float>();
    const int t = int(threadIdx.x);
    s[t] = a.x[t];
    if (!a.bug) __syncthreads();
    a.y[t] = s[n - 1 - t];
}
__global__ void missing_barrier_before_reuse(Args a) {
    float* s = dynamic_shared<float>();
    const int t = int(threadIdx.x);
    s[t] = 0;
    __syncthreads();
    float v = s[n - 1 - t];
    if (!a.bug) __syncthreads();
    s[t] = a.x[t];
    __syncthreads();
    a.y[t] = v + s[n - 1 - t];
}
__global__ void missing_syncwarp(Args a) {
    float* s = dynamic_shared<float>();
    const int t = int(threadIdx.x);
    s[t] = a.x[n - 1 - (t ^ 1)];
    if (a.bug)
        __shfl_sync(~0u, 0, 0);  // orders no memory
    else
        __syncwarp();
    a.y[t] = s[t ^ 1];
}
__global__ void divergent_barrier(Args a) {
    const int t = int(threadIdx.x);
    if (a.bug && t >= n / 2)
        __syncthreads();
    else
        __syncthreads();
    a.y[t] = a.x[n - 1 - t];
}
__global__ void lanes_skip_a_shuffle(Args a) {
    const int t = int(threadIdx.x);
    float v = a.x[n - 1 - t];
    if (!a.bug || t % 32 < 31) v = __shfl_xor_sync(~0u, v, 1);
    if (!a.bug || t % 32 < 31) v = __shfl_xor_sync(~0u, v, 1);
    if (a.bug) __syncthreads();
    a.y[t] = v;
}
__global__ void shared_overrun(Args a) {
    float* s = dynamic_shared<float>();
    const int t = int(threadIdx.x);
    s[t + a.bug] = a.x[n - 1 - t];
    a.y[t] = s[t + a.bug];
}
__global__ void static_shared_overrun(Args a) {
    __shared__ float s[n];
    const int t = int(threadIdx.x);
    s[t + a.bug] = a.x[n - 1 - t];
    a.y[t] = s[t + a.bug];
}

// ---- global memory --------------------------------------------------------------------------------------------------
__global__ void store_off_by_one(Args a) {
    const int t = int(threadIdx.x);
    a.y[t] = a.x[n - 1 - t];
    if (t == n - 1) a.y[t + a.bug] = a.x[0];
}
__global__ void load_off_by_one(Args a) { a.y[threadIdx.x] = a.x[n - 1 - int(threadIdx.x) + a.bug]; }
__global__ void overrun_into_the_neighbour(Args a) {
    const int t = int(threadIdx.x);
    a.y[t] = a.x[n - 1 - t];
    a.extra[t + (a.bug ? n / 2 : 0)] = 0;  // half a buffer past the end
}
__global__ void uninitialized_read(Args a) {
    const int t = int(threadIdx.x);
    a.y[t] = a.x[n - 1 - t] + (a.bug ? a.extra[t] : 0);
}
__global__ void unwritten_output(Args a) {
    const int t = int(threadIdx.x);
    if (!a.bug || t != n - 1) a.y[t] = a.x[n - 1 - t];
}
__global__ void misaligned_vector(Args a) {
    const int t = int(threadIdx.x);
    if (t == 0) *reinterpret_cast<float2*>(a.extra + a.bug) = make_float2(1, 2);
    a.y[t] = a.x[n - 1 - t];
}
__global__ void lost_atomic(Args a) {
    const int t = int(threadIdx.x);
    if (a.bug)
        a.counter[0] += 1;
    else
        atomicAdd(a.counter, 1);
    a.y[t] = a.x[n - 1 - t];
}
__global__ void two_writers(Args a) {
    const int t = int(threadIdx.x);
    a.extra[a.bug ? t / 2 : t] = 1;
    a.y[t] = a.x[n - 1 - t];
}

// ---- between blocks -------------------------------------------------------------------------------------------------
__global__ void blocks_overlap(Args a) {
    const int t = int(threadIdx.x), half = n / 2, i = int(blockIdx.x) * half + t;
    if (t < half + a.bug && i < n) a.y[i] = a.x[n - 1 - i];
}
// Every block writes its part; the last one to take a ticket reads all of them.
template <bool barrier_bug>
__device__ __forceinline__ void last_block_reads(const Args& a) {
    __shared__ bool last;
    const int t = int(threadIdx.x), part = n / int(gridDim.x);
    if (t < part) a.extra[int(blockIdx.x) * part + t] = a.x[n - 1 - (int(blockIdx.x) * part + t)];
    if (barrier_bug || !a.bug) __threadfence();
    if (!barrier_bug || !a.bug) __syncthreads();
    if (t == 0) last = atomicAdd(a.counter, 1) == int(gridDim.x) - 1;
    __syncthreads();
    if (last) a.y[t] = a.extra[t];
}
__global__ void missing_fence_before_ticket(Args a) { last_block_reads<false>(a); }
__global__ void missing_barrier_before_ticket(Args a) { last_block_reads<true>(a); }

// ---- asynchronous copies, fragments ---------------------------------------------------------------------------------
enum class Wait { none, weak, no_barrier };
template <Wait kind>
__global__ void copy_through_shared(Args a) {
    float* s = dynamic_shared<float>();
    const int t = int(threadIdx.x);
    if (t < n / 4) cp_async16(s + 4 * t, a.x + 4 * t);
    cp_async_commit();
    if (!a.bug || kind == Wait::no_barrier) cp_async_wait<0>();
    if (a.bug && kind == Wait::weak) cp_async_wait<1>();
    if (!a.bug || kind != Wait::no_barrier) __syncthreads();
    a.y[t] = s[n - 1 - t];
}

enum class Slip { not_transposed, wrong_row };
// y = the first column of the product of the identity and a 16 x 8 matrix whose element (k, 0) is n - k.
template <Slip kind>
__global__ void fragment(Args a) {
    __shared__ __align__(16) bf16 identity[16 * 16];
    __shared__ __align__(16) bf16 right[16 * 8];
    const int lane = int(threadIdx.x) % 32;
    if (threadIdx.x < 32) {
        for (int i = lane; i < 256; i += 32) identity[i] = device_round<bf16>(i % 16 == i / 16 ? 1.0f : 0.0f);
        for (int i = lane; i < 128; i += 32) right[i] = device_round<bf16>(i % 8 == 0 ? a.x[n - 1 - i / 8] : 0.0f);
        __syncwarp();
        uint32_t fa[4], fb[4];
        ldmatrix_x4(fa, identity + lane % 16 * 16 + lane / 16 * 8);
        if (a.bug && kind == Slip::not_transposed)
            ldmatrix_x4(fb, right + lane % 16 * 8);
        else
            ldmatrix_x4_trans(fb, right + lane % 16 * 8);
        float d[4] = {};
        mma_m16n8k16<bf16>(d, fa, fb[0], fb[1]);
        const int row = lane / 4, other = a.bug && kind == Slip::wrong_row ? row ^ 1 : row;
        if (lane % 4 == 0) {
            a.y[row] = d[0];
            a.y[other + 8] = d[2];
        }
    }
    if (threadIdx.x >= 16) a.y[threadIdx.x] = a.x[n - 1 - int(threadIdx.x)];
}

// ---- what each build must say ---------------------------------------------------------------------------------------
// A text: a GpuError that contains it; for addresses, the text with which the process dies. wrong: no report, and a
// wrong result. silent: this build cannot tell.
const std::string wrong = "wrong", silent = "silent";
struct Bug {
    const char* name;
    void (*kernel)(Args);
    std::string plain, address, race;
    unsigned blocks = 1;
};
void PrintTo(const Bug& b, std::ostream* out) { *out << b.name; }
const std::string overflow = "heap-buffer-overflow";
const std::vector<Bug> bugs = {
    {"missing_barrier", missing_barrier, wrong, wrong, "race"},
    {"missing_barrier_before_reuse", missing_barrier_before_reuse, silent, silent, "race"},
    {"missing_syncwarp", missing_syncwarp, silent, silent, "race"},
    {"divergent_barrier", divergent_barrier, "divergent barrier", "divergent barrier", "divergent barrier"},
    {"lanes_skip_a_shuffle", lanes_skip_a_shuffle, "deadlock", "deadlock", "deadlock"},
    {"shared_overrun", shared_overrun, "past the 512 bytes of dynamic shared memory", overflow,
     "outside dynamic shared memory"},
    {"static_shared_overrun", static_shared_overrun, silent, "out of bounds", "out_of_bounds"},
    {"store_off_by_one", store_off_by_one, "past the end of a device block", overflow, "past the end of global buffer"},
    {"load_off_by_one", load_off_by_one, wrong, overflow, "past the end of global buffer"},
    {"overrun_into_the_neighbour", overrun_into_the_neighbour, "past the end of a device block", overflow,
     "past the end of global buffer"},
    {"uninitialized_read", uninitialized_read, wrong, wrong, "uninitialized"},
    {"unwritten_output", unwritten_output, wrong, wrong, "bytes that no kernel wrote"},
    {"misaligned_vector", misaligned_vector, silent, "misaligned address", "misaligned"},
    {"lost_atomic", lost_atomic, silent, silent, "race"},
    {"two_writers", two_writers, silent, silent, "race"},
    {"blocks_overlap", blocks_overlap, silent, silent, "race", 2},
    {"missing_fence_before_ticket", missing_fence_before_ticket, silent, silent, "race", 4},
    {"missing_barrier_before_ticket", missing_barrier_before_ticket, silent, silent, "race", 4},
    {"missing_wait", copy_through_shared<Wait::none>, "never waited for", "never waited for", "in flight"},
    {"weak_wait", copy_through_shared<Wait::weak>, "never waited for", "never waited for", "in flight"},
    {"missing_barrier_after_wait", copy_through_shared<Wait::no_barrier>, wrong, wrong, "race"},
    {"ldmatrix_not_transposed", fragment<Slip::not_transposed>, wrong, wrong, wrong},
    {"wrong_accumulator_row", fragment<Slip::wrong_row>, wrong, wrong, wrong},
};

struct Outcome {
    std::string error;
    bool right = false;
};
Outcome run(const Bug& b, int bug) {
    Outcome outcome;
    outcome.error = error_of([&] {
        std::vector<float> values(n);
        for (int i = 0; i < n; ++i) values[i] = float(i + 1);
        Buffer<float> x(values), y(n), extra(n);
        Buffer<int> counter(4, 0);
        launch(b.kernel, b.blocks, n, n * sizeof(float), stream().view(),
               {x.data(), y.data(), counter.data(), extra.data(), bug});
        const auto got = y.get();
        outcome.right = true;
        for (int i = 0; i < n; ++i) outcome.right = outcome.right && got[i] == float(n - i);
    });
    return outcome;
}

class Bugs : public testing::TestWithParam<Bug> {};

TEST_P(Bugs, TheRightKernelPasses) {
    for (auto order : {emu::Options::Order::forward, emu::Options::Order::reverse, emu::Options::Order::shuffled}) {
        emu::ScopedOptions options;
        options->order = order;
        const Outcome o = run(GetParam(), 0);
        EXPECT_EQ(o.error, "");
        EXPECT_TRUE(o.right);
    }
}

TEST_P(Bugs, ThePlantedBugIsCaught) {
    const Bug& b = GetParam();
    const std::string& expected = races ? b.race : addresses ? b.address : b.plain;
    if (expected == silent) GTEST_SKIP() << "this build cannot tell";
    emu::ScopedOptions options;
    options->order = emu::Options::Order::forward;
    options->workers = 1;
    if (addresses && (expected == overflow || expected == "misaligned address" || expected == "out of bounds")) {
        testing::FLAGS_gtest_death_test_style = "threadsafe";
        EXPECT_DEATH(run(b, 1), expected);
        return;
    }
    const Outcome o = run(b, 1);
    if (expected == wrong) {
        EXPECT_EQ(o.error, "");
        EXPECT_FALSE(o.right);
    } else {
        EXPECT_NE(o.error.find(expected), std::string::npos) << (o.error.empty() ? "nothing reported" : o.error);
        EXPECT_EQ(run(b, 0).error, "");  // nothing of the failure stays behind
    }
}

INSTANTIATE_TEST_SUITE_P(All, Bugs, testing::ValuesIn(bugs),
                         [](const testing::TestParamInfo<Bug>& info) { return std::string(info.param.name); });

// ---- misuse that every build reports --------------------------------------------------------------------------------
struct Masks {
    int* out;
    int mode;
};
__global__ void bad_masks(Masks a) {
    const int t = int(threadIdx.x);
    if (a.mode == 0) a.out[t] = __shfl_sync(1u, 0, 0);
    if (a.mode == 1 && t > 3) return;
    if (a.mode == 1) a.out[t] = __shfl_sync(~0u, 0, 0);
    if (a.mode == 2) a.out[t] = t < 16 ? __shfl_sync(0xffffu, 0, 20) : 0;
    if (a.mode == 3) a.out[t] = t < 16 ? __shfl_sync(~0u, 0, 0) : __any_sync(~0u, 1);
}
TEST(Misuse, WarpMasks) {
    const char* expected[] = {"not in its mask", "exited", "not in the mask", "divergent warp"};
    for (int mode = 0; mode < 4; ++mode) {
        Buffer<int> out(32);
        const auto error = error_of([&] { launch(bad_masks, 1, 32, 0, stream().view(), {out.data(), mode}); });
        EXPECT_NE(error.find(expected[mode]), std::string::npos) << error;
    }
}

__global__ void tf32_product(Args a) {
    const float third = 1.0f / 3;
    const uint32_t bits = __float_as_uint(third), rounded = a.bug ? bits : round_tf32(bits);
    const uint32_t left[4] = {rounded, 0, 0, 0};
    float d[4] = {};
    mma_m16n8k8_tf32(d, left, round_tf32(bits), 0);
    a.y[threadIdx.x] = d[0];
}
TEST(Misuse, OperandsThatWereNotRoundedToTf32) {
    Buffer<float> y(n);
    const auto error = [&](int bug) {
        return error_of([&] {
            launch(tf32_product, 1, 32, 0, stream().view(), {nullptr, y.data(), nullptr, nullptr, bug});
        });
    };
    EXPECT_EQ(error(0), "");
    EXPECT_NE(error(1).find("was not rounded; round_tf32"), std::string::npos) << error(1);
}

__global__ void trip_counts(Masks a) {
    for (unsigned i = 0; i < threadIdx.x / 32 + 1; ++i) __syncthreads();
    a.out[threadIdx.x] = 1;
    __syncthreads();
}
TEST(Misuse, BarrierTripCounts) {
    Buffer<int> out(64);
    const auto error = error_of([&] { launch(trip_counts, 1, 64, 0, stream().view(), {out.data(), 0}); });
    EXPECT_NE(error.find("divergent barrier"), std::string::npos) << error;
    EXPECT_NE(error.find("trip_counts"), std::string::npos) << "names the kernel: " << error;
    EXPECT_NE(error.find("bugs_test.cu:"), std::string::npos) << "names the line: " << error;
}

// ---- addresses only the races build can tell ------------------------------------------------------------------------
struct Pointers {
    const float* x;
    float* y;
};
__global__ void copy_one(Pointers a) { a.y[threadIdx.x] = a.x[threadIdx.x]; }
__global__ void read_local_of_another(Pointers a) {
    __shared__ float* local;
    float mine[4] = {float(threadIdx.x), 1, 2, 3};
    if (threadIdx.x == 0) local = mine;
    __syncthreads();
    a.y[threadIdx.x] = local[threadIdx.x & 3];
    __syncthreads();
}
TEST(Addresses, OnlyDeviceMemory) {
    if (!races) GTEST_SKIP() << "the races build looks every address up";
    Buffer<float> y(32);
    auto report = [&](void (*kernel)(Pointers), const float* x) {
        return error_of([&] { launch(kernel, 1, 32, 0, stream().view(), {x, y.data()}); });
    };
    const std::vector<float> host(32, 1.0f);
    EXPECT_NE(report(copy_one, host.data()).find("not device memory"), std::string::npos);
    auto* freed = static_cast<float*>(allocate(1 << 20));
    release(freed);
    EXPECT_NE(report(copy_one, freed).find("not device memory"), std::string::npos);
    Buffer<float> x(64, 1.0f);
    EXPECT_NE(report(copy_one, x.data() - 1).find("before global buffer"), std::string::npos);
    EXPECT_NE(report(read_local_of_another, x.data()).find("local memory"), std::string::npos);
    EXPECT_EQ(report(copy_one, x.data()), "");
}

}  // namespace
}  // namespace atrous::gpu::test
