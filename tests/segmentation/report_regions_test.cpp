// What a report shows of an image's pixels: the picture without borders, the hardest regions, the precision-recall curve.
#include <gtest/gtest.h>

#include <cmath>

#include "data/mask.h"
#include "engine/ops/elementwise.h"
#include "segmentation/report/hard_regions.h"
#include "segmentation/report/validation_pixels.h"

namespace atrous::report {
namespace {

// A batch of two gray images, and logits of one channel for the second one.
struct RegionsTest : testing::Test {
    static constexpr int64_t h = 60, w = 80;
    ModelCard card;
    HostBatch batch{.n = 2, .h = h, .w = w, .c = 1, .images = {}, .labels = {}, .names = {"first", "a"}, .indices = {}};
    Tensor logits = Tensor::full({1, h, w, 1}, DType::f32, {DeviceKind::cpu}, -4);
    std::array<int64_t, 4> counts{1, 0, 0, 1};

    RegionsTest() {
        card.net.out_channels = 1;
        batch.images.assign(size_t(2 * h * w), .5f);
        batch.labels.assign(size_t(2 * h * w), 0);
    }
    static size_t second(int64_t y, int64_t x) { return size_t(h * w + y * w + x); }
    void each(const Part& p, const std::function<void(int64_t y, int64_t x)>& change) const {
        for (int64_t y = p.top; y < p.top + p.h; ++y)
            for (int64_t x = p.left; x < p.left + p.w; ++x) change(y, x);
    }
    void label(const Part& part, uint8_t id) {
        each(part, [&](int64_t y, int64_t x) { batch.labels[second(y, x)] = id; });
    }
    void predict(const Part& part, float logit) {
        each(part, [&](int64_t y, int64_t x) { logits.as<float>()[y * w + x] = logit; });
    }
    ImageResult result() const { return {batch, 1, counts.data(), 1, logits}; }
};

TEST_F(RegionsTest, BordersThatAreIgnoredAndOfOneColourAreLeftOut) {
    EXPECT_EQ(content_of(batch, 1), (Part{0, 0, h, w}));
    label({0, 0, 10, w}, data::ignored_class);
    label({53, 0, 7, w}, data::ignored_class);
    label({0, 78, h, 2}, data::ignored_class);
    EXPECT_EQ(content_of(batch, 1), (Part{10, 0, 43, 78}));
    EXPECT_EQ(content_of(batch, 0), (Part{0, 0, h, w})) << "another image of the batch";
    batch.images[second(9, 3)] = .25f;
    EXPECT_EQ(content_of(batch, 1), (Part{9, 0, 44, 78})) << "what is ignored and no border is shown";
    label({0, 0, h, w}, data::ignored_class);
    batch.images.assign(batch.images.size(), .5f);
    EXPECT_EQ(content_of(batch, 1), (Part{0, 0, h, w})) << "nothing would be left";
}

TEST_F(RegionsTest, APictureHasThePartAlone) {
    label({20, 30, 8, 8}, 1);
    predict({20, 30, 4, 8}, 4);
    batch.images[second(20, 30)] = 1;
    const ValidationPicture picture = picture_of(result(), {20, 30, 8, 8}, card.normalization, 224);
    EXPECT_EQ(picture.picture.h, 8);
    EXPECT_EQ(picture.picture.u8[0], 255);
    EXPECT_EQ(picture.picture.u8[3], 128);
    EXPECT_EQ(picture.truth.u8, std::vector<uint8_t>(64, 1));
    EXPECT_EQ(std::count(picture.prediction.u8.begin(), picture.prediction.u8.end(), 1), 32);
    EXPECT_EQ(picture.prediction.u8[31], 1);
    EXPECT_EQ(picture_of(result(), {0, 0, 60, 80}, card.normalization, 20).truth.h, 15);
}

TEST(PixelLoss, IsTheCrossEntropy) {
    const float z[] = {0.5f, -1.f, 2.f};
    const double sum = std::exp(.5) + std::exp(-1.) + std::exp(2.);
    EXPECT_NEAR(pixel_loss(z, 1, 1, false), std::log(1 + std::exp(-.5)), 1e-6);  // rounding of fp32
    EXPECT_NEAR(pixel_loss(z, 1, 0, false), std::log(1 + std::exp(.5)), 1e-6);
    EXPECT_NEAR(pixel_loss(z, 3, 1, true), std::log(sum) + 1, 1e-6);
    EXPECT_NEAR(pixel_loss(z, 3, 2, false),
                std::log(1 + std::exp(.5)) + std::log(1 + std::exp(-1.)) + std::log(1 + std::exp(-2.)), 1e-6);
    const float far[] = {-300.f, 300.f};
    EXPECT_NEAR(pixel_loss(far, 2, 0, true), 600, 1e-3) << "no exp overflows";
    EXPECT_NEAR(pixel_loss(far, 1, 1, false), 300, 1e-3);
}

TEST_F(RegionsTest, TheHardestRegionIsWhereTheLossIs) {
    label({0, 0, 12, w}, data::ignored_class);  // letterbox
    batch.images[second(12, 0)] = 0;
    label({32, 40, 8, 8}, 1);  // missed, at places that are multiples of 4 as the squares are
    ValidationPixels pixels(card);
    pixels.add(result());
    ASSERT_EQ(pixels.hard_regions().regions().size(), 1u);
    const HardRegion& region = pixels.hard_regions().regions()[0];
    EXPECT_EQ(region.name, "a");
    EXPECT_NEAR(region.loss, std::log(1 + std::exp(4.)), 1e-6);
    EXPECT_EQ(region.wrong, 1);
    EXPECT_EQ(region.truth, 1);
    EXPECT_EQ(region.predicted, 0);
    EXPECT_EQ(region.whole.picture.h, 48) << "without the border";
    EXPECT_DOUBLE_EQ(region.in_whole.left, .5);
    EXPECT_DOUBLE_EQ(region.in_whole.top, 20. / 48);
    EXPECT_DOUBLE_EQ(region.in_whole.width, .1);
    EXPECT_EQ(region.close.truth.h, 16);
    EXPECT_DOUBLE_EQ(region.in_close.left, .25);
    EXPECT_DOUBLE_EQ(region.in_close.height, .5);
    EXPECT_EQ(region.close.truth.u8[4 * 16 + 4], 1);
    EXPECT_EQ(region.close.truth.u8[3 * 16 + 4], 0);
}

TEST_F(RegionsTest, IgnoredPixelsAndLogitsThatAreNoneAreNoRegion) {
    label({0, 0, h, w}, data::ignored_class);
    HardRegions regions(card);
    RegionLosses losses(h, w);
    const auto add_all = [&] {
        for (int64_t y = 0; y < h; ++y)
            losses.add_row(y, logits.as<float>() + y * w, batch.labels.data() + second(y, 0), 1, false);
    };
    add_all();
    label({0, 0, h, w}, 0);
    predict({0, 0, h, w}, std::nanf(""));
    add_all();
    EXPECT_FALSE(losses.hardest());
    regions.add(result(), losses);
    EXPECT_TRUE(regions.regions().empty());
}

TEST_F(RegionsTest, TheHardestComeFirstAndOneOfAnImage) {
    ValidationPixels pixels(card);
    for (int i = 0; i < 9; ++i) {
        batch.names[1] = std::string(1, char('a' + i));
        predict({0, 0, h, w}, float((i * 5) % 9));
        pixels.add(result());
    }
    std::string names;
    double before = 100;
    for (const HardRegion& region : pixels.hard_regions().regions()) {
        names += region.name;
        EXPECT_LT(region.loss, before);
        before = region.loss;
    }
    EXPECT_EQ(names, "hfdbig");  // of 8, 7, 6, 5, 4, 3
    pixels.clear();
    EXPECT_TRUE(pixels.hard_regions().regions().empty());
}

TEST(RegionLosses, OfALargeImageSomeRowsAndColumnsAreSampled) {
    RegionLosses losses(2048, 2048);
    ASSERT_EQ(losses.step(), 8);
    std::vector<float> row(2048, 0);
    const std::vector<uint8_t> labels(2048, 1);
    for (int64_t y = 0; y < 2048; y += 8) {
        std::fill(row.begin() + 1030, row.begin() + 1236, y >= 515 && y < 721 ? -5.f : 0.f);
        losses.add_row(y, row.data(), labels.data(), 1, false);
    }
    const auto region = losses.hardest();
    ASSERT_TRUE(region);
    EXPECT_EQ(region->place, (Part{515, 1030, 206, 206}));  // a tenth of 2048, in cells of 103
    EXPECT_NEAR(region->loss, std::log(1 + std::exp(5.)), 1e-6);
}

TEST(RegionLosses, SampleAboutAsManyPixelsAtMost) {
    const std::vector<std::array<int64_t, 3>> sizes{{256, 256, 1}, {256, 257, 2}, {512, 511, 2},
                                                    {512, 512, 2}, {513, 512, 3}, {50, 4000, 2}};
    for (const auto& [h, w, step] : sizes) EXPECT_EQ(RegionLosses(h, w).step(), step) << h << "x" << w;
}

// Squares of 400x400 in an image of 50 rows: they end with it, and count where a quarter of what is left does.
TEST(RegionLosses, OfAThinImageSquaresThatEndWithItCount) {
    const std::vector<float> row(4000, 1);
    const auto hardest_with = [&](int64_t counted) {
        std::vector<uint8_t> labels(4000, data::ignored_class);
        std::fill_n(labels.begin(), counted, uint8_t(0));
        RegionLosses losses(50, 4000);
        for (int64_t y = 0; y < 50; y += losses.step()) losses.add_row(y, row.data(), labels.data(), 1, false);
        return losses.hardest();
    };
    ASSERT_TRUE(hardest_with(4000));
    EXPECT_EQ(hardest_with(4000)->place, (Part{0, 0, 50, 400}));
    EXPECT_TRUE(hardest_with(100));
    EXPECT_FALSE(hardest_with(98));
}

// Of three classes there is no curve, and the rows between the sampled ones are not fetched. The last one is row 300.
TEST(ValidationPixels, RegionsOfSeveralClassesAreThoseOfTheSampledRows) {
    constexpr int64_t h = 301, w = 430, c = 3;
    ModelCard card;
    card.net.out_channels = c;
    HostBatch batch{.n = 1, .h = h, .w = w, .c = 1, .images = {}, .labels = {}, .names = {"a"}, .indices = {}};
    batch.images.assign(size_t(h * w), .5f);
    for (int64_t i = 0; i < h * w; ++i) batch.labels.push_back(uint8_t(i * 7919 % 1009 % 3));
    for (const DType type : {DType::f32, DType::bf16}) {
        Tensor values = Tensor::full({1, h, w, c}, DType::f32, {DeviceKind::cpu}, 0);
        for (int64_t i = 0; i < h * w * c; ++i)
            values.as<float>()[i] = float(i * 104729 % 2003 % 64) / 16;  // exact in bf16
        for (int64_t i = 300 * w * c; i < (300 * w + 100) * c; ++i) values.as<float>()[i] *= 64;
        RegionLosses losses(h, w);
        ASSERT_EQ(losses.step(), 2);
        for (int64_t y = 0; y < h; y += 2)
            losses.add_row(y, values.as<float>() + y * w * c, batch.labels.data() + y * w, c, is_softmax(card));
        std::array<int64_t, 9> counts{1};
        ValidationPixels pixels(card);
        pixels.add({batch, 0, counts.data(), 3, cast(values, type)});
        ASSERT_EQ(pixels.hard_regions().regions().size(), 1u);
        ASSERT_EQ(losses.hardest()->place.top + losses.hardest()->place.h, h) << "the last row decides";
        EXPECT_EQ(pixels.hard_regions().regions()[0].loss, losses.hardest()->loss);
    }
}

TEST_F(RegionsTest, TheCurveIsThatOfAllPixelsThatCount) {
    ValidationPixels pixels(card);
    PrecisionRecall expected;
    for (int image = 0; image < 2; ++image) {
        for (int64_t i = 0; i < h * w; ++i) {
            logits.as<float>()[i] = float((i * 7919 + image) % 1000) / 100 - 5;
            batch.labels[second(0, i)] = i % 11 == 0 ? data::ignored_class : uint8_t((i * 7919) % 1000 > 600 - i % 300);
            if (i % 11) expected.add(logits.as<float>()[i], batch.labels[second(0, i)] == 1);
        }
        pixels.add(result());
    }
    ASSERT_TRUE(pixels.precision_recall());
    EXPECT_EQ(pixels.precision_recall()->average_precision(), expected.average_precision());
    EXPECT_EQ(pixels.precision_recall()->best().threshold, expected.best().threshold);
    pixels.clear();
    EXPECT_TRUE(std::isnan(pixels.precision_recall()->average_precision()));
    card.net.out_channels = 3;
    EXPECT_FALSE(ValidationPixels(card).precision_recall());
}

}  // namespace
}  // namespace atrous::report
