// Samples for tests of augmentation on a device, and the batches that a loader makes of them.
#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "data/loader.h"
#include "data/prepare.h"
#include "tests/data/fixtures.h"
#include "tests/data/npy_bytes.h"

namespace atrous {

using namespace data;
using data::test::TempDir;

inline Image noise(int64_t h, int64_t w, int c, int levels, uint64_t seed) {
    Image image = make_image<uint8_t>(h, w, c);
    Random random(seed);
    for (uint8_t& v : image.u8) v = uint8_t(random.below(uint64_t(levels)));
    return image;
}

inline std::string save(const std::string& stem, const Image& image) {
    if (image.c <= 4 && image.c != 2) {
        save_png(stem + ".png", image);
        return stem + ".png";
    }
    const std::string shape = fmt::format("({}, {}, {})", image.h, image.w, image.c);
    data::test::write_file(stem + ".npy", data::test::npy("|u1", shape, image.u8));
    return stem + ".npy";
}

// Samples of these sizes in turn, with the labels 0, 1 and 2.
class AugmentedSamples : public ::testing::Test {
 protected:
    void draw(std::vector<ImageSize> sizes, int channels, int count = 6) {
        samples_.clear();
        for (int i = 0; i < count; ++i) {
            const ImageSize size = sizes[size_t(i) % sizes.size()];
            const std::string name = dir_ / ("s" + std::to_string(i));
            const std::string image = save(name, noise(size.height, size.width, channels, 256, uint64_t(i) + 1)),
                              mask = save(name + "_mask", noise(size.height, size.width, 1, 3, uint64_t(i) + 100));
            samples_.push_back({image, mask, "s" + std::to_string(i)});
        }
        rule_ = parse_mask_rule("ids");
        rule_.class_count = 3;
        options_.channels = channels;
        options_.batch_size = 4;
        options_.seed = 5;
        options_.augment = options_.shuffle = true;
    }

    std::unique_ptr<BatchSource> loader(bool plans) const {
        LoaderOptions o = options_;
        o.plans = plans;
        return make_loader(samples_, rule_, o);
    }
    std::vector<HostBatch> epoch(int64_t number, bool plans) const {
        const auto source = loader(plans);
        source->start_epoch(number);
        std::vector<HostBatch> batches;
        for (HostBatch batch; source->next(batch);) batches.push_back(batch);
        return batches;
    }

    TempDir dir_;
    std::vector<Sample> samples_;
    MaskRule rule_;
    LoaderOptions options_;
};

inline const Augmentations everything{{"hflip", "0.5"},     {"vflip", "0.5"},      {"turn", "true"},   {"rotate", "40"},
                                      {"scale", "0.4 2.2"}, {"brightness", "0.4"}, {"contrast", "0.4"}};

}  // namespace atrous
