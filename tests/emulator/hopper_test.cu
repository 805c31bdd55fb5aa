// mbarriers, TMA and wgmma against plain copies and products.
#include "tests/emulator/hopper_support.h"

namespace atrous::gpu::test {
namespace {

using Order = emu::Options::Order;

class Hopper : public testing::Test {
 protected:
    void SetUp() override { options->capability = 90; }
    emu::ScopedOptions options;
};

TEST_F(Hopper, GemmIsExactInBothMajorsAndTypes) {
    const GemmSize size{128, 64, 192};
    EXPECT_TRUE((gemm_is_exact<bf16, Major::k, Major::k>(size)));
    EXPECT_TRUE((gemm_is_exact<bf16, Major::k, Major::mn>(size)));
    EXPECT_TRUE((gemm_is_exact<bf16, Major::mn, Major::k>(size)));
    EXPECT_TRUE((gemm_is_exact<bf16, Major::mn, Major::mn>(size)));
    EXPECT_TRUE((gemm_is_exact<f16, Major::k, Major::mn>(size)));
}

TEST_F(Hopper, GemmPadsWithZerosAndCutsItsStores) {
    EXPECT_TRUE((gemm_is_exact<bf16, Major::k, Major::k>({72, 40, 88})));
    EXPECT_TRUE((gemm_is_exact<bf16, Major::mn, Major::mn>({72, 40, 88})));
}

TEST_F(Hopper, GemmIsExactInEveryOrder) {
    for (const Order order : {Order::reverse, Order::shuffled})
        for (options->seed = 1; options->seed <= (order == Order::shuffled ? 4 : 1); ++options->seed) {
            options->order = order;
            EXPECT_TRUE((gemm_is_exact<bf16, Major::k, Major::mn>({64, 128, 320}))) << "seed " << options->seed;
        }
}

// ---- the shapes of wgmma --------------------------------------------------------------------------------------------
struct Wide {
    const float *a, *b;  // 64 x 16 and n x 16
    float* d;            // 64 x n
    bool accumulates;
};
// Operands stored by ordinary code in the layouts that wgmma_operand describes; accumulators begin at 1.
template <int N, Major A, Major B>
__global__ void wide_product(Wide p) {
    auto* s = dynamic_shared<unsigned char>();
    const int t = int(threadIdx.x);
    unsigned char* const right = s + 64 * 128;
    const auto put = [](unsigned char* to, Major major, int mn, int k, float x) {
        const int row = major == Major::k ? mn : k + mn / 64 * 16, column = major == Major::k ? k : mn % 64;
        const int at = row * 128 + column * 2;
        *reinterpret_cast<bf16*>(to + (at ^ (at >> 7 & 7) << 4)) = device_round<bf16>(x);
    };
    for (int i = t; i < 64 * 16; i += 128) put(s, A, i / 16, i % 16, p.a[i]);
    for (int i = t; i < N * 16; i += 128) put(right, B, i / 16, i % 16, p.b[i]);
    fence_proxy_async();
    __syncthreads();
    float d[N / 2];
    for (float& x : d) x = 1;
    wgmma_fence();
    wgmma_m64k16<bf16, N, A, B>(d, wgmma_operand<A>(s), wgmma_operand<B>(right, 16 * 128), p.accumulates);
    wgmma_commit();
    wgmma_wait<0>();
    for (int i = 0; i < N / 2; ++i) {
        const int row = t / 32 * 16 + t % 32 / 4 + 8 * (i / 2 % 2), column = i / 4 * 8 + t % 4 * 2 + i % 2;
        p.d[row * N + column] = d[i];
    }
}
template <int N, Major A, Major B>
void expect_wide(bool accumulates) {
    const auto a = small_integers(64 * 16, 1), b = small_integers(N * 16, 77);
    Buffer<float> da(a), db(b), d(64 * N);
    launch(wide_product<N, A, B>, 1, 128, 64 * 128 + 256 * 128, stream().view(),
           {da.data(), db.data(), d.data(), accumulates});
    const auto got = d.get();
    int wrong = 0;
    for (int m = 0; m < 64; ++m)
        for (int n = 0; n < N; ++n) {
            float sum = accumulates ? 1 : 0;
            for (int k = 0; k < 16; ++k) sum += a[m * 16 + k] * b[n * 16 + k];
            wrong += got[m * N + n] != sum;
        }
    EXPECT_EQ(wrong, 0) << "n" << N;
}
TEST_F(Hopper, WgmmaOfEveryKindOfShape) {
    expect_wide<8, Major::k, Major::k>(true);
    expect_wide<24, Major::mn, Major::mn>(false);
    expect_wide<88, Major::k, Major::mn>(true);
    expect_wide<200, Major::mn, Major::mn>(true);
    expect_wide<256, Major::mn, Major::k>(false);
    expect_wide<256, Major::k, Major::mn>(true);
}

// Two groups under way: the older one is waited for alone.
__global__ void two_groups(Wide p) {
    auto* s = dynamic_shared<bf16>();
    for (int i = int(threadIdx.x); i < 64 * 64; i += 128) s[i] = device_round<bf16>(1);
    fence_proxy_async();
    __syncthreads();
    const uint64_t ones = wgmma_operand<Major::k>(s);
    float d[4] = {}, e[4] = {};
    wgmma_fence();
    wgmma_m64k16<bf16, 8, Major::k, Major::k>(d, ones, ones);
    wgmma_commit();
    wgmma_m64k16<bf16, 8, Major::k, Major::k>(e, ones, ones);
    wgmma_m64k16<bf16, 8, Major::k, Major::k>(e, ones + 2, ones + 2);
    wgmma_commit();
    wgmma_wait<1>();
    p.d[threadIdx.x] = d[0];
    wgmma_wait<0>();
    p.d[128 + threadIdx.x] = e[3];
}
TEST_F(Hopper, WgmmaGroupsAreWaitedForOneByOne) {
    Buffer<float> d(256);
    launch(two_groups, 1, 128, 64 * 128, stream().view(), {nullptr, nullptr, d.data(), false});
    const auto got = d.get();
    EXPECT_EQ(got[5], 16);
    EXPECT_EQ(got[133], 32);
}

// One warp arrives and goes on, the other one waits for it.
__global__ void named_barriers(Wide p) {
    auto* s = dynamic_shared<float>();
    const int lane = int(threadIdx.x) % 32;
    if (threadIdx.x < 32) {
        s[lane] = float(lane);
        named_barrier_arrive(3, 64);
    } else {
        named_barrier_sync(3, 64);
        p.d[lane] = s[31 - lane];
    }
}
TEST_F(Hopper, NamedBarriersOrderMemory) {
    for (const Order order : {Order::forward, Order::reverse, Order::shuffled}) {
        options->order = order;
        Buffer<float> d(32);
        launch(named_barriers, 1, 64, 128, stream().view(), {nullptr, nullptr, d.data(), false});
        EXPECT_EQ(d.get()[0], 31);
    }
}

// ---- boxes ----------------------------------------------------------------------------------------------------------
template <int Rank>
struct Box {
    TensorMap from, to;
    int at[Rank];
    unsigned bytes;
    uint16_t* linear;  // the box as it lies in shared memory
};
template <int Rank>
__global__ void copy_box(const __grid_constant__ Box<Rank> p) {
    auto* s = dynamic_shared<unsigned char>();
    auto* full = reinterpret_cast<MBarrier*>(s + 32 * 1024);
    if (threadIdx.x == 0) {
        mbarrier_init(full, 1);
        fence_mbarrier_init();
        mbarrier_arrive_expect_tx(full, p.bytes);
        tma_load(p.from, p.at, s, full);
    }
    __syncthreads();
    while (!mbarrier_try_wait(full, 0)) {
    }
    for (unsigned i = threadIdx.x; i < p.bytes / 2; i += 32) p.linear[i] = reinterpret_cast<const uint16_t*>(s)[i];
    if (threadIdx.x != 0) return;
    tma_store(p.to, p.at, s);
    tma_store_commit();
    tma_store_wait<0>();
}

// Rank 5 from negative indices on, with steps of 2 and 3: what lies outside is zero, and is not written back.
TEST_F(Hopper, BoxesOfRank5WithStepsAndZeroFill) {
    constexpr int size[5] = {8, 5, 4, 3, 2}, box[5] = {8, 4, 3, 2, 2}, step[5] = {1, 2, 3, 1, 1};
    constexpr int at[5] = {-2, -1, 2, -1, 1};
    std::vector<uint16_t> values(8 * 5 * 4 * 3 * 2);
    for (size_t i = 0; i < values.size(); ++i) values[i] = uint16_t(i + 1);
    Buffer<uint16_t> from(values), to(values.size(), uint16_t(7)), linear(8 * 2 * 1 * 2 * 2);
    TensorMapDescription d;
    d.rank = 5;
    d.swizzle = TensorSwizzle::none;
    uint64_t stride = 2;
    for (size_t i = 0; i < 5; ++i) {
        d.size[i] = uint64_t(size[i]);
        d.box[i] = uint32_t(box[i]);
        d.step[i] = uint32_t(step[i]);
        d.stride_bytes[i] = stride;
        stride *= uint64_t(size[i]);
    }
    d.base = from.data();
    const TensorMap source = encode_tensor_map(d);
    d.base = to.data();
    Box<5> p{source, encode_tensor_map(d), {at[0], at[1], at[2], at[3], at[4]}, 8 * 2 * 1 * 2 * 2 * 2, linear.data()};
    launch(copy_box<5>, 1, 32, 32 * 1024 + 8, stream().view(), p);
    const auto got = linear.get(), back = to.get();
    std::vector<uint16_t> expected_back(values.size(), 7);
    for (int i = 0; i < int(got.size()); ++i) {
        const int index[5] = {at[0] + i % 8, at[1] + i / 8 % 2 * 2, at[2], at[3] + i / 16 % 2, at[4] + i / 32};
        int offset = 0;
        bool inside = true;
        for (int k = 4; k >= 0; --k) {
            inside = inside && index[k] >= 0 && index[k] < size[k];
            offset = offset * size[k] + index[k];
        }
        EXPECT_EQ(got[size_t(i)], inside ? values[size_t(offset)] : 0) << i;
        if (inside) expected_back[size_t(offset)] = values[size_t(offset)];
    }
    EXPECT_EQ(back, expected_back);
}

TEST_F(Hopper, CapabilityIsWhatWasAskedFor) {
    EXPECT_EQ(capability(), 90);
    options->capability = 80;
    EXPECT_EQ(capability(), 80);
    EXPECT_EQ(device_info(0).minor, 0);
}

TEST_F(Hopper, TensorMapsThatCannotBe) {
    Buffer<bf16> x(64 * 64);
    const auto error = [&](auto change) {
        TensorMapDescription d;
        d.base = x.data();
        d.size = {64, 64};
        d.stride_bytes = {0, 128};
        d.box = {64, 64};
        change(d);
        return error_of([&] { encode_tensor_map(d); });
    };
    EXPECT_EQ(error([](auto&) {}), "");
    EXPECT_NE(error([](auto& d) { d.rank = 6; }).find("the rank is 6; 2 to 5"), std::string::npos);
    EXPECT_NE(error([](auto& d) { d.base = static_cast<char*>(d.base) + 2; }).find("16 bytes"), std::string::npos);
    EXPECT_NE(error([](auto& d) { d.box[0] = 32; }).find("64 bytes; with the swizzle"), std::string::npos);
    EXPECT_NE(error([](auto& d) { d.stride_bytes[1] = 136; }).find("of dimension 1 is 136"), std::string::npos);
    EXPECT_NE(error([](auto& d) { d.box[1] = 257; }).find("1 to 256"), std::string::npos);
    EXPECT_NE(error([](auto& d) { d.step[1] = 9; }).find("1 to 8"), std::string::npos);
}

}  // namespace
}  // namespace atrous::gpu::test
