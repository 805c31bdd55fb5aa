// Work on a device that is not the current one.
#include "kernels/gpu/device_guard.h"

#include <gtest/gtest.h>

#include "engine/context.h"
#include "engine/profile.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"

namespace atrous {
namespace {

constexpr Device first{DeviceKind::gpu, 0}, second{DeviceKind::gpu, 1};

// The emulator refuses what CUDA ties to the current device.
struct TwoDevices : testing::Test {
    TwoDevices() {
        options->devices = 2;
        context_of(second);
        gpu::set_device(0);
    }
    ~TwoDevices() override {
        EXPECT_EQ(gpu::current_device(), 0) << "a guard was left";
        gpu::set_device(0);
    }
    gpu::emu::ScopedOptions options;
};

// Libraries plan for the device that is current.
TEST_F(TwoDevices, ADryRunAsksTheDeviceThatItPlansFor) {
    static int current = -1;
    const auto look = [](Queue&, const int&) { current = gpu::current_device(); };
    for (const auto& [target, expected] : {std::pair{second, 1},
                                           {first, 0},
                                           {Device{DeviceKind::cpu}, 0},
                                           {Device{DeviceKind::gpu, 7}, 0}}) {  // that one is not here
        MemorySimulation simulation(target);
        simulation.dry_run<int>(look, 0);
        EXPECT_EQ(current, expected) << name_of(target);
    }
}

struct Losses : TrainObserver {
    std::vector<double> losses;
    void on_step(const StepReport& r) override { losses.push_back(r.loss); }
};

struct Trained {
    std::vector<double> losses;
    std::vector<float> weights;
    double dice = 0;
};

// Eager steps, recorded ones, a validation.
Trained train_on(Device device) {
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = device, .seed = 3});
    Optimizer optimizer(net, {});
    Trainer trainer(net, optimizer, {.epochs = 2, .schedule = {.base = 1e-3}, .read_every = 3});
    Rectangles training(8, 2, 16, 1), validation(4, 2, 16, 2);
    Losses seen;
    EXPECT_TRUE(trainer.run(training, nullptr, seen));
    optimizer.step(1e-3);
    EXPECT_EQ(gpu::emu::device_of(net.arena().values.data()), device.index);
    return {seen.losses, net.arena().values.to_host<float>(), evaluate(net, validation, {}).of("dice")};
}

TEST_F(TwoDevices, TrainingOnTheSecondGivesTheBitsOfTheFirst) {
    const Trained expected = train_on(first), found = train_on(second);
    EXPECT_EQ(found.losses, expected.losses);
    EXPECT_EQ(found.weights, expected.weights);
    EXPECT_EQ(found.dice, expected.dice);
}

TEST_F(TwoDevices, TheProfilerTimesTheSecond) {
    Profiler profiler;
    const Tensor x = Tensor::full({64}, DType::f32, second, 2);
    profiler.finish_step();
    ASSERT_FALSE(profiler.spans().empty());
    EXPECT_GE(profiler.spans().back().device_begin_us, 0);
}

TEST_F(TwoDevices, TensorsMoveFromOneToTheOther) {
    const Tensor x = Tensor::full({64}, DType::f32, first, 2), y = x.to(second);
    EXPECT_EQ(gpu::emu::device_of(x.data()), 0);
    EXPECT_EQ(gpu::emu::device_of(y.data()), 1);
    EXPECT_EQ(y.to_host<float>(), x.to_host<float>());
}

TEST_F(TwoDevices, AreNamedByNumber) {
    EXPECT_EQ(parse_device("emulated"), first);
    EXPECT_EQ(parse_device("emulated:1"), second);
    EXPECT_EQ(name_of(first), "emulated");
    EXPECT_EQ(name_of(second), "emulated:1");
    EXPECT_THROW(parse_device("emulated:2"), GpuError);
    EXPECT_THROW(parse_device("emulated:x"), UsageError);
}

}  // namespace
}  // namespace atrous
#endif
