// The memory plan of steps of many micro-batches, of which it runs dry a few.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "engine/context.h"
#include "engine/train/memory_plan.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/plan_against_count.h"

namespace atrous {
namespace {

PlanOptions plan_of(DeviceKind device, int64_t batch, int64_t last_batch, int64_t accumulate) {
    PlanOptions o;
    o.device = {device};
    o.batch = batch;
    o.last_batch = last_batch;
    o.height = o.width = device == DeviceKind::cpu ? 64 : 32;  // the emulated kernels are slow
    o.accumulate = accumulate;
    return o;
}

UNet net_for(DeviceKind device) { return UNet({3, 1, device == DeviceKind::cpu ? 8 : 4, 3, false}); }

// Six epochs of two steps and one of smaller micro-batches, as the plan has them.
void train(const PlanOptions& o) {
    UNet net = net_for(o.device.kind);
    net.materialize({.device = o.device, .seed = 1});
    Optimizer optimizer(net, o.optimizer);
    const auto loss = o.loss(o.device, o.compute);
    TrainingStep step(net, optimizer, *loss, {.graphs = o.graphs, .log_capacity = read_interval(0, o.device)});
    for (int i = 0; i < 6; ++i)
        for (const int64_t n : {o.batch, o.batch, o.last_batch}) {
            if (n == 0) continue;
            HostBatch b;
            b.n = n, b.h = o.height, b.w = o.width, b.c = 3;
            b.images.assign(size_t(b.n * b.h * b.w * b.c), 0.5f);
            b.labels.assign(size_t(b.n * b.h * b.w), 1);
            const std::vector<HostBatch> micro_batches(size_t(o.accumulate), b);
            step.run(micro_batches.data(), o.accumulate, 1e-4);
            step.read();
        }
}

struct Setting {
    DeviceKind device;
    int64_t batch, last_batch, accumulate;
};

std::ostream& operator<<(std::ostream& out, const Setting& s) {
    return out << name_of(Device{s.device}) << ", " << s.accumulate << " batches of " << s.batch << ", the last of "
               << s.last_batch;
}

class MicroBatchesPlan : public testing::TestWithParam<Setting> {};

// The cpu's scratch memory outside convolutions, which is not planned, is under a fiftieth here.
TEST_P(MicroBatchesPlan, MeetsWhatTheAllocatorCounts) {
    const Setting& s = GetParam();
    if (s.device == DeviceKind::gpu && gpu::device_count() == 0) GTEST_SKIP() << "not on this machine";
    const PlanOptions options = plan_of(s.device, s.batch, s.last_batch, s.accumulate);
    UNet net = net_for(s.device);
    expect_plan_meets_count(net, options, [&] { train(options); });
}

constexpr auto host = DeviceKind::cpu, accelerator = DeviceKind::gpu;
INSTANTIATE_TEST_SUITE_P(All, MicroBatchesPlan,
                         testing::Values(Setting{host, 2, 0, 5}, Setting{host, 2, 1, 24}, Setting{accelerator, 2, 0, 4},
                                         Setting{accelerator, 1, 0, 11}, Setting{accelerator, 2, 1, 7}));

// Before, every one of 65,536 was run dry, 18 times over: two minutes.
TEST(ManyMicroBatches, ArePlannedAtOnceAndTakeTurnsInTheSameMemory) {
    UNet net({3, 1, 4, 2, false});
    for (const auto device : {host, accelerator}) {
        const auto start = std::chrono::steady_clock::now();
        const MemoryPlan many = plan_memory(net, plan_of(device, 8, 4, 65536));
        EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
        PlanOptions few = plan_of(device, 8, 4, 5);
        few.graphs = false;  // so many inputs are more than a graph may have
        EXPECT_EQ(many.peak_bytes, plan_memory(net, few).peak_bytes);
        EXPECT_EQ(many.reserved_bytes, plan_memory(net, few).reserved_bytes);
    }
}

// 256 MiB of inputs are recorded as one graph, which needs them all; a larger batch's are not, its last, smaller ones'
// are. Twice as much where the block is counted that stages the largest step's.
TEST(ManyMicroBatches, OfAGraphHaveAllTheirInputsAtOnce) {
    UNet net({3, 1, 4, 2, false});
    const size_t image = 32 * 32 * (3 * sizeof(float) + 1);
    const int64_t most = int64_t((size_t{256} << 20) / (4 * image));  // of micro-batches of 4
    const auto inputs = [&](int64_t batch, int64_t last_batch, int64_t accumulate) {
        const size_t bytes =
            plan_memory(net, plan_of(accelerator, batch, last_batch, accumulate)).at_peak(BlockUse::batch);
        return double(bytes) / double(size_t{256} << 20);
    };
    EXPECT_NEAR(inputs(4, 0, most), 2, 0.01);
    EXPECT_LT(inputs(4, 0, most + 1), 0.01);
    EXPECT_NEAR(inputs(4, 2, most), 2.5, 0.01);
    EXPECT_NEAR(inputs(8, 4, most), 2, 0.01);
    EXPECT_LT(inputs(8, 5, most), 0.01);
}

}  // namespace
}  // namespace atrous
