// Augmentation on a device against the host's: the same images and labels, bit for bit, on every device.
#include <gtest/gtest.h>

#include "engine/context.h"
#include "engine/train/batch_inputs.h"
#include "tests/segmentation/augmented_samples.h"

namespace atrous {
namespace {

class AugmentedBatches : public AugmentedSamples {
 protected:
    void expect_same(const HostBatch& planned, const HostBatch& host, Device device) {
        ASSERT_EQ(planned.form, ImageForm::samples);
        ASSERT_EQ(planned.n, host.n);
        ASSERT_EQ(planned.h, host.h);
        ASSERT_EQ(planned.w, host.w);
        const DeviceBatch found = upload(planned, device, DType::f32);
        size_t wrong = 0;
        const auto images = found.images.to_host<float>();
        for (size_t i = 0; i < images.size(); ++i) wrong += images[i] != host.images[i];
        EXPECT_EQ(wrong, 0u) << "of " << images.size() << " values on " << name_of(device);
        EXPECT_EQ(found.labels.to_host<uint8_t>(), host.labels) << name_of(device);
    }

    void expect_same_everywhere(int64_t epochs = 3) {
        for (int64_t number = 0; number < epochs; ++number) {
            const auto host = epoch(number, false), planned = epoch(number, true);
            ASSERT_EQ(host.size(), planned.size());
            for (size_t i = 0; i < host.size(); ++i)
                for (const DeviceKind kind : {DeviceKind::reference, DeviceKind::cpu, DeviceKind::gpu})
                    if (kind != DeviceKind::gpu || gpu::device_count() > 0) expect_same(planned[i], host[i], {kind});
        }
    }
};

TEST_F(AugmentedBatches, OfOneAugmentationAtATime) {
    draw({{24, 24}}, 3);
    options_.crop_h = options_.crop_w = 20;
    expect_same_everywhere();
    const std::pair<const char*, const char*> each[] = {{"hflip", "0.5"},   {"vflip", "0.5"},     {"turn", "true"},
                                                        {"rotate", "180"},  {"scale", "0.3 2.5"}, {"brightness", "0.5"},
                                                        {"contrast", "0.5"}};
    for (const auto& [key, value] : each) {
        SCOPED_TRACE(key);
        options_.augmentations = {{key, value}};
        expect_same_everywhere();
    }
}

TEST_F(AugmentedBatches, OfAllTogetherAtAnySizeAndChannels) {
    options_.augmentations = everything;
    for (const int channels : {1, 3}) {
        SCOPED_TRACE(channels);
        draw({{21, 34}, {40, 17}, {30, 30}}, channels);
        options_.normalization = Normalization::imagenet();
        options_.crop_h = 27, options_.crop_w = 18;
        options_.size_multiple = 1;
        expect_same_everywhere();
        options_.size_multiple = 16;  // a batch larger than its crops, whose rest keeps its colour
        options_.normalization.range = {10, 200};
        expect_same_everywhere();
        options_.normalization.range = {};
        options_.crop_h = options_.crop_w = 0;  // each its own size
        expect_same_everywhere();
    }
}

TEST_F(AugmentedBatches, OfAnyNumberOfChannels) {
    options_.augmentations = everything;
    for (const int channels : {2, 5, 16}) {
        SCOPED_TRACE(channels);
        draw({{24, 20}, {17, 31}}, channels);
        options_.crop_h = options_.crop_w = 16;
        expect_same_everywhere(1);
    }
}

TEST_F(AugmentedBatches, OfTheSmallestAndTheLargestFactor) {
    options_.augmentations = {{"scale", "0.05 16"}, {"rotate", "180"}};
    draw({{12, 9}, {7, 30}}, 3);
    options_.crop_h = options_.crop_w = 20;
    expect_same_everywhere();
    options_.augmentations = {{"scale", "0.05 0.2"}, {"rotate", "180"}};
    expect_same_everywhere();
}

// So that a device sees one size, whatever was drawn.
TEST_F(AugmentedBatches, HaveTheRoomThatARunGivesThem) {
    draw({{21, 34}, {40, 17}, {30, 30}}, 3, 12);
    options_.augmentations = everything;
    options_.crop_h = options_.crop_w = 16;
    const PlanFigures figures = figures_of_plans(options_, {40, 34});
    EXPECT_EQ(figures.failure, "");
    EXPECT_EQ(figures.reads, 4 * 7 * 7)
        << "0.4 of the size weighs 7 of each line, between four of which a turned one lies";
    options_.room = {900, figures.filters};
    for (int64_t number = 0; number < 8; ++number)
        for (const HostBatch& batch : epoch(number, true)) {
            EXPECT_EQ(batch.source_pixels, batch.n * 900);
            EXPECT_EQ(batch.bytes.size(), size_t(batch.n * 900 * 3));
            EXPECT_EQ(batch.labels.size(), size_t(batch.n * 900));
            EXPECT_EQ(batch.filter_values, batch.n * figures.filters);
            EXPECT_EQ(batch.filters.size(), size_t(batch.n * figures.filters));
        }
    expect_same_everywhere();
}

// Alpha is no colour, and an image of one line has no neighbours.
TEST_F(AugmentedBatches, OfFourChannelsAndOfOneLine) {
    options_.augmentations = everything;
    draw({{24, 24}, {20, 31}}, 4);
    options_.crop_h = options_.crop_w = 16;
    expect_same_everywhere();
    draw({{1, 31}, {1, 40}}, 3);
    expect_same_everywhere();
}

TEST_F(AugmentedBatches, AfterTheResizeForTheNet) {
    options_.augmentations = everything;
    draw({{33, 21}, {15, 50}}, 3);
    options_.resize_h = 24, options_.resize_w = 32;
    options_.crop_h = 24, options_.crop_w = 32;
    options_.cache_bytes = 1 << 20;
    options_.workers = 2;
    expect_same_everywhere(2);
    const auto planned = epoch(0, true);
    EXPECT_EQ(planned[0].source_pixels, 4 * 24 * 32) << "samples of one size get the room that they fill";
}

// Halves and bf16 round what the host gives once.
TEST_F(AugmentedBatches, InHalves) {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    draw({{24, 24}}, 3);
    options_.augmentations = everything;
    options_.crop_h = options_.crop_w = 20;
    const auto host = epoch(1, false), planned = epoch(1, true);
    const auto found = upload(planned[0], {DeviceKind::gpu}, DType::bf16).images.to_host<bf16>();
    size_t wrong = 0;
    for (size_t i = 0; i < found.size(); ++i)
        wrong += to_float(found[i]) != to_float(round_to<bf16>(host[0].images[i]));
    EXPECT_EQ(wrong, 0u) << "of " << found.size();
}

// One deep image, and the host augments its batch; the other batches stay plans.
TEST_F(AugmentedBatches, WithADeepImageAreTheHosts) {
    draw({{24, 24}}, 3);
    Image deep = make_image<uint16_t>(24, 24, 3);
    for (size_t p = 0; p < deep.u16.size(); ++p) deep.u16[p] = uint16_t(p * 30);
    save_png(samples_[2].image_path, deep);
    options_.augmentations = everything;
    options_.crop_h = options_.crop_w = 20;
    const auto host = epoch(0, false), planned = epoch(0, true);
    int floats = 0;
    for (size_t i = 0; i < host.size(); ++i) {
        if (planned[i].form == ImageForm::samples) continue;
        ++floats;
        EXPECT_EQ(planned[i].images, host[i].images);
        EXPECT_EQ(planned[i].labels, host[i].labels);
    }
    EXPECT_EQ(floats, 1);
}

}  // namespace
}  // namespace atrous
