// Batch norm behind a convolution that hands on its output's moments.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/philox.h"
#include "base/variant.h"
#include "engine/context.h"
#include "engine/kernel_choice.h"
#include "engine/nn/layers.h"
#include "engine/ops/elementwise.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous {
namespace {

constexpr Device accelerator{DeviceKind::gpu};

struct Pair : Module {
    Conv2d conv{*this, "conv", {.in_channels = 8, .out_channels = 24, .padding = 1, .bias = false}};
    BatchNorm2d norm{*this, "norm", 24};
};

struct Computed {
    std::vector<float> y;
    std::vector<std::string> variants;
    uint64_t launches = 0;
    bool takes_moments() const {
        return std::find(variants.begin(), variants.end(), "batch_norm_forward/moments") != variants.end();
    }
};

// `together`: by `normalized`.
Computed compute(Device device, DType dtype, bool training, bool together) {
    const ScopedKernelChoice own({KernelChoice::Rule::own});
    Pair net;
    net.materialize({.device = device, .compute = dtype, .seed = 5});
    net.set_training(training);
    Random random(3);
    std::vector<float> image(2 * 9 * 10 * 8);
    for (float& v : image) v = float(random.normal()) + 1;
    const NoTape off;
    Tensor x = Tensor::empty({2, 9, 10, 8}, DType::f32, device);
    x.copy_from_host(image.data(), x.bytes());
    x = cast(x, dtype);
    Computed c;
#ifdef ATROUS_EMULATED
    const uint64_t before = gpu::emu::statistics().launches;
#endif
    const VariantLog log;
    const Tensor y = together ? normalized(net.norm, net.conv, x, {.relu = true})
                              : net.norm.forward(net.conv.forward(x), {.relu = true});
    c.variants = log.names();
#ifdef ATROUS_EMULATED
    c.launches = gpu::emu::statistics().launches - before;
#endif
    c.y = cast(y, DType::f32).to_host<float>();
    return c;
}

TEST(Normalized, ReadsTheConvolutionsOutputOnceLessInTraining) {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    const Computed apart = compute(accelerator, DType::bf16, true, false),
                   together = compute(accelerator, DType::bf16, true, true);
    EXPECT_FALSE(apart.takes_moments());
    EXPECT_TRUE(together.takes_moments());
#ifdef ATROUS_EMULATED
    EXPECT_EQ(apart.launches, 4u) << "convolution, statistics, their end, normalization";
    EXPECT_EQ(together.launches, 3u);
#endif
    ASSERT_EQ(apart.y.size(), together.y.size());
    for (size_t i = 0; i < apart.y.size(); ++i)
        ASSERT_NEAR(apart.y[i], together.y[i], 0x1p-7 * std::abs(apart.y[i]) + 1e-6) << i << ": one rounding at most";
    EXPECT_EQ(together.y, compute(accelerator, DType::bf16, true, true).y);
}

TEST(Normalized, IsTheTwoOpsElsewhere) {
    for (Device device : {Device{DeviceKind::cpu}, Device{DeviceKind::reference}, accelerator}) {
        if (device.kind == DeviceKind::gpu && gpu::device_count() == 0) continue;
        for (const bool training : {false, true}) {  // in float: without tensor cores
            const Computed together = compute(device, DType::f32, training, true);
            EXPECT_FALSE(together.takes_moments());
            EXPECT_EQ(together.y, compute(device, DType::f32, training, false).y);
        }
    }
}

TEST(Normalized, AsksForNoMomentsInEvaluation) {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    EXPECT_FALSE(compute(accelerator, DType::bf16, false, true).takes_moments());
}

}  // namespace
}  // namespace atrous
