// Changes of values, against numbers worked out by hand and by plain formulas.
#include "data/photometric.h"

#include <cmath>
#include <numeric>

#include "data/augmentation.h"
#include "data/mask.h"
#include "fixtures.h"

namespace atrous::data::test {

namespace {

Image deep(const Image& image) {
    Image out = make_image<uint16_t>(image.h, image.w, image.c);
    for (size_t i = 0; i < image.u8.size(); ++i) out.u16[i] = uint16_t(image.u8[i] * 257);
    return out;
}

Image real(const Image& image) {
    Image out = make_image<float>(image.h, image.w, image.c);
    for (size_t i = 0; i < image.u8.size(); ++i) out.f32[i] = float(image.u8[i]) / 255;
    return out;
}

Image rgb(std::vector<uint8_t> values) {
    return Image{.h = 1, .w = int64_t(values.size()) / 3, .c = 3, .u8 = std::move(values), .u16 = {}};
}

}  // namespace

TEST(Photometric, NeutralStrengthsChangeNothing) {
    const Image image = pattern(6, 7, 3);
    Random random(1);
    for (const Image& i : {image, deep(image)}) {
        EXPECT_EQ(mix_colours(i, saturation_and_hue(1, 0)).u8, i.u8);
        EXPECT_EQ(mix_colours(i, saturation_and_hue(1, 0)).u16, i.u16);
        EXPECT_EQ(apply_gamma(i, 1).u8, i.u8);
        EXPECT_EQ(apply_gamma(i, 1).u16, i.u16);
        EXPECT_EQ(add_noise(i, 0, random).u8, i.u8);
        EXPECT_EQ(add_noise(i, 0, random).u16, i.u16);
        EXPECT_EQ(gaussian_blur(i, 0.1).u8, i.u8);
        EXPECT_EQ(gaussian_blur(i, 0.1).u16, i.u16);
    }
}

// Luma of (200, 100, 50): 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2.
TEST(Photometric, ColoursAroundTheirLuma) {
    const Image image = rgb({200, 100, 50});
    EXPECT_EQ(mix_colours(image, saturation_and_hue(0, 0.1)).u8, (std::vector<uint8_t>{124, 124, 124}));
    // The opposite hue: 2 * 124.2 - v.
    EXPECT_EQ(mix_colours(image, saturation_and_hue(1, 0.5)).u8, (std::vector<uint8_t>{48, 148, 198}));
    // Twice the chroma: 124.2 + 2 (v - 124.2) = 275.8, 75.8 and -24.2.
    EXPECT_EQ(mix_colours(image, saturation_and_hue(2, 0)).u8, (std::vector<uint8_t>{255, 76, 0}));
    // The low end of the range is black.
    EXPECT_EQ(mix_colours(real(rgb({255, 0, 0})), saturation_and_hue(0, 0), {-1, 1}).f32,
              (std::vector<float>(3, float(-1 + 0.299 * 2 + 0.587 + 0.114))));
    // A quarter of the circle: luma 112.67, (u, v) = (-16.07364, 32.73841) becomes (-v, u), red turns towards yellow.
    const Image quarter = mix_colours(real(rgb({150, 100, 80})), saturation_and_hue(1, 0.25));
    const double expected[] = {94.34202, 134.92859, 46.12851};
    for (size_t ch = 0; ch < 3; ++ch) EXPECT_NEAR(quarter.f32[ch], expected[ch] / 255, 1e-6) << "rounding of floats";
    const Image turned = mix_colours(real(rgb({200, 100, 50})), saturation_and_hue(1, -0.05));
    EXPECT_NEAR(0.299 * turned.f32[0] + 0.587 * turned.f32[1] + 0.114 * turned.f32[2], 124.2 / 255, 1e-5);
    EXPECT_GT(std::abs(turned.f32[1] - 100.f / 255), 0.02);
}

TEST(Photometric, GammaBendsTheRange) {
    const Image image = rgb({0, 128, 255});
    EXPECT_EQ(apply_gamma(image, 2).u8, (std::vector<uint8_t>{0, 64, 255}));     // 255 (128 / 255)^2 = 64.25
    EXPECT_EQ(apply_gamma(image, 0.5).u8, (std::vector<uint8_t>{0, 181, 255}));  // 255 sqrt(128 / 255) = 180.7
    Image range = make_image<float>(1, 2, 1);
    range.f32 = {5, -100};
    EXPECT_EQ(apply_gamma(range, 2, {0, 10}).f32, (std::vector<float>{2.5f, 0}));
    EXPECT_NEAR(apply_gamma(deep(image), 2).u16[1], 65535 * std::pow(128 / 255.0, 2), 0.51);
}

// A value range may lie beyond what the image's integers can hold; then all is at its nearest end.
TEST(Photometric, ARangeOutsideOfTheTypeIsItsEnd) {
    const Image image = rgb({0, 128, 255});
    for (const auto& [range, end] : {std::pair{ValueRange{300, 400}, 255}, {ValueRange{-10, -5}, 0}}) {
        const std::vector<uint8_t> expected(3, uint8_t(end));
        Random random(1);
        EXPECT_EQ(mix_colours(image, saturation_and_hue(0.5, 0.1), range).u8, expected);
        EXPECT_EQ(apply_gamma(image, 2, range).u8, expected);
        EXPECT_EQ(add_noise(image, 0.1, random, range).u8, expected);
    }
}

TEST(Photometric, BlurIsAGaussian) {
    Image dot = make_image<float>(15, 17, 2);
    dot.f32[2 * (7 * 17 + 8) + 1] = 100;
    const Image blurred = gaussian_blur(dot, 1.5);
    double sum = 0, weights = 0;
    for (int64_t i = -5; i <= 5; ++i) weights += std::exp(-double(i * i) / 4.5);
    for (int64_t y = 0; y < 15; ++y)
        for (int64_t x = 0; x < 17; ++x) {
            const double distance = double((y - 7) * (y - 7) + (x - 8) * (x - 8));
            const bool within = std::abs(y - 7) <= 5 && std::abs(x - 8) <= 5;
            const double expected = within ? 100 * std::exp(-distance / 4.5) / weights / weights : 0;
            ASSERT_NEAR(blurred.f32[size_t(2 * (y * 17 + x) + 1)], expected, 1e-4) << x << ' ' << y;
            ASSERT_EQ(blurred.f32[size_t(2 * (y * 17 + x))], 0) << "the other channel";
            sum += blurred.f32[size_t(2 * (y * 17 + x) + 1)];
        }
    EXPECT_NEAR(sum, 100, 1e-3);
    Image constant = make_image<uint8_t>(3, 4, 1);  // smaller than the Gaussian reaches
    std::fill(constant.u8.begin(), constant.u8.end(), uint8_t(201));
    EXPECT_EQ(gaussian_blur(constant, 5).u8, constant.u8);
}

// 90,000 draws: the mean within 5 of its standard deviations, the deviation to 2 %.
TEST(Photometric, NoiseIsNormal) {
    Image gray = make_image<float>(300, 300, 1);
    std::fill(gray.f32.begin(), gray.f32.end(), 0.5f);
    Random random(7), same(7);
    const Image noisy = add_noise(gray, 0.1, random);
    EXPECT_EQ(noisy.f32, add_noise(gray, 0.1, same).f32);
    EXPECT_NE(noisy.f32, add_noise(gray, 0.1, same).f32);
    double sum = 0, squares = 0, within = 0, neighbours = 0;
    for (size_t i = 0; i < noisy.f32.size(); ++i) {
        const double n = (noisy.f32[i] - 0.5) / 0.1;
        sum += n, squares += n * n, within += std::abs(n) < 1;
        if (i % 2) neighbours += n * (noisy.f32[i - 1] - 0.5) / 0.1;
    }
    const double count = 90000;
    EXPECT_NEAR(sum / count, 0, 5 / std::sqrt(count));
    EXPECT_NEAR(std::sqrt(squares / count), 1, 0.02);
    EXPECT_NEAR(within / count, 0.6827, 0.01);
    EXPECT_NEAR(neighbours / (count / 2), 0, 5 / std::sqrt(count / 2)) << "the two values of a number";
    // Relative to the range.
    Random a(7), b(7);
    Image wide = gray;
    for (float& v : wide.f32) v = 50;
    const Image scaled = add_noise(wide, 0.1, a, {0, 100});
    EXPECT_NEAR(scaled.f32[5], 100 * add_noise(gray, 0.1, b).f32[5], 1e-3);
}

TEST(Photometric, AJpegKeepsLessAtLowerQuality) {
    const auto error = [](const Image& a, const Image& b) {
        double sum = 0;
        for (size_t i = 0; i < a.u8.size(); ++i) sum += std::abs(a.u8[i] - b.u8[i]);
        return sum / double(a.u8.size());
    };
    for (const int c : {1, 3}) {
        Image image = make_image<uint8_t>(40, 56, c);
        for (size_t i = 0; i < image.u8.size(); ++i) image.u8[i] = uint8_t(128 + 100 * std::sin(double(i) * 0.37));
        const Image good = through_jpeg(image, 95), bad = through_jpeg(image, 10);
        ASSERT_EQ(good.count(), image.count());
        ASSERT_EQ(good.c, c);
        EXPECT_LT(error(good, image), 6);
        EXPECT_GT(error(bad, image), 1.5 * error(good, image));
        EXPECT_EQ(bad.u8, through_jpeg(image, 10).u8);
    }
}

// ---- the augmentations ----

namespace {

Example augmented(const Augmentations& augmentations, const Image& image, uint64_t index = 0) {
    Example sample{image, pattern(image.h, image.w, 1)};
    sample.fill = {9, 9, 9, 9};
    for (const Augmentation* a : augmentations.all()) {
        if (!a->active()) continue;
        Random random(1, 0, index, a->stream);
        a->apply(sample, random);
    }
    return sample;
}

bool equal(const Image& a, const Image& b) { return a.u8 == b.u8 && a.u16 == b.u16 && a.f32 == b.f32; }

}  // namespace

TEST(Photometric, AugmentationsChangeImagesThatTheySuitAndNoLabels) {
    struct Row {
        const char *key, *value;
        std::vector<int> channels;  // of images that it changes
        bool of_deep_images = true;
    };
    const std::vector<int> light{1, 3}, any{1, 2, 3, 4, 7};
    for (const Row& row : {Row{"saturation", "0.9", {3}}, Row{"hue", "0.3", {3}}, Row{"gamma", "1", light},
                           Row{"night", "1", light}, Row{"blur", "1", any}, Row{"noise", "1", any},
                           Row{"jpeg", "1", light, false}, Row{"coarse-dropout", "1", any}}) {
        const Augmentations one{{row.key, row.value}};
        EXPECT_EQ(without_plan(one), row.key);
        for (const int c : any)
            for (const Image& image : {pattern(32, 24, c), deep(pattern(32, 24, c)), real(pattern(32, 24, c))}) {
                const bool suits = std::count(row.channels.begin(), row.channels.end(), c) > 0;
                const Example after = augmented(one, image);
                const bool expected = suits && (row.of_deep_images || !image.u8.empty());
                EXPECT_EQ(!equal(after.image, image), expected) << row.key << ' ' << c;
                EXPECT_EQ(after.image.count(), image.count());
                EXPECT_EQ(after.labels.u8, pattern(32, 24, 1).u8) << row.key;
            }
    }
}

TEST(Photometric, NightIsDarkAndBlue) {
    Image image = make_image<uint8_t>(30, 30, 3);
    std::fill(image.u8.begin(), image.u8.end(), uint8_t(200));
    const Example night = augmented({{"night", "1"}}, image);
    std::array<double, 3> mean{};
    for (size_t i = 0; i < night.image.u8.size(); ++i) mean[i % 3] += night.image.u8[i] / 900.0;
    EXPECT_LT(mean[0], 200 * 0.45);
    EXPECT_GT(mean[2], 1.3 * mean[0]) << "gains of 1.25 and 0.8";
}

TEST(Photometric, CoarseDropoutHidesRectangles) {
    Image image = make_image<uint8_t>(50, 60, 3);
    std::fill(image.u8.begin(), image.u8.end(), uint8_t(100));
    const Augmentations keep{{"coarse-dropout", "1"}}, ignore{{"coarse-dropout", "1"}, {"dropout-mask", "ignore"}};
    for (uint64_t i = 0; i < 5; ++i) {
        const Example kept = augmented(keep, image, i), ignored = augmented(ignore, image, i);
        EXPECT_EQ(kept.image.u8, ignored.image.u8);
        EXPECT_EQ(kept.labels.u8, pattern(50, 60, 1).u8);
        int64_t hidden = 0;
        for (size_t p = 0; p < 50 * 60; ++p) {
            const bool hole = kept.image.u8[3 * p] == 9;
            hidden += hole;
            EXPECT_EQ(ignored.labels.u8[p], hole ? ignored_class : pattern(50, 60, 1).u8[p]);
        }
        EXPECT_GT(hidden, 0);
        EXPECT_LE(hidden, 8 * 8 * 9) << "8 holes of 0.15 of the sides at the most";
    }
    Image tiny = make_image<uint8_t>(1, 1, 1);
    EXPECT_EQ(augmented(keep, tiny).image.u8[0], 9);
}

TEST(Photometric, ValuesOutOfRangeAreRefused) {
    const std::pair<const char*, const char*> wrong[] = {
        {"saturation", "1.1"},     {"hue", "0.6"},           {"gamma", "-1"},          {"blur", "2"},
        {"blur-deviation", "0"},   {"noise-deviation", "2"}, {"jpeg-quality", "0"},    {"jpeg-quality", "96"},
        {"dropout-holes", "0"},    {"dropout-size", "0"},    {"dropout-mask", "drop"}, {"shift", "0.6"},
        {"perspective", "0.25"},   {"shear", "90"},          {"elastic", "1.5"},       {"elastic-cells", "0"},
        {"rotate-border", "fill"}, {"night", "yes"},         {"crop-class-share", "0"}};
    for (const auto& [key, value] : wrong)
        expect_error<UsageError>(
            [&] {
                Augmentations{{key, value}};
            },
            {"`" + std::string(key) + "`", value, "expected"});
}

}  // namespace atrous::data::test
