// One resampling for projections and elastic deformation: known positions, and labels that follow their image.
#include "data/warp.h"

#include <cmath>
#include <iterator>

#include "data/augmentation.h"
#include "data/mask.h"
#include "fixtures.h"

namespace atrous::data::test {

namespace {

constexpr float beyond = -1000;

// An image of two floats that say where a pixel is, x and y, and labels that are a pattern: bilinear sampling keeps a
// linear function, so the warped image tells the source position of each pixel.
Example positions(int64_t h, int64_t w) {
    Example sample{make_image<float>(h, w, 2), pattern(h, w, 1)};
    for (int64_t i = 0; i < h * w; ++i) {
        sample.image.f32[size_t(2 * i)] = float(i % w);
        sample.image.f32[size_t(2 * i + 1)] = float(i / w);
    }
    sample.fill = {beyond, beyond};
    return sample;
}

// Where output pixel (x, y) of an h x w image comes from, by the definition.
std::pair<double, double> source(const Projection& p, double x, double y, int64_t h, int64_t w) {
    const double cx = x - 0.5 * double(w - 1), cy = y - 0.5 * double(h - 1);
    const double z = p[6] * cx + p[7] * cy + p[8];
    return {(p[0] * cx + p[1] * cy + p[2]) / z + 0.5 * double(w - 1),
            (p[3] * cx + p[4] * cy + p[5]) / z + 0.5 * double(h - 1)};
}

// The label of each pixel is the one nearest to the position that the image shows; what is beyond is ignored in both.
// Returns how many pixels were compared. Positions near an edge between pixels, or the image's, are left out.
int64_t compare_labels(const Example& warped, const Image& labels) {
    int64_t compared = 0;
    for (size_t i = 0; i < warped.labels.u8.size(); ++i) {
        const float x = warped.image.f32[2 * i], y = warped.image.f32[2 * i + 1];
        EXPECT_EQ(x == beyond, y == beyond);
        if (x == beyond) {
            EXPECT_EQ(warped.labels.u8[i], ignored_class);
            continue;
        }
        const auto edge = [](float v) { return std::abs(v - std::floor(v) - 0.5f) < 1e-3f; };
        if (edge(x) || edge(y) || x < 0.6f || y < 0.6f || x > float(labels.w) - 1.6f || y > float(labels.h) - 1.6f)
            continue;
        const auto nearest = size_t(std::lround(y) * labels.w + std::lround(x));
        EXPECT_EQ(warped.labels.u8[i], labels.u8[nearest]) << i;
        ++compared;
    }
    return compared;
}

}  // namespace

TEST(Warp, OfNothingChangesNothing) {
    Image deep = make_image<uint16_t>(5, 8, 1), real = make_image<float>(5, 8, 2);
    for (size_t i = 0; i < deep.u16.size(); ++i) deep.u16[i] = uint16_t(i * 1601);
    for (size_t i = 0; i < real.f32.size(); ++i) real.f32[i] = float(i) - 7.25f;
    for (const Image& image : {pattern(5, 8, 3), deep, real})
        for (const Border border : {Border::mirror, Border::ignore}) {
            Example sample{image, pattern(5, 8, 1)};
            warp(sample, {identity_projection, {}, border});
            EXPECT_EQ(sample.image.u8, image.u8);
            EXPECT_EQ(sample.image.u16, image.u16);
            EXPECT_EQ(sample.image.f32, image.f32);
            EXPECT_EQ(sample.labels.u8, pattern(5, 8, 1).u8);
        }
    Example unlabelled{pattern(5, 8, 3), {}};
    warp(unlabelled, {});
    EXPECT_EQ(unlabelled.labels.h, 0);
}

TEST(Warp, AShiftMovesPixelsAndIgnoresWhatItExposes) {
    const Image image = pattern(4, 5, 1);
    Example sample{image, image};
    sample.fill = {77};
    warp(sample, {shift_of(2, -1), {}, Border::ignore});
    for (int64_t y = 0; y < 4; ++y)
        for (int64_t x = 0; x < 5; ++x) {
            const auto at = size_t(y * 5 + x);
            const bool exposed = x < 2 || y == 3;
            EXPECT_EQ(sample.image.u8[at], exposed ? 77 : image.u8[size_t((y + 1) * 5 + x - 2)]) << x << ' ' << y;
            EXPECT_EQ(sample.labels.u8[at], exposed ? ignored_class : image.u8[size_t((y + 1) * 5 + x - 2)]);
        }
    Example mirrored{image, image};
    warp(mirrored, {shift_of(2, 0), {}, Border::mirror});
    EXPECT_EQ(mirrored.image.u8[0], image.u8[2]);
    EXPECT_EQ(mirrored.labels.u8[1], image.u8[1]);
}

TEST(Warp, RotatesAsRotateDoes) {
    const Image image = pattern(9, 14, 3), labels = pattern(9, 14, 1);
    for (const double degrees : {90.0, 17.0, -133.0}) {
        Example sample{image, labels};
        warp(sample, {rotation_of(degrees), {}, Border::mirror});
        const Image rotated = rotate(image, degrees, Sampling::bilinear);
        for (size_t i = 0; i < rotated.u8.size(); ++i)  // floats in place of doubles may round to the neighbour
            ASSERT_NEAR(sample.image.u8[i], rotated.u8[i], 1) << degrees << ' ' << i;
        if (degrees == 90) continue;  // halves of pixels are rounded to either side
        EXPECT_EQ(sample.labels.u8, rotate(labels, degrees, Sampling::nearest).u8) << degrees;
    }
}

TEST(Warp, APerspectiveMapsTheCornersToTheirPlaces) {
    const std::array<double, 8> corners{0.1, 0.05, -0.15, 0.2, 0.03, -0.08, -0.02, 0.11};
    const int64_t h = 30, w = 50;
    const Projection p = perspective_of(corners, h, w);
    const double edges[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
    for (size_t i = 0; i < 4; ++i) {  // a corner lies half a pixel beyond the outermost centres
        const auto [x, y] = source(p, edges[i][0] * double(w) - 0.5, edges[i][1] * double(h) - 0.5, h, w);
        EXPECT_NEAR(x + 0.5, (edges[i][0] + corners[2 * i]) * double(w), 1e-9);
        EXPECT_NEAR(y + 0.5, (edges[i][1] + corners[2 * i + 1]) * double(h), 1e-9);
    }
    const Projection none = perspective_of({}, h, w);
    for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(none[i], identity_projection[i], 1e-12);
}

TEST(Warp, PixelsComeFromWhereTheProjectionSays) {
    const int64_t h = 40, w = 60;
    const Projection p = rotation_of(12) * shear_of(7) *
                         perspective_of({0.1, 0.05, -0.1, 0.02, 0.03, -0.08, -0.02, 0.1}, h, w) * shift_of(3.3, -2.1);
    const Example before = positions(h, w);
    Example sample = before;
    warp(sample, {p, {}, Border::ignore});
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x) {
            const auto [sx, sy] = source(p, double(x), double(y), h, w);
            const auto at = size_t(2 * (y * w + x));
            if (sx < 0 || sy < 0 || sx > double(w - 1) || sy > double(h - 1)) continue;
            ASSERT_NEAR(sample.image.f32[at], sx, 1e-4);
            ASSERT_NEAR(sample.image.f32[at + 1], sy, 1e-4);
        }
    EXPECT_GT(compare_labels(sample, before.labels), h * w / 2);
}

// What lies beyond the horizon is nowhere in the source, so nothing can be mirrored there.
TEST(Warp, BeyondTheHorizonAllIsIgnored) {
    const Image image = pattern(6, 9, 1);
    for (const Border border : {Border::mirror, Border::ignore}) {
        Example sample{image, make_image<uint8_t>(6, 9, 1)};
        sample.fill = {77};
        warp(sample, {{1, 0, 0, 0, 1, 0, 0.5, 0, 1}, {}, border});  // 1 + x / 2 is 0 two columns left of the centre
        for (size_t i = 0; i < 6 * 9; ++i) {
            if (i % 9 <= 2) {
                EXPECT_EQ(sample.image.u8[i], 77) << i;
                EXPECT_EQ(sample.labels.u8[i], ignored_class) << i;
            } else if (i % 9 >= 4 && border == Border::mirror) {
                EXPECT_EQ(sample.labels.u8[i], 0) << i;
            }
        }
    }
}

TEST(Warp, ElasticDeformationIsSmoothAndDoesNotFold) {
    const int64_t h = 60, w = 90, cells = 4;
    double largest = 0;
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Random random(seed);
        const Example before = positions(h, w);
        Example sample = before;
        Warp how;
        how.border = Border::ignore;
        how.elastic = ElasticGrid(h, w, cells, 1, random);
        warp(sample, how);
        EXPECT_GT(compare_labels(sample, before.labels), h * w / 2);
        const auto& at = sample.image.f32;
        for (int64_t y = 1; y < h; ++y)
            for (int64_t x = 1; x < w; ++x) {
                const auto here = size_t(2 * (y * w + x)), left = here - 2, above = here - size_t(2 * w);
                if (at[here] == beyond || at[left] == beyond || at[above] == beyond) continue;
                if (std::min({at[here], at[left], at[above], at[here + 1], at[left + 1], at[above + 1]}) < 0.6f)
                    continue;
                if (at[here] > float(w) - 1.6f || at[here + 1] > float(h) - 1.6f) continue;
                // The determinant of the map's derivative, from differences: above 0 where nothing folds.
                const double dx_x = at[here] - at[left], dx_y = at[here + 1] - at[left + 1];
                const double dy_x = at[here] - at[above], dy_y = at[here + 1] - at[above + 1];
                ASSERT_GT(dx_x * dy_y - dx_y * dy_x, 0) << seed;
                const double moved = std::max(std::abs(at[here] - float(x)), std::abs(at[here + 1] - float(y)));
                ASSERT_LE(moved, double(h) / cells / 4 + 1e-4);
                largest = std::max(largest, moved);
            }
    }
    EXPECT_GT(largest, 1) << "something moves";
    Random random(1);
    EXPECT_TRUE(ElasticGrid(h, w, cells, 1, random).moves());
    EXPECT_FALSE(ElasticGrid().moves());
}

