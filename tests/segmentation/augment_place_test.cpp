#include "segmentation/augment_place.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace atrous {
namespace {

constexpr Device cpu{DeviceKind::cpu}, gpu{DeviceKind::gpu};

TEST(AugmentPlace, AutoIsTheDeviceWhereItIsAGpu) {
    std::string note;
    EXPECT_TRUE(augments_on_device("auto", gpu, "", "", note));
    EXPECT_FALSE(augments_on_device("auto", cpu, "", "", note));
    EXPECT_TRUE(augments_on_device("device", cpu, "", "", note));
    EXPECT_FALSE(augments_on_device("host", gpu, "", "", note));
    EXPECT_FALSE(augments_on_device("auto", cpu, "why", "", note));
    EXPECT_FALSE(augments_on_device("host", gpu, "why", "why", note));
    EXPECT_EQ(note, "");
}

TEST(AugmentPlace, SaysWhatSpeaksAgainstTheDevice) {
    const data::Augmentations flips{{"hflip", "0.5"}};
    const data::PlanFigures plans;
    data::DatasetReport bytes, deep;
    bytes.samples = deep.samples = 7;
    bytes.deep_images = 3;  // all of them validate
    deep.train_deep_images = 3;
    EXPECT_EQ(why_on_host(flips, bytes, plans, 1), "");
    EXPECT_EQ(why_on_host(flips, bytes, plans, 4), "`accumulate` 4 counts labels on the host");
    EXPECT_EQ(why_on_host(flips, bytes, {.failure = "`mine` has no plan"}, 1), "`mine` has no plan");
    const std::string why = why_on_host(flips, deep, plans, 1);
    EXPECT_EQ(why, "3 of the training images have more than 8 bits");
    std::string note;
    EXPECT_FALSE(augments_on_device("auto", gpu, why, "", note));
    EXPECT_EQ(note, "images are augmented on the host: 3 of the training images have more than 8 bits");
    EXPECT_THROW(augments_on_device("device", gpu, why, "", note), UsageError);
}

// Images much larger than their crops, and resizes to a small part, are done by the device only where it is asked for.
TEST(AugmentPlace, IsTheHostWhereTheDeviceWouldBeSlower) {
    const ImageSize crop(512, 512);
    EXPECT_EQ(why_better_on_host({512, 1024}, crop, {}), "");
    const std::string large = why_better_on_host({10000, 12000}, crop, {});
    EXPECT_EQ(large, "images of up to 12000x10000 are cropped to 512x512, and all of each would cross the bus");
    data::PlanFigures plans;
    plans.reads = 4 * 7 * 7;
    EXPECT_EQ(why_better_on_host(crop, crop, plans), "");
    plans.reads = 1764;
    EXPECT_EQ(why_better_on_host(crop, crop, plans), "resized and rotated values are made of up to 1764 others each");
    std::string note;
    EXPECT_TRUE(augments_on_device("device", gpu, "", large, note));
    EXPECT_EQ(note, "");
    EXPECT_FALSE(augments_on_device("auto", gpu, "", large, note));
    EXPECT_EQ(note, "images are augmented on the host: " + large + "; `augment-on` device would not");
}

}  // namespace
}  // namespace atrous
