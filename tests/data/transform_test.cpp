// Geometry against numbers computed with PIL 9.4 and against index arithmetic written out.
#include "data/transform.h"

#include <cmath>

#include "base/philox.h"
#include "fixtures.h"

namespace atrous::data::test {

namespace {

using Values = std::vector<uint8_t>;

uint64_t checksum(const Image& image) {
    return atrous::name_hash({reinterpret_cast<const char*>(image.u8.data()), image.u8.size()});
}

}  // namespace

// Image.fromarray(pattern).resize((w, h), Image.BILINEAR)
TEST(Resize, BilinearEqualsPil) {
    const Image image = pattern(7, 9, 1);
    EXPECT_EQ(resize_bilinear(image, 3, 4).u8, (Values{76, 126, 131, 175, 91, 142, 165, 150, 108, 161, 158, 125}));
    EXPECT_EQ(resize_bilinear(image, 11, 5).u8,
              (Values{34,  105, 148, 77,  197, 69,  91,  159, 112, 184, 107, 77,  172, 152, 171, 81,  93,  171, 134,
                      195, 79,  100, 182, 135, 176, 95,  99,  202, 151, 124, 105, 112, 168, 181, 126, 109, 140, 143,
                      191, 126, 103, 187, 131, 174, 123, 83,  177, 145, 169, 96,  67,  163, 158, 167, 74}));
    EXPECT_EQ(resize_bilinear(image, 7, 4).u8,
              (Values{45,  137, 90,  176, 103, 118, 157, 167, 76,  123, 148, 190, 81,  158,
                      170, 128, 112, 129, 178, 150, 117, 181, 147, 132, 96,  157, 159, 102}));
    EXPECT_EQ(resize_bilinear(image, 2, 9).u8,
              (Values{82, 82, 77, 131, 215, 108, 138, 163, 187, 79, 102, 148, 171, 152, 145, 198, 143, 89}));
    EXPECT_EQ(resize_bilinear(pattern(6, 5, 3), 4, 3).u8,
              (Values{108, 94,  113, 89,  177, 147, 100, 183, 71,  184, 124, 167, 114, 138, 143, 134, 178, 95,
                      172, 108, 147, 174, 88,  137, 88,  141, 151, 192, 144, 143, 174, 155, 127, 133, 141, 143}));
}

TEST(Resize, BilinearEqualsPilOnLargerImages) {
    const Image image = pattern(97, 131, 3);
    EXPECT_EQ(checksum(resize_bilinear(image, 32, 47)), 0xb2f0c90707a44330u);
    EXPECT_EQ(checksum(resize_bilinear(image, 150, 200)), 0xb8c5adb079037097u);
}

TEST(Resize, SixteenBitsFollowTheSameWeights) {
    const Image image = pattern(37, 29, 3);
    Image deep = make_image<uint16_t>(37, 29, 3);
    for (size_t i = 0; i < image.u8.size(); ++i) deep.u16[i] = uint16_t(image.u8[i] * 257);
    for (const auto& [h, w] : {std::pair{11, 13}, {50, 41}}) {
        const Image small = resize_bilinear(image, h, w), deep_small = resize_bilinear(deep, h, w);
        for (size_t i = 0; i < small.u8.size(); ++i)  // the 8-bit result is rounded twice, by a half each
            EXPECT_NEAR(deep_small.u16[i] / 257.0, small.u8[i], 1.01) << i;
    }
}

// An output row follows from its input rows, wherever they lie: by 16 rows they are filtered together.
TEST(Resize, EqualRowsStayEqual) {
    const Image line = pattern(1, 400, 3);
    Image deep = make_image<uint16_t>(19, 400, 3), real = make_image<float>(19, 400, 3);
    for (size_t i = 0; i < deep.u16.size(); ++i) {
        deep.u16[i] = uint16_t(line.u8[i % line.u8.size()] * 251 + i % line.u8.size());
        real.f32[i] = float(deep.u16[i]) / 7;
    }
    for (int64_t w = 20; w < 300; w += 9) {
        const Image a = resize_bilinear(deep, 19, w), b = resize_bilinear(real, 19, w);
        for (size_t i = size_t(w) * 3; i < a.u16.size(); ++i) {
            ASSERT_EQ(a.u16[i], a.u16[i % (size_t(w) * 3)]) << w << " " << i;
            ASSERT_EQ(b.f32[i], b.f32[i % (size_t(w) * 3)]) << w << " " << i;
        }
    }
}

TEST(Resize, AFlatImageStaysFlat) {
    for (int level : {0, 1, 128, 255}) {
        Image image = make_image<uint8_t>(33, 21, 3);
        std::fill(image.u8.begin(), image.u8.end(), uint8_t(level));
        for (const auto& [h, w] : {std::pair{1, 1}, {7, 64}, {100, 5}})
            for (uint8_t v : resize_bilinear(image, h, w).u8) ASSERT_EQ(v, level);
    }
}

// Image.fromarray(pattern).resize((w, h), Image.NEAREST)
TEST(Resize, NearestEqualsPil) {
    const Image image = pattern(7, 9, 1);
    EXPECT_EQ(resize_nearest(image, 3, 4).u8, (Values{169, 119, 93, 91, 71, 237, 171, 129, 125, 251, 145, 63}));
    const Image large = resize_nearest(image, 10, 13);
    EXPECT_EQ(Values(large.u8.begin(), large.u8.begin() + 39),
              (Values{11, 51, 51,  97, 149, 149, 207, 15,  15,  85, 161, 161, 243, 75, 169, 169, 13, 119, 119, 231,
                      93, 93, 217, 91, 91,  227, 75,  169, 169, 13, 119, 119, 231, 93, 93,  217, 91, 91,  227}));
}

TEST(Resize, NearestFollowsTheStatedRule) {
    const Image image = pattern(13, 17, 1);
    for (const auto& [h, w] : {std::pair{1, 1}, {5, 40}, {29, 3}, {26, 34}}) {
        const Image out = resize_nearest(image, h, w);
        for (int64_t y = 0; y < h; ++y)
            for (int64_t x = 0; x < w; ++x)
                ASSERT_EQ(out.u8[size_t(y * w + x)],
                          image.u8[size_t((2 * y + 1) * 13 / (2 * h) * 17 + (2 * x + 1) * 17 / (2 * w))]);
    }
}

TEST(Geometry, EveryRearrangement) {
    const int64_t h = 3, w = 5;
    for (int c : {1, 3}) {
        const Image image = pattern(h, w, c);
        const auto expect = [&](const Image& out, int64_t out_h, int64_t out_w, auto source) {
            ASSERT_EQ(out.h, out_h);
            ASSERT_EQ(out.w, out_w);
            for (int64_t y = 0; y < out_h; ++y)
                for (int64_t x = 0; x < out_w; ++x)
                    for (int ch = 0; ch < c; ++ch) {
                        const auto [sy, sx] = source(y, x);
                        ASSERT_EQ(out.u8[size_t((y * out_w + x) * c + ch)], image.u8[size_t((sy * w + sx) * c + ch)]);
                    }
        };
        using P = std::pair<int64_t, int64_t>;
        expect(flip_horizontal(image), h, w, [&](int64_t y, int64_t x) { return P(y, w - 1 - x); });
        expect(flip_vertical(image), h, w, [&](int64_t y, int64_t x) { return P(h - 1 - y, x); });
        expect(transpose(image), w, h, [&](int64_t y, int64_t x) { return P(x, y); });
        expect(rotate90(image, 1), w, h,
               [&](int64_t y, int64_t x) { return P(x, w - 1 - y); });  // the right side comes up
        expect(rotate90(image, 2), h, w, [&](int64_t y, int64_t x) { return P(h - 1 - y, w - 1 - x); });
        expect(rotate90(image, -1), w, h, [&](int64_t y, int64_t x) { return P(h - 1 - x, y); });
        expect(rotate90(image, 4), h, w, [&](int64_t y, int64_t x) { return P(y, x); });
        expect(crop(image, 1, 2, 2, 3), 2, 3, [&](int64_t y, int64_t x) { return P(y + 1, x + 2); });
    }
    EXPECT_THROW(crop(pattern(3, 5, 1), 2, 0, 2, 5), ShapeError);
}

TEST(Geometry, PadFillsAround) {
    const Image out = pad(gray(1, 2, {7, 8}), 1, 1, 3, 4, {9, 0, 0, 0});
    EXPECT_EQ(out.u8, (Values{9, 9, 9, 9, 9, 7, 8, 9, 9, 9, 9, 9}));
}

TEST(Geometry, RotationByRightAnglesIsExact) {
    const Image image = pattern(6, 6, 3);
    for (int turns : {0, 1, 2, 3})
        for (Sampling sampling : {Sampling::bilinear, Sampling::nearest})
            EXPECT_EQ(rotate(image, 90.0 * turns, sampling).u8, rotate90(image, turns).u8) << turns;
}

TEST(Geometry, RotationInventsNoLabel) {
    Image mask = make_image<uint8_t>(20, 30, 1);
    for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = i % 30 > 12 ? 200 : 3;
    for (double degrees : {-35.0, 10.0, 60.0})
        for (uint8_t v : rotate(mask, degrees, Sampling::nearest).u8) ASSERT_TRUE(v == 3 || v == 200);
}

TEST(Geometry, AdjustScalesAboutTheMean) {
    const Image image = gray(1, 4, {0, 100, 100, 200});
    EXPECT_EQ(adjust(image, 1, 0.5).u8, (Values{50, 100, 100, 150}));
    EXPECT_EQ(adjust(image, 1.5, 1).u8, (Values{0, 150, 150, 255}));
    EXPECT_EQ(adjust(image, 1, 1).u8, image.u8);
}

TEST(Normalize, IsToTensorAndNormalize) {
    const Image image = pattern(3, 4, 3);
    const auto how = Normalization::imagenet();
    std::vector<float> out(3 * 20, -1);
    normalize(image, how, out.data(), 20);
    for (int64_t y = 0; y < 3; ++y)
        for (size_t i = 0; i < 20; ++i) {
            const float expected =
                i < 12 ? (float(image.u8[size_t(y) * 12 + i]) / 255.f - how.mean[i % 3]) / how.stddev[i % 3] : -1;
            EXPECT_EQ(out[size_t(y) * 20 + i], expected);
        }
    Image deep = make_image<uint16_t>(1, 2, 1);
    deep.u16 = {65535, 257 * 51};
    normalize(deep, {}, out.data(), 2);
    EXPECT_EQ(out[0], 1.f);
    EXPECT_FLOAT_EQ(out[1], 0.2f);
}

TEST(Channels, LumaEqualsPilAndGrayRepeats) {
    const Image luma = to_channels(pattern(6, 5, 3), 1);
    EXPECT_EQ(Values(luma.u8.begin(), luma.u8.begin() + 10), (Values{44, 168, 148, 123, 182, 144, 55, 170, 188, 82}));
    EXPECT_EQ(to_channels(gray(1, 2, {5, 6}), 3).u8, (Values{5, 5, 5, 6, 6, 6}));
    Image rgba = make_image<uint8_t>(1, 1, 4);
    rgba.u8 = {1, 2, 3, 4};
    EXPECT_EQ(to_channels(rgba, 3).u8, (Values{1, 2, 3}));
}

}  // namespace atrous::data::test
