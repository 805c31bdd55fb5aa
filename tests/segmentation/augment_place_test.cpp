#include "segmentation/augment_place.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace atrous {
namespace {

constexpr Device cpu{DeviceKind::cpu}, gpu{DeviceKind::gpu};

TEST(AugmentPlace, AutoIsTheDeviceWhereItIsAGpu) {
    std::string note;
    EXPECT_TRUE(augments_on_device("auto", gpu, "", note));
    EXPECT_FALSE(augments_on_device("auto", cpu, "", note));
    EXPECT_TRUE(augments_on_device("device", cpu, "", note));
    EXPECT_FALSE(augments_on_device("host", gpu, "", note));
    EXPECT_FALSE(augments_on_device("auto", cpu, "why", note));
    EXPECT_FALSE(augments_on_device("host", gpu, "why", note));
    EXPECT_EQ(note, "");
}

TEST(AugmentPlace, SaysWhatSpeaksAgainstTheDevice) {
    const data::Augmentations flips{{"hflip", "0.5"}};
    data::DatasetReport bytes, deep;
    bytes.samples = deep.samples = 7;
    deep.deep_images = 2, deep.float_images = 1;
    EXPECT_EQ(why_on_host(flips, bytes, 1), "");
    EXPECT_EQ(why_on_host(flips, bytes, 4), "`accumulate` 4 counts labels on the host");
    const std::string why = why_on_host(flips, deep, 1);
    EXPECT_EQ(why, "3 of 7 images have more than 8 bits");
    std::string note;
    EXPECT_FALSE(augments_on_device("auto", gpu, why, note));
    EXPECT_EQ(note, "images are augmented on the host: 3 of 7 images have more than 8 bits");
    EXPECT_THROW(augments_on_device("device", gpu, why, note), UsageError);
}

}  // namespace
}  // namespace atrous
