// Steps on samples that the device augments: those on the images that the host would have made, recorded or not.
#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/train/training_step.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

namespace atrous {
namespace {

constexpr int64_t size = 16, images = 2;

// Rectangles as bytes, which the device is to mirror where `mirrored` says so; with room for some filters.
HostBatch samples_of(const HostBatch& floats, const std::vector<bool>& mirrored, int64_t filters) {
    HostBatch b = floats;
    b.form = ImageForm::samples;
    for (const float v : floats.images) b.bytes.push_back(uint8_t(v * 255));
    b.images.clear();
    for (int i = 0; i < 3 * 256; ++i) b.levels.push_back(float(i % 256) / 255 - 0.1f * float(i / 256));
    b.source_pixels = b.n * size * size;
    b.filter_values = filters;
    b.filters.assign(size_t(filters), 0);
    for (int64_t i = 0; i < b.n; ++i) {
        kernels::AugmentedSample s;
        s.labels = i * size * size, s.image = 3 * s.labels;
        s.h = s.w = s.resized_h = s.resized_w = s.crop_h = s.crop_w = int32_t(size);
        if (mirrored[size_t(i)]) s.from[1][1] = -1, s.from[1][2] = int32_t(size) - 1;
        b.samples.push_back(s);
    }
    return b;
}

// The same made on the host.
HostBatch images_of(const HostBatch& samples, const std::vector<bool>& mirrored) {
    HostBatch b = samples;
    b.form = ImageForm::floats;
    b.images.resize(samples.bytes.size());
    for (int64_t pixel = 0; pixel < b.n * size * size; ++pixel) {
        const int64_t i = pixel / (size * size), x = pixel % size;
        const auto from = size_t(mirrored[size_t(i)] ? pixel - x + size - 1 - x : pixel);
        b.labels[size_t(pixel)] = samples.labels[from];
        for (size_t c = 0; c < 3; ++c)
            b.images[size_t(pixel) * 3 + c] = samples.levels[c * 256 + samples.bytes[from * 3 + c]];
    }
    return b;
}

TEST(AugmentedStep, IsTheStepOnTheHostsImages) {
    for (const DeviceKind kind : {DeviceKind::cpu, DeviceKind::gpu}) {
        if (kind == DeviceKind::gpu && gpu::device_count() == 0) continue;
        SCOPED_TRACE(name_of(Device{kind}));
        std::vector<float> weights[2];
        for (const bool augmented : {false, true}) {
            UNet net{{.base_channels = 4, .depth = 2}};
            net.materialize({.device = {kind}, .seed = 3});
            Optimizer optimizer(net, {});
            const auto loss = bce_dice_loss()({kind}, DType::f32);
            TrainingStep step(net, optimizer, *loss, {});
            Rectangles source(16 * images, images, size, 5);
            source.start_epoch(0, 0);
            HostBatch floats;
            for (int i = 0; source.next(floats); ++i) {
                const std::vector<bool> mirrored{i % 2 == 0, i % 3 == 0};
                const HostBatch samples = samples_of(floats, mirrored, i % 4 == 3 ? 512 : 256);
                const HostBatch made = images_of(samples, mirrored);
                step.run(augmented ? &samples : &made, 1, 1e-3);
            }
            weights[augmented] = net.arena().values.to_host<float>();
            EXPECT_EQ(step.replayed() > 0, kind == DeviceKind::gpu);
        }
        EXPECT_EQ(weights[0], weights[1]);
    }
}

// Their loss is normalized by labels that only the device knows.
TEST(AugmentedStep, OfSeveralBatchesIsRefused) {
    UNet net{{.base_channels = 4, .depth = 1}};
    net.materialize({.device = {DeviceKind::cpu}, .seed = 3});
    Optimizer optimizer(net, {});
    const auto loss = bce_dice_loss()({DeviceKind::cpu}, DType::f32);
    TrainingStep step(net, optimizer, *loss, {});
    Rectangles source(2 * images, images, size, 5);
    source.start_epoch(0, 0);
    HostBatch floats;
    source.next(floats);
    const std::vector<HostBatch> two(2, samples_of(floats, {false, false}, 256));
    EXPECT_THROW(step.run(two.data(), 2, 1e-3), Error);
}

}  // namespace
}  // namespace atrous
