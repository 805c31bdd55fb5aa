// Which pixels are hard, to the pixel and on every device.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/philox.h"
#include "benchmarks/cases/run.h"
#include "engine/autograd/tape.h"
#include "engine/ops/ohem.h"
#include "kernels/gpu/runtime.h"

namespace atrous::cases {
namespace {

using Values = std::vector<double>;
constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

HardPixelOptions options(double thresh, double keep, int ignore_index = 255) { return {thresh, keep, ignore_index}; }

class HardPixels : public testing::TestWithParam<DeviceKind> {
 protected:
    void SetUp() override {
        std::string why;
        if (GetParam() == DeviceKind::gpu && gpu::device_count(&why) == 0) GTEST_SKIP() << why;
    }
    static Values mined_on(Device device, const Shape& shape, const Values& z, const Values& truth,
                           const HardPixelOptions& o) {
        const Tensor logits = tensor_of(shape, DType::f32, device, Pitch::dense, z);
        const Tensor labels = tensor_of({shape[0], shape[1], shape[2], 1}, DType::u8, device, Pitch::dense, truth);
        return values_in(hard_pixels(logits, labels, o));
    }
    Values mined(const Shape& shape, const Values& z, const Values& truth, const HardPixelOptions& o) const {
        return mined_on({GetParam()}, shape, z, truth, o);
    }
};

TEST_P(HardPixels, AreThoseBelowTheThreshold) {
    Values z;  // their exponentials add up to 1
    for (const double p : {0.6, 0.3, 0.1, 0.72, 0.08, 0.2, 0.05, 0.68, 0.27, 0.71, 0.2, 0.09}) z.push_back(std::log(p));
    EXPECT_EQ(mined({1, 2, 2, 3}, z, {0, 0, 1, 0}, options(0.7, 0.01)), (Values{0, 255, 1, 255}));
    EXPECT_EQ(mined({1, 2, 2, 3}, z, {1, 2, 1, 2}, options(0.5, 0.01)), (Values{1, 2, 255, 2}));
    EXPECT_EQ(mined({1, 2, 2, 3}, z, {0, 0, 1, 0}, options(1, 0.01)), (Values{0, 0, 1, 0}));
}

TEST_P(HardPixels, AreTheShareWhereTheThresholdHasFewer) {
    const Values z{3, -1, 2, 0.5, 4, 1}, truth{1, 1, 1, 1, 0, 0};  // of class 0 the larger logits are the harder ones
    EXPECT_EQ(mined({1, 2, 3, 1}, z, truth, options(0, 0.2)), (Values{255, 1, 255, 255, 0, 255})) << "1.2: two";
    EXPECT_EQ(mined({1, 2, 3, 1}, z, truth, options(0, 0.5)), (Values{255, 1, 255, 255, 0, 0}));
    EXPECT_EQ(mined({1, 2, 3, 1}, z, truth, options(0.65, 0.2)), (Values{255, 1, 255, 1, 0, 0})) << "more are below";
    EXPECT_EQ(mined({1, 2, 3, 1}, z, truth, options(0, 1)), truth);
}

// Thousands of odds of three values: of those that are equal the first must be kept, across tiles of a sort.
TEST_P(HardPixels, OfEqualOddsAreTheFirstOnes) {
    constexpr size_t pixels = 2 * 53 * 47;
    Values z(pixels), truth(pixels), odds(pixels);
    for (size_t i = 0; i < pixels; ++i) {
        z[i] = 0.5 * double(i * 7 % 11 % 3) - 0.5, truth[i] = double(i * i % 13 % 2);
        odds[i] = truth[i] == 1 ? -z[i] : z[i];
    }
    std::vector<size_t> order(pixels);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return odds[a] > odds[b]; });
    for (const double keep : {0.1, 0.4321, 0.9}) {
        Values expected(pixels, 255);
        for (size_t i = 0; double(i) < std::ceil(keep * double(pixels)); ++i) expected[order[i]] = truth[order[i]];
        EXPECT_EQ(mined({2, 53, 47, 1}, z, truth, options(0, keep)), expected) << keep;
    }
}