// As a training draws it: all that the settings can, image and labels together.
TEST(Warp, TheAugmentationMovesImageAndLabelsTogether) {
    const Augmentations all{{"rotate", "30"},       {"shift", "0.1"},   {"shear", "15"},
                            {"perspective", "0.1"}, {"elastic", "0.8"}, {"rotate-border", "ignore"}};
    const Augmentation* projective = nullptr;
    for (const Augmentation* a : all.all())
        if (a->active()) projective = a;
    ASSERT_TRUE(projective);
    const Example before = positions(48, 64);
    int64_t exposed = 0;
    for (uint64_t i = 0; i < 10; ++i) {
        Example sample = before;
        Random random(3, 0, i, projective->stream);
        projective->apply(sample, random);
        EXPECT_GT(compare_labels(sample, before.labels), 500);
        EXPECT_NE(sample.image.f32, before.image.f32);
        exposed += std::count(sample.image.f32.begin(), sample.image.f32.end(), beyond);
    }
    EXPECT_GT(exposed, 0);
}

// A training that rotates alone keeps the bits that it had, and its form for devices.
TEST(Warp, ARotationAloneIsThatOfTheDevice) {
    const auto first = [](const Augmentations& all) {
        for (const Augmentation* a : all.all())
            if (a->active()) return a->copy();
        throw Error("none is active");
    };
    const auto alone = first({{"rotate", "30"}});
    EXPECT_TRUE(alone->has_plan());
    Example sample{pattern(20, 30, 3), pattern(20, 30, 1)};
    Random random(4), same(4);
    alone->apply(sample, random);
    const double angle = same.uniform(-30, 30);
    EXPECT_EQ(sample.image.u8, rotate(pattern(20, 30, 3), angle, Sampling::bilinear).u8);
    EXPECT_EQ(sample.labels.u8, rotate(pattern(20, 30, 1), angle, Sampling::nearest).u8);
    EXPECT_EQ(without_plan({{"rotate", "30"}}), "");
    EXPECT_EQ(without_plan({{"rotate", "30"}, {"rotate-border", "ignore"}}), "rotate-border");
    EXPECT_EQ(without_plan({{"rotate-border", "ignore"}}), "") << "nothing rotates";
    for (const char* key : {"shift", "shear", "perspective", "elastic"})
        EXPECT_EQ(without_plan({{"rotate", "30"}, {key, "0.1"}}), key);
}

}  // namespace atrous::data::test
