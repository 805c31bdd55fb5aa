// Training: the GPU kernels (emulated, or real in a cuda build) against the cpu, resumption, accumulation, mixed
// precision.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include "engine/io/checkpoint.h"
#include "engine/ops/loss.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"
#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous {
namespace {

struct Collector : TrainObserver {
    std::vector<double> losses;
    int64_t stop_after = -1;
    void on_step(const StepReport& r) override { losses.push_back(r.loss); }
    bool stop_requested() override { return stop_after >= 0 && int64_t(losses.size()) >= stop_after; }
};

struct Outcome {
    std::vector<double> losses;
    std::vector<float> weights;
};

struct Recipe {
    Device device;
    uint64_t seed = 0;
    int64_t epochs = 5, batch = 4, accumulate = 1, size = 32, samples = 16;
    DType compute = DType::f32;
    double lr = 1e-4;
    int depth = 3;
};

Outcome train(const Recipe& r) {
    UNet net({.base_channels = 8, .depth = r.depth});
    net.materialize({.device = r.device, .compute = r.compute, .seed = r.seed});
    Optimizer optimizer(net, {});
    TrainerOptions options{
        .epochs = r.epochs, .schedule = {.base = r.lr}, .loss = {}, .compute = r.compute, .accumulate = r.accumulate};
    Trainer trainer(net, optimizer, options);
    Rectangles source(r.samples, r.batch, r.size, r.seed);
    Collector collector;
    EXPECT_TRUE(trainer.run(source, nullptr, collector));
    return {collector.losses, net.arena().values.to_host<float>()};
}

bool have_gpu() { return gpu::device_count() > 0; }

// Adam's first steps divide tiny gradients by their own size, so rounding differences grow with the learning rate: at
// 1e-4 losses stay within 1e-4.
TEST(TrainingTest, GpuKernelsFollowTheCpu) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    for (uint64_t seed = 0; seed < 4; ++seed) {
        const Outcome cpu = train({.device = {DeviceKind::cpu}, .seed = seed}),
                      gpu = train({.device = {DeviceKind::gpu}, .seed = seed});
        ASSERT_EQ(cpu.losses.size(), 20u);
        for (size_t i = 0; i < cpu.losses.size(); ++i)
            EXPECT_NEAR(gpu.losses[i], cpu.losses[i], 1e-4 * cpu.losses[i]) << "seed " << seed << " step " << i + 1;
    }
}

#ifdef ATROUS_EMULATED
TEST(TrainingTest, ThreadOrdersGiveEqualBits) {
    const Recipe recipe{.device = {DeviceKind::gpu}, .epochs = 1, .samples = 8, .depth = 2};
    const Outcome forward = train(recipe);
    for (const uint64_t seed : {1, 2}) {
        gpu::emu::ScopedOptions options;
        options->order = gpu::emu::Options::Order::shuffled;
        options->seed = seed;
        const Outcome shuffled = train(recipe);
        EXPECT_EQ(shuffled.losses, forward.losses);
        EXPECT_EQ(shuffled.weights, forward.weights);
    }
}
#endif

TEST(TrainingTest, TheSameRunGivesTheSameBits) {
    const Recipe recipe{.device = {DeviceKind::cpu}, .seed = 3};
    EXPECT_EQ(train(recipe).weights, train(recipe).weights);
}

// bf16 keeps 8 bits: losses agree to a few of them, and training gets as far.
TEST(TrainingTest, Bfloat16TrainsLikeFloat) {
    for (DeviceKind kind : {DeviceKind::cpu, DeviceKind::gpu}) {
        if (kind == DeviceKind::gpu && !have_gpu()) continue;
        const int64_t epochs = kind == DeviceKind::cpu ? 10 : 3;
        const Outcome full = train({.device = {DeviceKind::cpu}, .epochs = epochs, .lr = 1e-3}),
                      half = train({.device = {kind}, .epochs = epochs, .compute = DType::bf16, .lr = 1e-3});
        EXPECT_NEAR(half.losses.front(), full.losses.front(), 0.02 * full.losses.front());
        EXPECT_NEAR(half.losses.back(), full.losses.back(), 0.1 * full.losses.back());
    }
}