TEST_P(HardPixels, CountInTheirImagesAndAreNeverIgnoredOnes) {
    const Values z{0.3, -1, 2, 0, 1, -0.5, 0.2, 0.1, 0.4, -2, 1, 1};
    EXPECT_EQ(mined({1, 2, 2, 3}, z, {0, 255, 3, 1}, options(1, 1)), (Values{0, 255, 255, 1}));
    EXPECT_EQ(mined({1, 2, 2, 3}, z, {0, 2, 2, 1}, options(1, 1, 2)), (Values{0, 255, 255, 1}));
    EXPECT_EQ(mined({1, 2, 2, 3}, z, {255, 255, 255, 255}, options(1, 1)), Values(4, 255));
    EXPECT_EQ(mined({1, 2, 2, 1}, {1, 2, 3, 4}, {0, 255, 7, 1}, options(1, 1, -1)), (Values{0, 1, 1, 1}))
        << "of one logit every label but 0 is class 1";
    EXPECT_EQ(mined({1, 2, 2, 1}, {1, 2, 3, 4}, {0, 255, 255, 255}, options(0, 0.25)), (Values{0, 255, 255, 255}))
        << "the share is one of the pixels that count";
}

// In float q is 1 for all of the first and 0 for all of the second; their odds still differ.
TEST_P(HardPixels, AreToldApartWhereProbabilitiesRoundToOneOrZero) {
    EXPECT_EQ(mined({1, 1, 4, 1}, {40, 20, 50, 30}, {1, 1, 1, 1}, options(0, 0.5)), (Values{255, 1, 255, 1}));
    EXPECT_EQ(mined({1, 1, 4, 2}, {0, 60, 0, 80, 0, 50, 0, 70}, {0, 0, 0, 0}, options(0, 0.5)),
              (Values{255, 0, 255, 0}));
}

// The exponentials of these are beyond a float, or 0; pixels have an order all the same.
TEST_P(HardPixels, AreToldApartWhereExponentialsOverflow) {
    const Values one{90, 200, -90, -200, 300};
    EXPECT_EQ(mined({1, 1, 5, 1}, one, Values(5, 1), options(0, 0.4)), (Values{255, 255, 1, 1, 255}));
    EXPECT_EQ(mined({1, 1, 5, 1}, one, Values(5, 0), options(0, 0.4)), (Values{255, 0, 255, 255, 0}));
    EXPECT_EQ(mined({1, 1, 5, 1}, one, Values(5, 0), options(0.5, 0.01)), (Values{0, 0, 255, 255, 0}));
    EXPECT_EQ(mined({1, 1, 5, 1}, one, Values(5, 0), options(1, 0.01)), Values(5, 0)) << "no probability is 1";
    const Values two{0, 90, 0, 200, 0, -90, 0, -200, 0, 300};
    EXPECT_EQ(mined({1, 1, 5, 2}, two, Values(5, 0), options(0, 0.4)), (Values{255, 0, 255, 255, 0}));
    EXPECT_EQ(mined({1, 1, 5, 2}, two, Values(5, 1), options(0, 0.4)), (Values{255, 255, 1, 1, 255}));
    const Values three{0, 90, 91, 0, 200, -7, 0, 95, -200, 0, -90, -91};
    EXPECT_EQ(mined({1, 1, 4, 3}, three, Values(4, 0), options(0, 0.5)), (Values{255, 0, 0, 255}));
    EXPECT_EQ(mined({1, 1, 4, 3}, three, {1, 1, 1, 1}, options(0, 0.5)), (Values{1, 255, 255, 1}));
}

TEST_P(HardPixels, WithoutANumberAreTheHardest) {
    EXPECT_EQ(mined({1, 1, 3, 1}, {-5, nan, 1}, {1, 1, 1}, options(0, 0.1)), (Values{255, 1, 255}));
    const Tensor logits = tensor_of({1, 1, 3, 2}, DType::f32, {GetParam()}, Pitch::dense, {0, 9, nan, 2, 0, 8}),
                 labels = tensor_of({1, 1, 3, 1}, DType::u8, {GetParam()}, Pitch::dense, {0, 1, 1});
    EXPECT_TRUE(std::isnan(values_in(ohem(logits, labels).loss)[0])) << "so that a step notices";
}

// Cross-entropy is no number of logits that are infinity, though the class's own be it.
TEST_P(HardPixels, OfInfiniteLogitsAreTheHardest) {
    for (const auto& [z, truth] : {std::pair{infinity, 1.0}, {-infinity, 0.0}})
        EXPECT_EQ(mined({1, 1, 3, 1}, {-5, z, 5}, {1, truth, 0}, options(0, 0.1)), (Values{255, truth, 255})) << z;
    const auto only_second = [&](double own, double other) {
        return mined({1, 1, 3, 3}, {0, 9, 0, 0, own, other, 0, 8, 0}, {0, 1, 0}, options(0, 0.1))[1] == 1;
    };
    EXPECT_TRUE(only_second(infinity, 0));
    EXPECT_TRUE(only_second(-infinity, 0));
    EXPECT_TRUE(only_second(0, infinity));
    EXPECT_TRUE(only_second(0, nan));
    EXPECT_FALSE(only_second(0, -infinity)) << "a class that is ruled out";
    EXPECT_EQ(mined({1, 1, 2, 2}, {0, -infinity, 0, 1}, {0, 0}, options(1, 0.1)), (Values{255, 0}))
        << "a probability of 1 is not below it";
    const Tensor logits = tensor_of({1, 1, 2, 2}, DType::f32, {GetParam()}, Pitch::dense, {0, 2, 0, infinity}),
                 labels = tensor_of({1, 1, 2, 1}, DType::u8, {GetParam()}, Pitch::dense, {1, 1});
    EXPECT_TRUE(std::isnan(values_in(ohem(logits, labels).loss)[0])) << "so that a step notices";
}

