#include "data/resize_mode.h"

#include <gtest/gtest.h>

#include "data/loader.h"
#include "data/prepare.h"

namespace atrous::data {
namespace {

TEST(ResizeMode, SaysWhatAnImageBecomes) {
    const ImageSize image(1280, 1918), net(160, 240);
    EXPECT_EQ(fit(ResizeMode::stretch, image, net).size, net);
    EXPECT_TRUE(fit(ResizeMode::stretch, image, net).padded.none());
    EXPECT_EQ(fit(ResizeMode::none, image, net).size, image);
    const Fitted letterbox = fit(ResizeMode::letterbox, {300, 200}, {64, 96});
    EXPECT_EQ(letterbox.size, ImageSize(64, 43)) << "200 * 64 / 300 = 42.67";
    EXPECT_EQ(letterbox.padded, ImageSize(64, 96));
    EXPECT_EQ(fit(ResizeMode::letterbox, {1, 5000}, {64, 96}).size, ImageSize(1, 96)) << "never nothing";
    EXPECT_EQ(fit(ResizeMode::letterbox, {30, 20}, {90, 90}).size, ImageSize(90, 60)) << "enlarged too";
}

TEST(ResizeMode, PlacesTheImageInTheMiddle) {
    LoaderOptions o;
    o.fit = [](ImageSize image) { return fit(ResizeMode::letterbox, image, {64, 96}); };
    const Placement place = placement_of(o, {300, 200});
    EXPECT_EQ(place.top, 0);
    EXPECT_EQ(place.left, 26);
    EXPECT_EQ(place.size, ImageSize(64, 43));
    EXPECT_EQ(placement_of({}, {300, 200}).size, ImageSize(300, 200));
}

TEST(ResizeMode, WhatALetterboxLeavesIsIgnored) {
    Example sample{make_image<uint8_t>(2, 3, 3), make_image<uint8_t>(2, 3, 1), 2, 3};
    LoaderOptions o;
    o.fit = [](ImageSize image) { return Fitted{image, {4, 6}}; };
    finish_plain(sample, o);
    ASSERT_EQ(sample.labels.h, 4);
    ASSERT_EQ(sample.labels.w, 6);
    for (int64_t y = 0; y < 4; ++y)
        for (int64_t x = 0; x < 6; ++x) {
            const bool inside = y >= 1 && y < 3 && x >= 1 && x < 4;
            EXPECT_EQ(sample.labels.u8[size_t(y * 6 + x)], inside ? 0 : 255) << y << " " << x;
        }
}

}  // namespace
}  // namespace atrous::data