// Micro-batches that share one normaliser add up to the large batch's BCE; batch norm's statistics and Dice differ, so
// the loss is close, not equal.
TEST(TrainingTest, AccumulationWeighsMicroBatchesAsOneBatch) {
    const Outcome whole = train({.device = {DeviceKind::cpu}, .epochs = 1, .batch = 8}),
                  parts = train({.device = {DeviceKind::cpu}, .epochs = 1, .batch = 4, .accumulate = 2});
    ASSERT_EQ(whole.losses.size(), parts.losses.size());
    for (size_t i = 0; i < whole.losses.size(); ++i)
        EXPECT_NEAR(parts.losses[i], whole.losses[i], 0.05 * whole.losses[i]);
}

// From about 1.5; what is left are the noisy edge pixels of 32² pictures.
TEST(TrainingTest, OverfitsTwoImages) {
    for (uint64_t seed = 0; seed < 2; ++seed) {
        UNet net({.base_channels = 8, .depth = 3});
        net.materialize({.device = {DeviceKind::cpu}, .seed = seed});
        Optimizer optimizer(net, {});
        Rectangles source(2, 2, 32, seed);
        HostBatch batch;
        source.start_epoch(0, 0);
        source.next(batch);
        const DeviceBatch d = upload(batch, {DeviceKind::cpu}, DType::f32);
        double loss = 0;
        for (int step = 0; step < 200; ++step) {
            net.zero_gradients();
            Tape tape;
            const LossValue value = bce_dice(net.forward(d.images), d.labels);
            loss = value.loss.item();
            tape.backward(value.loss);
            optimizer.step(1e-2);
        }
        EXPECT_LE(loss, 0.01) << "seed " << seed;
    }
}

// Interrupted after any number of steps and resumed from the file, a training ends with the same bits.
TEST(TrainingTest, ResumingGivesTheSameBits) {
    const auto path =
        (std::filesystem::temp_directory_path() / ("atrous-resume-" + std::to_string(::getpid()) + ".safetensors"))
            .string();
    const TrainerOptions options{.epochs = 2,
                                 .schedule = {.kind = Schedule::Kind::poly, .base = 1e-3, .total_steps = 8}};
    auto session = [&](int64_t stop_after, bool resume) {
        UNet net({.base_channels = 4, .depth = 2});
        net.materialize({.device = {DeviceKind::cpu}, .seed = resume ? 99u : 7u});
        Optimizer optimizer(net, {});
        Trainer trainer(net, optimizer, options);
        if (resume) io::load_training(io::SafetensorsFile(path), net, optimizer, trainer.progress);
        Rectangles source(16, 4, 16, 5), validation(4, 4, 16, 6);
        Collector collector;
        collector.stop_after = stop_after;
        trainer.run(source, &validation, collector);
        io::save_training(path, net, optimizer, trainer.progress, {});
        auto buffers = net.arena().values.to_host<float>();
        for (auto& [name, b] : net.buffers())
            if (b->dtype == DType::f32)
                for (float v : b->value.to_host<float>()) buffers.push_back(v);
        return std::make_pair(buffers, trainer.progress.best_dice);
    };
    const auto whole = session(-1, false);
    for (int64_t stop : {1, 3, 4, 6}) {
        session(stop, false);
        EXPECT_EQ(session(-1, true), whole) << "stopped after step " << stop;
    }
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".previous");
}

TEST(TrainingTest, ALossThatIsNotANumberNamesStepAndImages) {
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = {DeviceKind::cpu}});
    Optimizer optimizer(net, {});
    Trainer trainer(net, optimizer, {.epochs = 1});
    struct Poisoned : Rectangles {
        using Rectangles::Rectangles;
        bool next(HostBatch& b) override {
            const bool more = Rectangles::next(b);
            if (more) b.images[5] = std::nanf("");
            return more;
        }
    } source(4, 2, 16, 1);
    Collector collector;
    try {
        trainer.run(source, nullptr, collector);
        FAIL() << "trained on NaN";
    } catch (const NumericError& e) {
        EXPECT_NE(std::string(e.what()).find("step 1"), std::string::npos) << e.what();
        EXPECT_NE(std::string(e.what()).find("rectangle 1"), std::string::npos) << e.what();
    }
}

}  // namespace
}  // namespace atrous
