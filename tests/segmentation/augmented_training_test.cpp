// Steps on samples of many sizes, as a loader plans them: one record a run, one plan of its memory, the host's bits.
#include <gtest/gtest.h>

#include "data/augmentation.h"
#include "engine/context.h"
#include "engine/io/safetensors.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "segmentation/bad_batch.h"
#include "tests/models/plan_against_count.h"
#include "tests/segmentation/augmented_samples.h"

namespace atrous {
namespace {

constexpr Device gpu{DeviceKind::gpu};

class AugmentedTraining : public AugmentedSamples {
 protected:
    // Twelve sizes of at most 31 * 40 pixels.
    void draw_many_sizes(int64_t batch) {
        std::vector<ImageSize> sizes;
        for (int64_t i = 0; i < 12; ++i) sizes.push_back({20 + i, 40 - i % 3});
        draw(sizes, 3, 12);
        options_.augmentations = everything;
        options_.crop_h = options_.crop_w = 16;
        options_.batch_size = batch;
        options_.room = {31 * 40, figures_of_plans(options_, {31, 40}).filters};
    }

    struct Trained {
        std::vector<float> weights;
        int64_t replayed = 0, steps = 0;
    };
    Trained train(bool plans, int64_t epochs) const {
        UNet net({.out_channels = 3, .base_channels = 4, .depth = 1});
        net.materialize({.device = gpu, .seed = 3});
        Optimizer optimizer(net, {});
        const auto loss = class_loss()(gpu, DType::f32);
        TrainingStep step(net, optimizer, *loss, {});
        Trained found;
        for (int64_t number = 0; number < epochs; ++number)
            for (const HostBatch& batch : epoch(number, plans)) {
                step.run(&batch, 1, 1e-3);
                ++found.steps;
            }
        found.weights = net.arena().values.to_host<float>();
        found.replayed = step.replayed();
        return found;
    }
};

// Sizes, filters and rotations differ from replay to replay: what is stale would show.
TEST_F(AugmentedTraining, ReplaysOneRecordForAllSizes) {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    for (const int64_t batch : {1, 3}) {
        SCOPED_TRACE(batch);
        draw_many_sizes(batch);
        const Trained host = train(false, 3), device = train(true, 3);
        EXPECT_EQ(device.replayed, host.replayed) << "as many as of images of one size";
        EXPECT_GT(device.replayed, device.steps / 2);
        EXPECT_EQ(device.weights, host.weights);
    }
}

// Filters beyond the room are a size of their own, and no error.
TEST_F(AugmentedTraining, GoesOnWhereTheRoomIsTooSmall) {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    draw_many_sizes(2);
    options_.room = {100, 100};
    EXPECT_EQ(train(true, 2).weights, train(false, 2).weights);
}

TEST_F(AugmentedTraining, TakesThePlannedMemory) {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    draw_many_sizes(4);
    UNet net({.out_channels = 3, .base_channels = 4, .depth = 1});
    PlanOptions o;
    o.device = gpu;
    o.batch = 4;
    o.height = o.width = 16;
    o.loss = class_loss();
    o.images = ImageForm::samples;
    o.source_pixels = options_.room.pixels;
    o.filter_values = options_.room.filters;
    expect_plan_meets_count(net, o, [&] {
        UNet trained({.out_channels = 3, .base_channels = 4, .depth = 1});
        trained.materialize({.device = gpu, .seed = 1});
        Optimizer optimizer(trained, {});
        Trainer trainer(trained, optimizer, {.epochs = 6, .loss = class_loss()});
        const auto source = loader(true);
        TrainObserver observer;
        trainer.run(*source, nullptr, observer);
    });
}

struct Warnings : TrainObserver {
    std::vector<std::string> texts;
    void on_warning(const std::string& text) override { texts.push_back(text); }
};

// Of either mask one corner counts, which no crop here shows.
TEST_F(AugmentedTraining, SaysWhereNoPixelOfACropCounts) {
    draw({{40, 40}}, 3, 2);
    Image mask = make_image<uint8_t>(40, 40, 1);
    std::fill(mask.u8.begin(), mask.u8.end(), uint8_t(255));
    mask.u8[0] = 1;
    for (const Sample& sample : samples_) save_png(sample.mask_path, mask);
    options_.crop_h = options_.crop_w = 16;
    options_.batch_size = 2;
    std::vector<std::string> found[2];
    for (const bool plans : {false, true}) {
        UNet net({.out_channels = 3, .base_channels = 4, .depth = 1});
        net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
        Optimizer optimizer(net, {});
        Trainer trainer(net, optimizer, {.epochs = 2, .loss = class_loss()});
        Warnings warnings;
        trainer.run(*loader(plans), nullptr, warnings);
        found[plans] = warnings.texts;
    }
    EXPECT_EQ(found[0].size(), 2u);
    EXPECT_EQ(found[1], found[0]);
}

// What is saved are the images that the device made, so that the step can be run again anywhere.
TEST_F(AugmentedTraining, ABadBatchIsSavedAsTheNetSawIt) {
    draw_many_sizes(4);
    const HostBatch host = epoch(0, false)[0], planned = epoch(0, true)[0];
    ASSERT_EQ(planned.form, ImageForm::samples);
    UNet net({.out_channels = 3, .base_channels = 4, .depth = 1});
    net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
    ModelCard card;
    card.net = unet({.base_channels = 4, .depth = 1});
    card.net.out_channels = 3;
    const StepDiagnosis diagnosis;
    const std::string path = dir_ / "bad_batch.safetensors";
    save_bad_batch(path, net, card, {0, 1, &planned, &diagnosis, {}}, {}, {});
    const BadBatch read = read_bad_batch(io::SafetensorsFile(path));
    EXPECT_EQ(read.batch.form, ImageForm::floats);
    EXPECT_EQ(read.batch.images, host.images);
    EXPECT_EQ(read.batch.labels, host.labels);
    EXPECT_EQ(read.batch.names, planned.names);
}

}  // namespace
}  // namespace atrous
