// The boundary loss by hand, on every device: distances of single rows, classes without a contour, pixels that are ignored.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "benchmarks/cases/run.h"
#include "engine/autograd/tape.h"
#include "engine/ops/boundary.h"
#include "kernels/gpu/runtime.h"

namespace atrous::cases {
namespace {

using Values = std::vector<double>;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

class BoundaryTest : public testing::TestWithParam<DeviceKind> {
 protected:
    void SetUp() override {
        std::string why;
        if (GetParam() == DeviceKind::gpu && gpu::device_count(&why) == 0) GTEST_SKIP() << why;
    }
    struct Result {
        Values terms, gradient;
    };
    Result of(const Shape& shape, const Values& z, const Values& truth, const BoundaryOptions& o = {}) const {
        const Device device{GetParam()};
        const Tensor logits = tensor_of(shape, DType::f32, device, Pitch::dense, z);
        const Tensor labels = tensor_of({shape[0], shape[1], shape[2], 1}, DType::u8, device, Pitch::dense, truth);
        Tape tape;
        tape.watch(logits);
        const LossValue value = boundary(logits, labels, o);
        tape.backward(value.loss);
        return {values_in(value.terms), values_in(tape.gradient(logits))};
    }
    // Of a net that says 0 everywhere: a pixel's slope is a quarter of its distance over the pixels that count.
    void expect_distances(const Shape& shape, const Values& truth, const Values& distances) const {
        double counted = 0, sum = 0;
        for (size_t i = 0; i < truth.size(); ++i) counted += truth[i] != 255, sum += distances[i];
        const Result found = of(shape, Values(truth.size(), 0), truth);
        EXPECT_NEAR(found.terms[1], 0.5 * sum / counted, 1e-6 * std::max(1.0, sum / counted));
        EXPECT_EQ(found.terms[2], counted);
        for (size_t i = 0; i < truth.size(); ++i)  // a few roundings of a float
            EXPECT_NEAR(found.gradient[i], 0.25 * distances[i] / counted, 1e-6) << "pixel " << i;
    }
};

TEST_P(BoundaryTest, DistancesAreNegativeInsideAndZeroAlongTheContour) {
    expect_distances({1, 1, 7, 1}, {0, 0, 1, 1, 1, 0, 0}, {2, 1, 0, -1, 0, 1, 2});
    expect_distances({1, 7, 1, 1}, {0, 0, 1, 1, 1, 0, 0}, {2, 1, 0, -1, 0, 1, 2});
    expect_distances({1, 1, 5, 1}, {1, 1, 1, 1, 0}, {-3, -2, -1, 0, 1});
    const double diagonal = std::sqrt(2.0), knight = std::sqrt(5.0);
    expect_distances({1, 3, 3, 1}, {1, 0, 0, 0, 0, 0, 0, 0, 0},
                     {0, 1, 2, 1, diagonal, knight, 2, knight, 2 * diagonal});
}

TEST_P(BoundaryTest, ImagesHaveTheirOwnContours) {
    expect_distances({2, 1, 3, 1}, {1, 0, 0, 0, 0, 1}, {0, 1, 2, 2, 1, 0});
}

// Of the longest side that there may be; the reference, whose time grows with its square, takes a shorter one.
TEST_P(BoundaryTest, DistancesReachFromEndToEnd) {
    const int64_t side = GetParam() == DeviceKind::reference ? 2048 : kernels::longest_boundary_side;
    Values truth(size_t(side), 0), distances(size_t(side), 0);
    truth.front() = 1;
    for (int64_t i = 1; i < side; ++i) distances[i] = double(i);
    for (const Shape& shape : {Shape{1, 1, side, 1}, Shape{1, side, 1, 1}}) {
        expect_distances(shape, truth, distances);
        std::reverse(truth.begin(), truth.end()), std::reverse(distances.begin(), distances.end());
    }
}

// More columns than a block has: the only pixel of its class is in the last one.
TEST_P(BoundaryTest, AClassIsFoundWhereverItLies) {
    constexpr int64_t h = 3, w = 600, pixels = 2 * h * w, place = h * w + w + 599;
    Values truth(pixels, 0);
    truth[place] = 2;
    const Result found = of({2, h, w, 3}, Values(3 * pixels, 0), truth);
    double sum = 0;
    for (int64_t i = 0; i < pixels; ++i) {
        const double distance = i < h * w || i == place ? 0 : std::hypot(double(i / w - h) - 1, double(i % w - 599)),
                     slope = distance / 3 / (pixels * 2);  // p * distance over pixels and the classes 1 and 2
        sum += slope;
        EXPECT_NEAR(found.gradient[3 * i + 2], slope * 2 / 3, 1e-8) << "pixel " << i;
        EXPECT_NEAR(found.gradient[3 * i + 1], -slope / 3, 1e-8) << "pixel " << i;
    }
    EXPECT_NEAR(found.terms[1], sum, 1e-6 * sum);
    EXPECT_EQ(found.terms[2], pixels);
}

TEST_P(BoundaryTest, AClassWithoutAContourHasNoDistances) {
    expect_distances({2, 1, 3, 1}, {0, 0, 0, 0, 1, 0}, {0, 0, 0, 1, 0, 1});
    expect_distances({2, 1, 3, 1}, {0, 1, 0, 1, 1, 1}, {1, 0, 1, 0, 0, 0});
    // Of three classes the second occurs; the third does not, and the first is not asked for.
    const Result found = of({1, 1, 2, 3}, Values(6, 0), {0, 1});
    EXPECT_NEAR(found.terms[0], 1.0 / 3 / 4, 1e-7) << "p * (1 + 0) over 2 pixels and 2 classes";
}

TEST_P(BoundaryTest, IgnoredPixelsBelongToNoClass) {
    expect_distances({1, 1, 6, 1}, {0, 255, 1, 1, 255, 0}, {2, 0, -1, -1, 0, 2});
    expect_distances({1, 1, 4, 1}, {255, 1, 1, 255}, {0, 0, 0, 0});
    const Result found = of({1, 1, 3, 2}, {0.5, 1, nan, nan, 1, 2}, {0, 255, 1});
    EXPECT_TRUE(std::isfinite(found.terms[0])) << "whatever its logits";
    EXPECT_EQ(Values(found.gradient.begin() + 2, found.gradient.begin() + 4), (Values{0, 0}));
    EXPECT_TRUE(std::isnan(of({1, 1, 3, 2}, {0.5, 1, nan, nan, 1, 2}, {0, 1, 1}).terms[0]));
}

TEST_P(BoundaryTest, OfNothingIsZero) {
    for (const int64_t classes : {1, 3}) {
        const Result found = of({1, 2, 2, classes}, Values(size_t(4 * classes), 0.7), Values(4, 255));
        EXPECT_EQ(found.terms, (Values{0, 0, 0}));
        EXPECT_EQ(found.gradient, Values(size_t(4 * classes), 0));
    }
}

TEST_P(BoundaryTest, SaturatedLogitsHaveSmallSlopesAndNoNan) {
    const Result found = of({1, 1, 3, 1}, {100, -100, 30}, {0, 1, 0});
    EXPECT_NEAR(found.terms[0], 2.0 / 3, 1e-6);
    // 1 - p would be 0 in float.
    EXPECT_NEAR(found.gradient[2], std::exp(-30.0) / 3, 1e-5 * std::exp(-30.0));
}

TEST_P(BoundaryTest, LongImagesAreRefused) {
    const Device device{GetParam()};
    const Tensor logits = Tensor::full({1, 1, 32768, 1}, DType::f32, device, 0),
                 labels = Tensor::full({1, 1, 32768, 1}, DType::u8, device, 0);
    try {
        boundary(logits, labels);
        ADD_FAILURE() << "accepted";
    } catch (const ShapeError& e) {
        EXPECT_STREQ(e.what(), "boundary: images of 32768x1, expected at most 32767 pixels a side; take crops");
    }
}

INSTANTIATE_TEST_SUITE_P(Devices, BoundaryTest,
                         testing::Values(DeviceKind::reference, DeviceKind::cpu, DeviceKind::gpu),
                         [](const auto& info) {
                             return info.param == DeviceKind::gpu ? std::string("gpu") : name_of(Device{info.param});
                         });

}  // namespace
}  // namespace atrous::cases