// Many odds differ in a float's last digits alone, or not at all.
TEST_P(HardPixels, OnTheCpuAreTheReferencesToThePixel) {
    if (GetParam() == DeviceKind::gpu) GTEST_SKIP() << "odds are float there";
    const Shape shape{2, 67, 59, 5};
    Random random(4);
    Values z(size_t(shape.count())), truth(size_t(shape.count() / 5));
    for (double& v : z) v = float(1 + double(random.below(64)) * 0x1p-23);
    for (double& t : truth) t = random.chance(0.1) ? 255 : double(random.below(5));
    for (const double keep : {0.01, 0.3, 0.77})
        EXPECT_EQ(mined(shape, z, truth, options(0, keep)),
                  mined_on({DeviceKind::reference}, shape, z, truth, options(0, keep)))
            << keep;
}

TEST_P(HardPixels, OfNothingHaveNoLoss) {
    const Device device{GetParam()};
    const Tensor logits = tensor_of({1, 2, 2, 3}, DType::f32, device, Pitch::dense, Values(12, 0.7)),
                 labels = tensor_of({1, 2, 2, 1}, DType::u8, device, Pitch::dense, Values(4, 255));
    Tape tape;
    tape.watch(logits);
    const LossValue value = ohem(logits, labels);
    EXPECT_EQ(values_in(value.terms), (Values{0, 0, 0})) << "loss, its mean, hard pixels";
    tape.backward(value.loss);
    EXPECT_EQ(values_in(tape.gradient(logits)), Values(12, 0));
}

TEST_P(HardPixels, AreRefusedOfOptionsOutOfRange) {
    const Device device{GetParam()};
    const auto refused = [&](int64_t classes, const HardPixelOptions& o) {
        const Tensor logits =
            tensor_of({1, 1, 1, classes}, DType::f32, device, Pitch::dense, Values(size_t(classes), 1));
        const Tensor labels = tensor_of({1, 1, 1, 1}, DType::u8, device, Pitch::dense, {0});
        try {
            hard_pixels(logits, labels, o);
        } catch (const ShapeError& e) {
            return std::string(e.what());
        }
        return std::string("nothing");
    };
    EXPECT_EQ(refused(255, {}), "nothing");
    EXPECT_EQ(refused(256, {}), "ohem: 256 classes, expected at most 255");
    EXPECT_EQ(refused(2, options(1.5, 0.1)),
              "ohem: thresh 1.5, keep 0.1: expected a thresh from 0 to 1 and a keep above 0, up to 1");
    EXPECT_EQ(refused(2, options(0.5, 0)),
              "ohem: thresh 0.5, keep 0: expected a thresh from 0 to 1 and a keep above 0, up to 1");
}

TEST_P(HardPixels, WithClassWeightsOfAnotherLengthAreRefused) {
    const Device device{GetParam()};
    const Tensor logits = tensor_of({1, 1, 1, 3}, DType::f32, device, Pitch::dense, {1, 2, 3}),
                 labels = tensor_of({1, 1, 1, 1}, DType::u8, device, Pitch::dense, {0});
    try {
        ohem(logits, labels, {}, Tensor::full({2}, accumulator_of(DType::f32), device, 1));
        ADD_FAILURE() << "accepted";
    } catch (const ShapeError& e) {
        EXPECT_EQ(std::string(e.what()).rfind("ohem: class weights are ", 0), 0u) << e.what();
    }
}

INSTANTIATE_TEST_SUITE_P(Devices, HardPixels, testing::Values(DeviceKind::reference, DeviceKind::cpu, DeviceKind::gpu),
                         [](const auto& info) {
                             return info.param == DeviceKind::gpu ? std::string("gpu") : name_of(Device{info.param});
                         });

}  // namespace
}  // namespace atrous::cases
