// Kernels beside others: that they may run at the same time, that the join waits for them, and whose memory is whose.
#include "engine/side_branch.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "kernels/elementwise.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"

namespace atrous {
namespace {

namespace k = kernels;
constexpr Device device{DeviceKind::gpu}, meta{DeviceKind::meta};
constexpr int64_t count = 4096;

void copy_beside(SideBranch& beside, const Tensor& from, const Tensor& to) {
    beside.run({k::reference::copy, k::cpu::copy, k::cuda::copy}, k::CopyArgs{from.view(), {to.view(), false}});
}

struct TakeArgs {
    size_t bytes;
    void** taken;
};
void take_scratch(Queue& q, const TakeArgs& a) { *a.taken = q.scratch<char>(a.bytes); }

class SideBranches : public testing::Test {
 protected:
    void SetUp() override { options_->deferred = true; }
    void TearDown() override {
        SideBranch::allow(true);
        gpu::synchronize_device();
    }
    // In how many orders of the streams a kernel on the branch sees a value that is written behind the fork.
    int late(bool joined_before) {
        int late = 0;
        for (uint64_t seed = 1; seed <= 30; ++seed) {
            options_->seed = seed;
            const Tensor value = Tensor::full({count}, DType::f32, device, 7),
                         next = Tensor::full({count}, DType::f32, device, 1);
            const Tensor seen = empty_like(value), after = empty_like(value);
            SideBranch beside(device);
            copy_beside(beside, value, seen);
            if (joined_before) beside.join();
            copy_into(next, {value.view(), false});
            beside.join();
            copy_into(seen, {after.view(), false});
            const float found = after.to_host<float>()[count - 1];
            EXPECT_TRUE(found == 7 || found == 1) << found << ": the join waits for the branch, seed " << seed;
            late += found == 1;
        }
        return late;
    }
    gpu::emu::ScopedOptions options_;
};

TEST_F(SideBranches, RunBesideWhatFollowsUntilTheJoin) {
    EXPECT_GT(late(false), 0) << "a fault here, that the two streams show";
    EXPECT_EQ(late(true), 0);
}

TEST_F(SideBranches, AreInOrderWhereTheyAreNotAllowed) {
    SideBranch::allow(false);
    EXPECT_EQ(late(false), 0);
    SideBranch::allow(true);
    const Profiler profiler;
    EXPECT_EQ(late(false), 0) << "times are those of one kernel after the other";
}

TEST_F(SideBranches, KeepTheirScratchMemoryUntilTheJoin) {
    if (!memory_is_cached) GTEST_SKIP() << "every block is one of its own";
    constexpr size_t bytes = 12345;
    context_of(device).memory().release_cache();
    void *first = nullptr, *second = nullptr;
    SideBranch beside(device);
    beside.run({nullptr, nullptr, take_scratch}, TakeArgs{bytes, &first});
    run(device, {nullptr, nullptr, take_scratch}, TakeArgs{bytes, &second});
    EXPECT_NE(first, second);
    EXPECT_EQ(Tensor::empty({int64_t(bytes)}, DType::u8, device).data(), second)
        << "the compute stream's is free again";
    beside.join();
    const Tensor a = Tensor::empty({int64_t(bytes)}, DType::u8, device), b = empty_like(a);
    EXPECT_TRUE(a.data() == first || b.data() == first) << "and now the branch's";
}

TEST_F(SideBranches, TakeNoPartInACaptureWhereNothingRan) {
    const Tensor value = Tensor::full({count}, DType::f32, device, 7), to = empty_like(value);
    context_of(device).synchronize();
    gpu::Graph graph = gpu::Graph::capture(context_of(device).stream(), [&] {
        SideBranch beside(device);
        copy_into(value, {to.view(), false});
        beside.join();
    });
    EXPECT_EQ(graph.nodes(), 1u);
}

TEST_F(SideBranches, GiveTheirScratchMemoryBackWhereTheJoinFailsWhichIsAnError) {
    for (const bool forgotten : {false, true}) {
        void* taken = nullptr;
        auto* const beside = new SideBranch(device);
        beside->run({nullptr, nullptr, take_scratch}, TakeArgs{512, &taken});
        EXPECT_EQ(context_of(device).scratch_blocks(), 1u);
        const auto join = [&] {  // the branch is outside of the capture
            if (!forgotten) beside->join();
            delete beside;
        };
        EXPECT_THROW(gpu::Graph::capture(context_of(device).stream(), join), GpuError);
        EXPECT_EQ(context_of(device).scratch_blocks(), 0u);
        if (!forgotten) delete beside;
    }
}

TEST_F(SideBranches, AreInMemoryPlans) {
    const auto peak = [](bool allowed) {
        SideBranch::allow(allowed);
        MemorySimulation simulation(device);
        void* taken = nullptr;
        SideBranch beside(meta);
        beside.run({nullptr, nullptr, take_scratch}, TakeArgs{512, &taken});
        run(meta, {nullptr, nullptr, take_scratch}, TakeArgs{1024, &taken});
        beside.join();
        EXPECT_EQ(simulation.memory().statistics().in_use_bytes, 0u);
        return simulation.memory().statistics().peak_bytes;
    };
    EXPECT_EQ(peak(true), 1536u);
    EXPECT_EQ(peak(false), 1024u);
}

}  // namespace
}  // namespace atrous
#endif
