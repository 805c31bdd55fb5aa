// Training: the GPU kernels (emulated, or real in a cuda build) against the cpu, resumption, accumulation, mixed
// precision.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include "base/crc32c.h"
#include "base/variant.h"
#include "engine/context.h"
#include "engine/io/checkpoint.h"
#include "engine/kernel_choice.h"
#include "engine/ops/loss.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"
#ifdef ATROUS_EMULATED
#include "kernels/conv.h"
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous {
namespace {

struct Collector : TrainObserver {
    std::vector<double> losses;
    std::vector<std::array<double, 6>> reports;  // an epoch each
    int64_t stop_when_asked = -1;                // asked so many times before, in training or validation; -1: never
    void on_step(const StepReport& r) override { losses.push_back(r.loss); }
    void on_epoch(const EpochReport& r) override {
        reports.push_back({double(r.epoch), double(r.step), r.train_loss, r.learning_rate,
                           r.validation ? r.validation->loss : 0, double(r.best)});
    }
    bool stop_requested() override { return stop_when_asked-- == 0; }
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
        .epochs = r.epochs, .schedule = {.base = r.lr}, .compute = r.compute, .accumulate = r.accumulate};
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

// In bf16, where tensor cores are chosen, sums without them are rounded otherwise and nothing else.
TEST(TrainingTest, OtherKernelsTrainAlike) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    const Recipe recipe{
        .device = {DeviceKind::gpu}, .epochs = 2, .size = 16, .samples = 8, .compute = DType::bf16, .depth = 2};
    const auto run = [&](const std::string& kernels, VariantLog& log) {
        const ScopedKernelChoice scope(parse_kernel_choice(kernels));
        const Outcome outcome = train(recipe);
        EXPECT_TRUE(log.names().size() > 0);
        return outcome;
    };
    const auto count = [](const VariantLog& log, const std::string& name) {
        return std::count_if(log.names().begin(), log.names().end(),
                             [&](const auto& v) { return v.find("/" + name) != v.npos; });
    };
    VariantLog first;
    const Outcome chosen = run("own", first);
    EXPECT_GT(count(first, "mma"), 0);
    VariantLog second;
    const Outcome simt = run("simt", second);
    EXPECT_EQ(count(second, "mma"), 0);
    EXPECT_NE(simt.weights, chosen.weights) << "other sums";
    ASSERT_EQ(simt.losses.size(), 4u);
    for (size_t i = 0; i < simt.losses.size(); ++i) EXPECT_NEAR(simt.losses[i], chosen.losses[i], 2e-2);
}

// TF32 keeps 10 bits of each factor; batch norm between the layers keeps what that costs from growing.
TEST(TrainingTest, Tf32TrainsLikeFloatOnTensorCores) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    const Recipe recipe{.device = {DeviceKind::gpu}, .epochs = 2};
    const Outcome exact = train(recipe);
    const ScopedKernelChoice own({KernelChoice::Rule::own});
    const ScopedMathMode mode(MathMode::tf32);
    const VariantLog log;
    const Outcome rounded = train(recipe);
    for (const char* function :
         {"conv_forward", "conv_backward_input", "conv_backward_weight", "conv_transpose_forward"})
        EXPECT_GT(std::count(log.names().begin(), log.names().end(), std::string(function) + "/mma_tf32"), 0)
            << function;
    EXPECT_NE(rounded.weights, exact.weights);
    ASSERT_EQ(rounded.losses.size(), exact.losses.size());
    for (size_t i = 0; i < exact.losses.size(); ++i)
        EXPECT_NEAR(rounded.losses[i], exact.losses[i], 5e-3 * exact.losses[i]) << "step " << i + 1;
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

// Whatever the number of threads: the cpu's kernels in double (all ours) and in float, the GPU's in the emulator.
TEST(TrainingTest, WeightsAfterFiftyStepsDoNotDependOnTheNumberOfThreads) {
    struct Platform {
        const char* name;
        DeviceKind device;
        DType dtype;
        int64_t base_channels, size;  // on the cpu, large enough that four threads are worth it
        std::vector<int> threads;     // compared with one
    };
    Context& cpu = context_of({DeviceKind::cpu});
    const int threads_before = cpu.threads();
    const auto hash = [&](const Platform& platform, int threads) {
        cpu.set_threads(threads);
#ifdef ATROUS_EMULATED
        gpu::emu::ScopedOptions options;
        options->workers = threads;
#endif
        UNet net({.base_channels = platform.base_channels, .depth = 1});
        net.materialize({.device = {platform.device}, .dtype = platform.dtype, .compute = platform.dtype, .seed = 11});
        Optimizer optimizer(net, {});
        Trainer trainer(net, optimizer, {.epochs = 25, .schedule = {.base = 1e-3}, .compute = platform.dtype});
        Rectangles source(4, 2, platform.size, 11);
        Collector collector;
        EXPECT_TRUE(trainer.run(source, nullptr, collector));
        EXPECT_EQ(collector.losses.size(), 50u);
        EXPECT_LT(collector.losses.back(), collector.losses.front()) << "it has to learn for this to say anything";
        const Tensor& values = net.arena().values;
        std::vector<std::byte> bytes(values.bytes());
        values.copy_to_host(bytes.data(), bytes.size());
        return io::crc32c(bytes.data(), bytes.size());
    };
    for (const Platform& platform : {Platform{"cpu, double", DeviceKind::cpu, DType::f64, 8, 64, {3}},
                                     Platform{"cpu, float", DeviceKind::cpu, DType::f32, 8, 64, {2, 3, 4}},
                                     Platform{"GPU kernels", DeviceKind::gpu, DType::f32, 4, 16, {2, 3, 4}}}) {
        if (platform.device == DeviceKind::gpu && !have_gpu()) continue;
        const uint32_t one = hash(platform, 1);
        for (const int threads : platform.threads)
            EXPECT_EQ(hash(platform, threads), one) << platform.name << ", " << threads << " threads";
    }
    cpu.set_threads(threads_before);
}

// bf16 keeps 8 bits: losses agree to a few of them, and training gets as far.
TEST(TrainingTest, Bfloat16TrainsLikeFloat) {
    for (DeviceKind kind : {DeviceKind::cpu, DeviceKind::gpu}) {
        if (kind == DeviceKind::gpu ? !have_gpu() : !kernels::cpu::has_bf16_convolutions()) continue;
        const int64_t epochs = kind == DeviceKind::cpu ? 10 : 3;
        const Outcome full = train({.device = {DeviceKind::cpu}, .epochs = epochs, .lr = 1e-3}),
                      half = train({.device = {kind}, .epochs = epochs, .compute = DType::bf16, .lr = 1e-3});
        EXPECT_NEAR(half.losses.front(), full.losses.front(), 0.02 * full.losses.front());
        EXPECT_NEAR(half.losses.back(), full.losses.back(), 0.1 * full.losses.back());
    }
}

// Micro-batches that share one normalizer add up to the large batch's BCE; batch norm's statistics and Dice differ, so
// the loss is close, not equal.
TEST(TrainingTest, AccumulationWeighsMicroBatchesAsOneBatch) {
    const Outcome whole = train({.device = {DeviceKind::cpu}, .epochs = 1, .batch = 8}),
                  parts = train({.device = {DeviceKind::cpu}, .epochs = 1, .batch = 4, .accumulate = 2});
    ASSERT_EQ(whole.losses.size(), parts.losses.size());
    for (size_t i = 0; i < whole.losses.size(); ++i)
        EXPECT_NEAR(parts.losses[i], whole.losses[i], 0.05 * whole.losses[i]);
}

// From about 1.5; what is left are the noisy edge pixels of 32² images.
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

// Stopped wherever it asks whether to stop, before a step or inside a validation, and resumed from the file, a training
// ends with the same bits and the same reports.
void expect_same_bits_after_resuming(const std::string& rule) {
    const auto path =
        (std::filesystem::temp_directory_path() / ("atrous-resume-" + std::to_string(::getpid()) + ".safetensors"))
            .string();
    const TrainerOptions options{.epochs = 2, .schedule = {.name = "poly", .base = 1e-3, .length = {.total_steps = 8}}};
    bool finished = false;
    decltype(Collector::reports) reports;
    auto session = [&](int64_t stop_when_asked, bool resume) {
        UNet net({.base_channels = 4, .depth = 2});
        net.materialize({.device = {DeviceKind::cpu}, .seed = resume ? 99u : 7u});
        Optimizer optimizer(net, {.rule = rule});
        Trainer trainer(net, optimizer, options);
        if (resume) io::load_training(io::SafetensorsFile(path), net, optimizer, trainer.progress);
        Rectangles source(16, 4, 16, 5), validation(6, 2, 16, 6);
        Collector collector;
        collector.stop_when_asked = stop_when_asked;
        if (resume) collector.reports = reports;
        finished = trainer.run(source, &validation, collector);
        io::save_training(path, net, optimizer, trainer.progress, {});
        reports = collector.reports;
        auto buffers = net.arena().values.to_host<float>();
        for (auto& [name, b] : net.buffers())
            if (b->dtype == DType::f32)
                for (float v : b->value.to_host<float>()) buffers.push_back(v);
        return std::make_tuple(buffers, trainer.progress.best_score, reports);
    };
    const auto whole = session(-1, false);
    const int64_t asked = 2 * (5 + 3);  // an epoch: before each of four steps, to find no fifth, after three batches
    for (int64_t stop = 0; stop < asked; ++stop) {
        session(stop, false);
        EXPECT_FALSE(finished) << "asked to stop at " << stop;
        EXPECT_EQ(session(-1, true), whole) << "stopped when asked " << stop << " times";
        EXPECT_TRUE(finished);
    }
    session(asked, false);
    EXPECT_TRUE(finished) << "nothing is left to stop";
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".previous");
}

TEST(TrainingTest, ResumingGivesTheSameBits) { expect_same_bits_after_resuming("adam"); }
TEST(TrainingTest, ResumingRmspropGivesTheSameBits) { expect_same_bits_after_resuming("rmsprop"); }

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
        EXPECT_NE(std::string(e.what()).find("images: rectangle 0)"), std::string::npos)
            << "the one image: " << e.what();
    }
}

}  // namespace
}  // namespace atrous
