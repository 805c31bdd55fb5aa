// The drawn data set and the images made for people.
#include "data/synth.h"

#include <cmath>
#include <set>

#include "data/dataset.h"
#include "data/palette.h"
#include "fixtures.h"

namespace atrous::data::test {

namespace {

std::vector<int64_t> histogram(const Image& mask) {
    std::vector<int64_t> counts(256, 0);
    for (uint8_t v : mask.u8) ++counts[v];
    return counts;
}

}  // namespace

TEST(Synth, IsAFunctionOfItsArguments) {
    const SynthSample a = draw_sample(7, 3, 64), b = draw_sample(7, 3, 64);
    EXPECT_EQ(a.image.u8, b.image.u8);
    EXPECT_EQ(a.mask.u8, b.mask.u8);
    EXPECT_NE(a.image.u8, draw_sample(7, 4, 64).image.u8);
    EXPECT_NE(a.image.u8, draw_sample(8, 3, 64).image.u8);
}

// A lone disc: all of its pixels lie within a circle whose area is the number of pixels, up to the pixels it cuts.
TEST(Synth, TheMaskIsExact) {
    SynthOptions options{.polygons = false, .max_objects = 1, .distractors = false, .noise = 0};
    options.cars = false;
    for (uint64_t index = 0; index < 10; ++index) {
        const int64_t size = 128;
        const Image mask = draw_sample(1, index, size, options).mask;
        double n = 0, sx = 0, sy = 0;
        int64_t left = size, right = -1, top = size, bottom = -1;
        for (int64_t y = 0; y < size; ++y)
            for (int64_t x = 0; x < size; ++x)
                if (mask.u8[size_t(y * size + x)]) {
                    n += 1, sx += double(x), sy += double(y);
                    left = std::min(left, x), right = std::max(right, x), top = std::min(top, y),
                    bottom = std::max(bottom, y);
                }
        if (left == 0 || top == 0 || right == size - 1 || bottom == size - 1) continue;  // cut by the border
        const double cx = sx / n, cy = sy / n, radius = std::sqrt(n / 3.14159265358979);
        EXPECT_NEAR(double(right - left + 1) / 2, radius, 1);
        EXPECT_NEAR(double(bottom - top + 1) / 2, radius, 1);
        for (int64_t y = 0; y < size; ++y)
            for (int64_t x = 0; x < size; ++x) {
                const double distance = std::hypot(double(x) - cx, double(y) - cy);
                if (std::abs(distance - radius) > 1) {  // centre and radius are estimated to better than a pixel
                    ASSERT_EQ(mask.u8[size_t(y * size + x)], distance < radius ? 1 : 0);
                }
            }
    }
}

// With the same scene at three times the size, pixel (y, x)'s centre is that of pixel (3y + 1, 3x + 1).
TEST(Synth, MasksOfSeveralSizesSampleOneGeometry) {
    SynthOptions options{.noise = 0};
    options.distractors = false;
    for (uint64_t index = 0; index < 5; ++index) {
        const Image small = draw_sample(2, index, 64, options).mask, large = draw_sample(2, index, 192, options).mask;
        int64_t different = 0;
        for (int64_t y = 0; y < 64; ++y)
            for (int64_t x = 0; x < 64; ++x)
                different += small.u8[size_t(y * 64 + x)] != large.u8[size_t((3 * y + 1) * 192 + 3 * x + 1)];
        EXPECT_LE(different, 2) << index;  // points that lie on an edge up to rounding
    }
}

TEST(Synth, ClassesByKindAndBinary) {
    std::set<int> seen;
    for (uint64_t index = 0; index < 12; ++index) {
        SynthOptions options;
        const auto binary = histogram(draw_sample(3, index, 64, options).mask);
        options.class_per_kind = true;
        const auto kinds = histogram(draw_sample(3, index, 64, options).mask);
        EXPECT_EQ(binary[0] + binary[1], 64 * 64);
        EXPECT_EQ(kinds[1] + kinds[2] + kinds[3], binary[1]);
        for (int id = 1; id <= 3; ++id)
            if (kinds[size_t(id)]) seen.insert(id);
    }
    EXPECT_EQ(seen, (std::set<int>{1, 2, 3}));
}

// No level of any channel tells objects from background: the best threshold leaves many pixels wrong.
TEST(Synth, IsNotSolvedByAThreshold) {
    std::vector<std::array<int64_t, 2>> counts(3 * 256, {0, 0});
    int64_t objects = 0, total = 0;
    for (uint64_t index = 0; index < 12; ++index) {
        const SynthSample sample = draw_sample(4, index, 96);
        for (size_t p = 0; p < sample.mask.u8.size(); ++p) {
            const uint8_t id = sample.mask.u8[p];
            objects += id;
            ++total;
            for (size_t ch = 0; ch < 3; ++ch) ++counts[ch * 256 + sample.image.u8[3 * p + ch]][id];
        }
    }
    EXPECT_GT(objects, total / 50);
    EXPECT_LT(objects, total / 2);
    double best_dice = 0;
    for (size_t ch = 0; ch < 3; ++ch)
        for (const bool above : {false, true}) {
            int64_t hit = 0, taken = 0;
            for (size_t k = 0; k < 256; ++k) {
                const auto& level = counts[ch * 256 + (above ? 255 - k : k)];
                hit += level[1];
                taken += level[0] + level[1];
                best_dice = std::max(best_dice, 2.0 * double(hit) / double(taken + objects));
            }
        }
    EXPECT_LT(best_dice, 0.6);
}

TEST(Synth, WritesADatasetThatIsRecognized) {
    TempDir dir;
    write_dataset(dir.path().string(), 8, 32, 5, 0.25);
    DatasetOptions options;
    options.root = dir.path().string();
    const Dataset dataset = find_dataset(options);
    EXPECT_EQ(dataset.train.size(), 6u);
    EXPECT_EQ(dataset.val.size(), 2u);
    const DatasetReport report = check_dataset(dataset.train, {});
    EXPECT_EQ(report.rule.class_count, 2);
    EXPECT_EQ(load_image(dataset.train[1].image_path).u8, draw_sample(5, 1, 32).image.u8);
    expect_error<UsageError>([&] { write_dataset(dir.path().string(), 8, 4, 5, 0.25); }, {"4 pixels"});
}

TEST(Palette, IsVocs) {
    const Palette palette = voc_palette();
    EXPECT_EQ(palette[0], 0x000000u);
    EXPECT_EQ(palette[1], 0x800000u);
    EXPECT_EQ(palette[2], 0x008000u);
    EXPECT_EQ(palette[15], 0xc08080u);  // person
    EXPECT_EQ(palette[20], 0x004080u);  // tvmonitor
    EXPECT_EQ(palette[255], 0xe0e0c0u);
}

TEST(Palette, OverlayTintsObjectsAlone) {
    Image image = make_image<uint8_t>(8, 8, 3), labels = make_image<uint8_t>(8, 8, 1);
    std::fill(image.u8.begin(), image.u8.end(), uint8_t(100));
    for (int64_t y = 2; y < 6; ++y)
        for (int64_t x = 2; x < 6; ++x) labels.u8[size_t(y * 8 + x)] = 1;
    const Image out = overlay(image, labels, voc_palette(), 0.5);
    const auto red = [&](int64_t y, int64_t x) { return int(out.u8[size_t(y * 8 + x) * 3]); };
    EXPECT_EQ(red(0, 0), 100);
    EXPECT_EQ(red(2, 2), 128);  // the outline is opaque
    EXPECT_EQ(red(3, 3), 114);  // the inside is half of each
}

// A set without a background, such as Cityscapes, whose class 0 is the road.
TEST(Palette, OverlayTintsAClassZeroThatHasAColour) {
    Image image = make_image<uint8_t>(4, 4, 3);
    Palette palette(256, 0);
    palette[0] = 0x804080;
    const Image out = overlay(image, make_image<uint8_t>(4, 4, 1), palette, 0.5);
    EXPECT_EQ(out.u8[0], 0x40);
}

}  // namespace atrous::data::test
