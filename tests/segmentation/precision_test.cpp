// Precisions: what auto is on each kind of device, what a device refuses or computes otherwise, and that a training's
// checkpoint keeps its own.
#include "segmentation/precision.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "data/synth.h"
#include "engine/math_mode.h"
#include "kernels/gpu/runtime.h"
#include "models/unet.h"
#include "segmentation/load_net.h"
#include "segmentation/training_run.h"

namespace atrous {
namespace {

constexpr Device cpu{DeviceKind::cpu}, accelerator{DeviceKind::gpu};

bool have_gpu() { return gpu::device_count() > 0; }

TEST(Precision, AutoTakesTheTensorCoresThatAGpuHas) {
    for (const auto& [capability, word] : {std::pair{61, "fp32"},
                                           {70, "fp16"},
                                           {75, "fp16"},
                                           {80, "tf32"},
                                           {86, "tf32"},
                                           {89, "tf32"},
                                           {90, "tf32"},
                                           {120, "tf32"}})
        EXPECT_EQ(automatic_precision(capability), word) << capability;
    EXPECT_EQ(automatic_precision(cpu), "fp32");
    EXPECT_EQ(definite_precision("fp32", accelerator), "fp32") << "asked for by name";
}

TEST(Precision, SetsTheArithmeticOfTheProcess) {
    const ScopedMathMode afterwards(MathMode::exact);
    if (have_gpu()) {
        EXPECT_EQ(use_precision("auto", accelerator), DType::f32);
        EXPECT_EQ(math_mode(), MathMode::tf32);
        EXPECT_EQ(use_precision("bf16", accelerator), DType::bf16);
        EXPECT_EQ(math_mode(), MathMode::exact);
        EXPECT_EQ(use_precision("tf32", accelerator), DType::f32);
        EXPECT_EQ(math_mode(), MathMode::tf32);
        EXPECT_EQ(precision_note("tf32", accelerator), "");
    }
    EXPECT_EQ(use_precision("tf32", cpu), DType::f32);
    EXPECT_EQ(math_mode(), MathMode::exact);
    EXPECT_EQ(precision_note("tf32", cpu), "`precision` tf32 is computed in fp32 on cpu, which has no TF32");
    EXPECT_EQ(precision_note("fp32", cpu), "");
}

TEST(Precision, RefusesInOneLineWhatADeviceLacks) {
    for (const auto& [word, text] :
         {std::pair{"fp16", "`precision` fp16 needs a GPU"}, {"fp8", "expected auto, fp32,"}})
        try {
            use_precision(word, cpu);
            FAIL() << word;
        } catch (const UsageError& e) {
            EXPECT_NE(std::string(e.what()).find(text), std::string::npos) << e.what();
        }
}

struct Heard : NoMessages {
    void warning(const std::string& text) override { warnings += text + "\n"; }
    std::string warnings;
};

class PrecisionOfATraining : public testing::Test {
 protected:
    void SetUp() override {
        data::write_dataset(folder_, 5, 16, 1, 0.2);
        e_.data.root = folder_;
        e_.data.check_cache = "none";
        e_.size = 16;
        e_.net = unet({.base_channels = 4, .depth = 1});
        e_.batch_size = 2;
        e_.trainer.epochs = 1;
        e_.run.output_dir = folder_ + "/run";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    const ScopedMathMode afterwards_{MathMode::exact};
    const std::string folder_ =
        std::filesystem::temp_directory_path() / ("atrous_precision_" + std::to_string(getpid()));
    Experiment e_;
    Heard heard_;
};

TEST_F(PrecisionOfATraining, IsDefiniteInItsCheckpointWhichAnyDeviceTakes) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    e_.machine.device = gpu::platform() == gpu::Platform::emulated ? "emulated" : "cuda";
    TrainingSetup setup = prepare_training(e_, heard_);
    EXPECT_EQ(e_.machine.precision, "tf32") << "as config.toml says it";
    TrainingRun run(setup, heard_);
    EXPECT_EQ(math_mode(), MathMode::tf32);
    TrainObserver nobody;
    EXPECT_TRUE(run.train(nobody));
    EXPECT_EQ(heard_.warnings.find("precision"), std::string::npos) << heard_.warnings;

    const std::string checkpoint = e_.run.output_dir + "/last.safetensors";
    EXPECT_EQ(load_net(checkpoint, accelerator, "").card.precision, "tf32");
    EXPECT_EQ(math_mode(), MathMode::tf32);
    EXPECT_EQ(load_net(checkpoint, accelerator, "fp32").compute, DType::f32);
    EXPECT_EQ(math_mode(), MathMode::exact) << "asked for by name";
    EXPECT_EQ(load_net(checkpoint, cpu, "").compute, DType::f32);
    EXPECT_EQ(math_mode(), MathMode::exact);
}

TEST_F(PrecisionOfATraining, OnTheCpuIsFp32AndTf32IsSaidToBe) {
    e_.machine.device = "cpu";
    prepare_training(e_, heard_);
    EXPECT_EQ(e_.machine.precision, "fp32");
    EXPECT_EQ(heard_.warnings.find("precision"), std::string::npos);
    e_.machine.precision = "tf32";
    EXPECT_EQ(prepare_training(e_, heard_).card.precision, "tf32") << "so that a GPU goes on with it";
    EXPECT_NE(heard_.warnings.find("tf32 is computed in fp32"), std::string::npos) << heard_.warnings;
}

}  // namespace
}  // namespace atrous
