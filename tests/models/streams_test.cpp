// The two streams of a training step: that every wait between them is there.
#include <gtest/gtest.h>

#include "engine/context.h"
#include "engine/train/staging.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"

namespace atrous {
namespace {

constexpr Device device{DeviceKind::gpu};

struct Trained {
    std::vector<double> losses;
    std::vector<float> weights;
};

// Single batches and pairs of micro-batches, of two sizes and small ones first, so that the staging block grows; as
// graphs and, beyond the limit, one after the other. The host looks seldom, so that much of the work waits.
Trained train() {
    UNet net({.base_channels = 4, .depth = 1});
    net.materialize({.device = device, .seed = 3});
    Optimizer optimizer(net, {});
    const auto loss = bce_dice_loss()(device, DType::f32);
    TrainingStep step(net, optimizer, *loss, {.max_input_bytes = 4 * 8 * 8 * 13});
    Rectangles small(40, 2, 8, 1), large(40, 2, 16, 2);
    small.start_epoch(0, 0);
    large.start_epoch(0, 0);
    Trained found;
    for (int i = 0; i < 16; ++i) {
        Rectangles& source = i % 3 == 2 ? large : small;
        const int64_t count = 1 + i / 8;
        std::vector<HostBatch> window(static_cast<size_t>(count));
        for (HostBatch& b : window) EXPECT_TRUE(source.next(b));
        step.run(window.data(), count, 1e-3 / (i + 1));
    }
    EXPECT_GT(step.replayed(), 0);
    for (const StepLogEntry& entry : step.read()) found.losses.push_back(entry.loss);
    found.weights = net.arena().values.to_host<float>();
    return found;
}

TEST(Streams, AStepHasTheSameBitsInEveryOrderOfItsStreams) {
    gpu::emu::ScopedOptions options;
    options->deferred = false;
    const Trained expected = train();
    options->deferred = true;
    for (uint64_t seed = 1; seed <= 12; ++seed) {
        options->seed = seed;
        const Trained found = train();
        EXPECT_EQ(found.losses, expected.losses) << "seed " << seed;
        EXPECT_EQ(found.weights, expected.weights) << "seed " << seed;
    }
    gpu::synchronize_device();
}

// A block that was given back may be in use until the compute stream comes so far.
TEST(Streams, StagingLeavesAloneWhatTheComputeStreamStillReads) {
    if (!memory_is_cached) GTEST_SKIP() << "every block is one of its own";
    gpu::emu::ScopedOptions options;
    options->deferred = true;
    const std::vector<float> ones(4096, 1);
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        options->seed = seed;
        context_of(device).memory().release_cache();
        Tensor before = Tensor::full({4096}, DType::f32, device, 7), kept = empty_like(before),
               input = empty_like(before);
        const void* const memory = before.data();
        Staging staging(device);
        kept.copy_from(before);
        before = Tensor();
        staging.send({{input.data(), ones.data(), input.bytes()}});
        Tensor next = Tensor::empty({4096}, DType::f32, device);
        ASSERT_NE(next.data(), memory) << "the staging block was to take it";
        EXPECT_EQ(kept.to_host<float>()[4095], 7) << "seed " << seed;
        EXPECT_EQ(input.to_host<float>()[4095], 1) << "seed " << seed;
    }
    gpu::synchronize_device();
}

}  // namespace
}  // namespace atrous
#endif
