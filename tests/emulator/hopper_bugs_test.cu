// Planted bugs in a Hopper kernel, most of which a GPU would not report. Each build that can catch one must.
#include "tests/emulator/hopper_support.h"

namespace atrous::gpu::test {
namespace {

// A text: a GpuError that contains it. wrong: no report, and a wrong result. silent: this build cannot tell.
const std::string wrong = "wrong", silent = "silent";
struct Bug {
    const char* name;
    Slip slip;
    std::string other_builds, race;
};
void PrintTo(const Bug& b, std::ostream* out) { *out << b.name; }
const std::vector<Bug> bugs = {
    {"no_init_fence", Slip::no_init_fence, "lacks a fence_mbarrier_init", "lacks a fence_mbarrier_init"},
    {"no_init_barrier", Slip::no_init_barrier, "never initialized", "never initialized"},
    {"no_wait_for_tile", Slip::no_wait_for_tile, "more arrivals in one phase", "uninitialized"},
    {"wrong_parity", Slip::wrong_parity, "more arrivals in one phase", "uninitialized"},
    {"no_wait_for_stage", Slip::no_wait_for_stage, "more arrivals in one phase", "more arrivals in one phase"},
    {"early_release", Slip::early_release, silent, "race"},
    {"few_bytes", Slip::few_bytes, "fewer bytes were expected", "fewer bytes were expected"},
    {"many_bytes", Slip::many_bytes, "expects 0 arrival(s) and 64 bytes", "expects 0 arrival(s) and 64 bytes"},
    {"misaligned_tile", Slip::misaligned_tile, "needs 1024-byte alignment", "needs 1024-byte alignment"},
    {"misaligned_map", Slip::misaligned_map, "a tensor map needs 64-byte", "misaligned access to"},
    {"no_wgmma_fence", Slip::no_wgmma_fence, "without a wgmma_fence", "without a wgmma_fence"},
    {"early_accumulators", Slip::early_accumulators, wrong, "read of accumulators before wgmma_wait"},
    {"no_wgmma_wait", Slip::no_wgmma_wait, "never waited for", "never waited for"},
    {"different_products", Slip::different_products, "issued different products", "issued different products"},
    {"no_proxy_fence", Slip::no_proxy_fence, silent, "without a fence_proxy_async"},
    {"no_store_wait", Slip::no_store_wait, "a tma_store it never waited for", "a tma_store it never waited for"},
    {"overwritten_store", Slip::overwritten_store, "changed while a tma_store", "changed while a tma_store"},
    {"unequal_named_count", Slip::unequal_named_count, "threads where others expect", "threads where others expect"},
};

struct Outcome {
    std::string error;
    bool right = false;
};
Outcome run(Slip slip) {
    Outcome o;
    o.error = error_of([&] { o.right = gemm_is_exact<bf16, Major::k, Major::mn>({64, 64, 320}, slip); });
    return o;
}

class HopperBugs : public testing::TestWithParam<Bug> {};

TEST_P(HopperBugs, ThePlantedBugIsCaught) {
    const Bug& b = GetParam();
    const std::string& expected = races ? b.race : b.other_builds;
    if (expected == silent) GTEST_SKIP() << "this build cannot tell";
    emu::ScopedOptions options;
    options->capability = 90;
    options->order = emu::Options::Order::forward;
    options->workers = 1;
    if (addresses && b.slip == Slip::misaligned_map) {  // the sanitizer sees the reference first
        testing::FLAGS_gtest_death_test_style = "threadsafe";
        EXPECT_DEATH(run(b.slip), "misaligned address");
        return;
    }
    const Outcome o = run(b.slip);
    if (expected == wrong) {
        EXPECT_EQ(o.error, "");
        EXPECT_FALSE(o.right);
    } else {
        EXPECT_NE(o.error.find(expected), std::string::npos) << (o.error.empty() ? "nothing reported" : o.error);
    }
    const Outcome after = run(Slip::none);  // nothing of the failure stays behind
    EXPECT_EQ(after.error, "");
    EXPECT_TRUE(after.right);
}

INSTANTIATE_TEST_SUITE_P(All, HopperBugs, testing::ValuesIn(bugs),
                         [](const testing::TestParamInfo<Bug>& info) { return std::string(info.param.name); });

struct Output {
    float* y;
};
__global__ void much_static_memory(Output a) {
    __shared__ float s[4096];
    for (unsigned i = threadIdx.x; i < 4096; i += 32) s[i] = 1;
    a.y[threadIdx.x] = s[threadIdx.x];
}
TEST(HopperMisuse, StaticSharedMemoryCounts) {
    if (!races) GTEST_SKIP() << "the races build sees which variables are used";
    Buffer<float> y(32);
    const auto error = [&](size_t kib) {
        return error_of([&] { launch(much_static_memory, 1, 32, kib * 1024, stream().view(), {y.data()}); });
    };
    EXPECT_EQ(error(211), "");
    EXPECT_NE(error(212).find("16384 of static shared memory; a block has 232448"), std::string::npos) << error(212);
}

__global__ void many_registers(Output) { set_max_registers_up<232>(); }
__global__ void registers_of_one_warp(Output) {
    if (threadIdx.x < 32) set_max_registers_down<40>();
}
TEST(HopperMisuse, MoreRegistersThanThereAre) {
    emu::ScopedOptions options;
    options->capability = 90;
    const auto error = [](unsigned threads) {
        return error_of([&] { launch(many_registers, 1, threads, 0, stream().view(), {}); });
    };
    EXPECT_EQ(error(256), "");
    EXPECT_NE(error(384).find("89088 registers, and there are 65536"), std::string::npos) << error(384);
    const auto one_warp = error_of([&] { launch(registers_of_one_warp, 1, 128, 0, stream().view(), {}); });
    EXPECT_NE(one_warp.find("do not all ask for one number"), std::string::npos) << one_warp;
}

TEST(HopperMisuse, OnADeviceWithoutIt) {
    emu::ScopedOptions options;
    options->capability = 80;
    const std::string error = run(Slip::none).error;
    EXPECT_NE(error.find("mbarrier_init needs capability 9.0, and this device has 8.0"), std::string::npos) << error;
    EXPECT_NE(error.find("hopper_gemm.h:"), std::string::npos) << "names the line: " << error;
}

}  // namespace
}  // namespace atrous::gpu::test
