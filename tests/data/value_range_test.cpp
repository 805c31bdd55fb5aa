// Values of 16 bits and floats on their way to a net and to pictures; how many channels a data set gives a net.
#include <cmath>

#include "data/augmentation.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "data/palette.h"
#include "fixtures.h"
#include "npy_bytes.h"
#include "tiff_bytes.h"

namespace atrous::data::test {

namespace {

Image floats(int64_t h, int64_t w, int c, std::vector<float> values) {
    Image image = make_image<float>(h, w, c);
    image.f32 = std::move(values);
    return image;
}
Image deep(int64_t h, int64_t w, std::vector<uint16_t> values) {
    Image image = make_image<uint16_t>(h, w, 1);
    image.u16 = std::move(values);
    return image;
}

// Images of one kind with masks 0/255, checked.
struct Set {
    TempDir dir;
    std::vector<Sample> samples;
    void add(const std::vector<uint8_t>& file, int64_t h, int64_t w) {
        const std::string n = std::to_string(samples.size());
        write_file(dir / ("i" + n), file);
        Image mask = make_image<uint8_t>(h, w, 1);
        mask.u8[0] = 255;
        save_png(dir / ("m" + n + ".png"), mask);
        samples.push_back({dir / ("i" + n), dir / ("m" + n + ".png"), n});
    }
    DatasetReport check(const std::string& range = "auto", int channels = 0, int64_t train_count = -1) {
        CheckOptions options;
        options.train_count = train_count;
        options.channels = channels;
        options.range = parse_value_range(range);
        return check_dataset(samples, options);
    }
};

std::vector<uint8_t> float_file(std::vector<float> values) { return npy("<f4", "(1, 2)", bytes_of(values)); }
std::vector<uint8_t> tiff_of_bands(int c) {
    return encode_tiff({.h = 2, .w = 2, .samples = c}, std::vector<uint8_t>(size_t(4 * c), 7));
}

}  // namespace

TEST(ValueRange, IsReadAndWritten) {
    EXPECT_TRUE(parse_value_range("auto").automatic());
    EXPECT_TRUE(parse_value_range("measured").measured);
    for (const char* text : {"0..4095", "-3.5..812.25", "1e-05..0.1"}) {
        const ValueRange range = parse_value_range(text).range;
        EXPECT_EQ(text_of(range), text);
    }
    for (const char* text : {"", "4095", "1..1", "5..1", "0..", "..5", "0...5..", "0..nan", "0..inf", "a..b", "0 ..1",
                             "0..1x", "-3e38..3e38"})
        expect_error<UsageError>([&] { parse_value_range(text); }, {"`value-range`", "0..4095"});
}

TEST(ValueRange, NormalizationAndPicturesFollowIt) {
    float out[4];
    normalize(deep(1, 2, {0, 4095}), {.range = {0, 4095}}, out, 2);
    EXPECT_EQ(out[0], 0);
    EXPECT_EQ(out[1], 1);
    normalize(floats(1, 3, 1, {-10, 0, 30}), {{0.5f, 0, 0}, {2, 1, 1}, {-10, 30}}, out, 3);
    EXPECT_FLOAT_EQ(out[0], -0.25f);
    EXPECT_FLOAT_EQ(out[1], -0.125f);
    EXPECT_FLOAT_EQ(out[2], 0.25f);
    EXPECT_EQ(to_8bit_rgb(deep(1, 3, {0, 4095, 9000}), {0, 4095}).u8,
              (std::vector<uint8_t>{0, 0, 0, 255, 255, 255, 255, 255, 255}));
    EXPECT_EQ(to_8bit_rgb(floats(1, 1, 5, {-10, 10, 30, 0, 0}), {-10, 30}).u8, (std::vector<uint8_t>{0, 128, 255}));
    EXPECT_EQ(to_8bit_rgb(floats(1, 1, 2, {10, 30}), {-10, 30}).u8, (std::vector<uint8_t>{128, 128, 128}));
}

TEST(ValueRange, ChannelsBeyondThreeRepeatTheConstants) {
    Image bands = make_image<uint8_t>(1, 1, 7);
    bands.u8 = {0, 0, 0, 255, 255, 255, 255};
    float out[7];
    normalize(bands, {{1, 2, 3}, {1, 2, 4}}, out, 7);
    const float expected[7] = {-1, -1, -0.75f, 0, -0.5f, -0.5f, 0};
    for (int ch = 0; ch < 7; ++ch) EXPECT_FLOAT_EQ(out[ch], expected[ch]) << ch;
}

TEST(ValueRange, FloatsAreResizedAndTurnedWithoutRounding) {
    const Image image = floats(1, 4, 1, {-1, 0, 1, 2.5f});
    const Image half = resize_bilinear(image, 1, 2);
    ASSERT_EQ(half.f32.size(), 2u);
    EXPECT_NEAR(half.f32[0] + half.f32[1], 1.25, 0.2);
    EXPECT_EQ(flip_horizontal(image).f32, (std::vector<float>{2.5f, 1, 0, -1}));
    EXPECT_EQ(rotate(image, 0, Sampling::bilinear).f32, image.f32);
    const Image padded = pad(image, 0, 1, 1, 6, Fill{-7.5f});
    EXPECT_EQ(padded.f32, (std::vector<float>{-7.5f, -1, 0, 1, 2.5f, -7.5f}));
}

TEST(ValueRange, BrightnessIsAboveTheLowestValue) {
    EXPECT_EQ(adjust(floats(1, 2, 1, {-10, 10}), 1.5, 1, {-10, 30}).f32, (std::vector<float>{-10, 20}));
    EXPECT_EQ(adjust(floats(1, 2, 1, {-10, 30}), 2, 1, {-10, 30}).f32, (std::vector<float>{-10, 30}));
    EXPECT_EQ(adjust(deep(1, 2, {1000, 4000}), 2, 1, {0, 4095}).u16, (std::vector<uint16_t>{2000, 4095}));
}

TEST(ValueRange, BandsKeepTheirColours) {
    Augmentations augmentations{{"brightness", "0.9"}, {"contrast", "0.9"}};
    for (int c : {1, 2, 3, 4, 7}) {
        Example sample{pattern(4, 4, c), {}};
        const auto before = sample.image.u8;
        Random random(1, 2);
        for (const Augmentation* a : augmentations.all())
            if (a->active()) a->apply(sample, random);
        EXPECT_EQ(sample.image.u8 != before, c == 1 || c == 3) << c;
    }
}

TEST(ValueRange, OfFloatsIsMeasuredOnWhatTrains) {
    Set set;
    set.add(float_file({-2, 5}), 1, 2);
    set.add(float_file({0, 3.5f}), 1, 2);
    set.add(float_file({-100, 100}), 1, 2);
    const DatasetReport report = set.check("auto", 0, 2);
    EXPECT_EQ(text_of(report.range), "-2..5");
    EXPECT_NE(report.text().find("values: -2 to 5; `value-range` -2..5 becomes 0..1"), std::string::npos)
        << report.text();
    EXPECT_EQ(text_of(set.check("measured").range), "-100..100");
    const DatasetReport given = set.check("0..10");
    EXPECT_EQ(text_of(given.range), "0..10");
    EXPECT_NE(given.text().find("values from -100 to 100 lie beyond `value-range` 0..10"), std::string::npos);
}

TEST(ValueRange, WhatIsNotKnownIsRefused) {
    Set mixed;
    mixed.add(float_file({0, 1}), 1, 2);
    mixed.add(npy("|u1", "(1, 2)", {0, 200}), 1, 2);
    expect_error([&] { mixed.check(); }, {"1 of 2 images", "`value-range`"});
    EXPECT_EQ(text_of(mixed.check("0..1").range), "0..1");
    Set flat;
    flat.add(float_file({3, 3}), 1, 2);
    expect_error([&] { flat.check(); }, {"all values", "3"});
    LoaderOptions options;
    expect_error([&] { load_sample(mixed.samples[0], parse_mask_rule("0,255"), options); },
                 {mixed.samples[0].image_path, "floats", "`value-range`"});
}

TEST(ValueRange, TwelveBitsInSixteenAreNoticed) {
    Set set;
    set.add(npy("<u2", "(1, 2)", bytes_of(std::vector<uint16_t>{0, 4000})), 1, 2);
    const DatasetReport report = set.check();
    EXPECT_FALSE(report.range.given());
    EXPECT_NE(report.text().find("no value of those that train is above 4000: `value-range` 0..4095"),
              std::string::npos)
        << report.text();
    EXPECT_TRUE(set.check("0..4095").warnings.empty());
}

TEST(ValueRange, ChannelsAreFoundFromTheImages) {
    for (const auto& [c, expected] : {std::pair{1, 3}, {3, 3}, {2, 2}, {4, 4}, {7, 7}, {16, 16}}) {
        Set set;
        set.add(tiff_of_bands(c), 2, 2);
        set.add(tiff_of_bands(c), 2, 2);
        EXPECT_EQ(set.check().channels, expected) << c;
    }
    Set rgba;
    rgba.add(encode_png(pattern(2, 2, 4)), 2, 2);
    EXPECT_EQ(rgba.check().channels, 3);
    Set odd;
    odd.add(tiff_of_bands(7), 2, 2);
    odd.add(tiff_of_bands(5), 2, 2);
    expect_error([&] { odd.check(); }, {odd.samples[1].image_path, "5 channels", "7"});
    expect_error([&] { odd.check("auto", 3); }, {odd.samples[0].image_path, "7 channels", "3", "`channels`"});
}

}  // namespace atrous::data::test
