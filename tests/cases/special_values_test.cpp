// What ops promise about NaN, infinities, ties and empty sums, on every device.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "benchmarks/cases/run.h"
#include "engine/autograd/tape.h"
#include "engine/ops/activation.h"
#include "engine/ops/loss.h"
#include "engine/ops/lovasz.h"
#include "engine/ops/metrics.h"
#include "engine/ops/norm.h"
#include "engine/ops/pool.h"
#include "engine/ops/resize.h"
#include "kernels/gpu/runtime.h"

namespace atrous::cases {
namespace {

using Values = std::vector<double>;
constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

class SpecialValues : public testing::TestWithParam<DeviceKind> {
 protected:
    void SetUp() override {
        std::string why;
        if (GetParam() == DeviceKind::gpu && gpu::device_count(&why) == 0) GTEST_SKIP() << why;
    }
    Device device() const { return {GetParam()}; }
    Tensor reals(const Shape& shape, const Values& values) const {
        return tensor_of(shape, DType::f32, device(), Pitch::dense, values);
    }
    Tensor labels(const Shape& shape, const Values& values) const {
        return tensor_of(shape, DType::u8, device(), Pitch::dense, values);
    }
    struct Lovasz {
        Values terms, gradient;
    };
    Lovasz lovasz_of(const Shape& shape, const Values& z, const Values& truth, const LovaszOptions& o = {}) const {
        const Tensor logits = reals(shape, z);
        Tape tape;
        tape.watch(logits);
        const LossValue value = lovasz(logits, labels({shape[0], shape[1], shape[2], 1}, truth), o);
        tape.backward(value.loss);
        return {values_in(value.terms), values_in(tape.gradient(logits))};
    }
    Values confusion(const Tensor& logits, const Tensor& truth, int classes) const {
        Tensor counts =
            tensor_of({classes * classes}, DType::i64, device(), Pitch::dense, Values(size_t(classes * classes), 0));
        count_confusion(logits, truth, counts);
        return values_in(counts);
    }
};

TEST_P(SpecialValues, ReluKeepsNan) {
    const Values y = values_in(relu(reals({1, 1, 1, 5}, {nan, -1, -0.0, infinity, -infinity})));
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_EQ(Values(y.begin() + 1, y.end()), (Values{0, 0, infinity, 0}));
}

TEST_P(SpecialValues, ReluPassesNothingAtZero) {
    const Tensor x = reals({1, 1, 1, 3}, {0, 1e-30, -1e-30});
    Tape tape;
    tape.watch(x);
    tape.backward(relu(x), reals({1, 1, 1, 3}, {1, 1, 1}));
    EXPECT_EQ(values_in(tape.gradient(x)), (Values{0, 1, 0}));
}

TEST_P(SpecialValues, SigmoidSaturatesWithoutNan) {
    const Values y = values_in(sigmoid(reals({1, 1, 1, 5}, {200, -200, infinity, -infinity, 0}))),
                 expected{1, 0, 1, 0, 0.5};
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 1e-37) << i;
}

TEST_P(SpecialValues, NanWinsAMaximumAndGetsItsGradient) {
    const Tensor x = reals({1, 2, 4, 1}, {1, nan, 5, 5, 7, 2, 5, 5});
    Tape tape;
    tape.watch(x);
    const Tensor y = max_pool(x);
    EXPECT_TRUE(std::isnan(values_in(y)[0]));
    EXPECT_EQ(values_in(y)[1], 5);
    tape.backward(y, reals({1, 1, 2, 1}, {3, 4}));
    EXPECT_EQ(values_in(tape.gradient(x)), (Values{0, 3, 4, 0, 0, 0, 0, 0}))
        << "of equal values the first in the window";
}

TEST_P(SpecialValues, PaddingNeverWinsAMaximum) {
    const Values lowest(9, -3e38);
    const Tensor y = max_pool(reals({1, 3, 3, 1}, lowest), {.kernel = 3, .stride = 2, .padding = 1});
    EXPECT_EQ(values_in(y), Values(4, double(-3e38f)));
    EXPECT_EQ(values_in(max_pool(reals({1, 1, 1, 1}, {-infinity}), {.kernel = 3, .stride = 1, .padding = 1})),
              Values{-infinity});
}

TEST_P(SpecialValues, LossOfNothingIsZero) {
    for (int64_t classes : {1, 3}) {
        const Tensor logits = reals({1, 2, 2, classes}, Values(size_t(4 * classes), 0.7));
        Tape tape;
        tape.watch(logits);
        const LossValue value = bce_dice(logits, labels({1, 2, 2, 1}, {255, 255, 255, 255}), {.smooth = 0});
        EXPECT_EQ(values_in(value.terms), (Values{0, 0, 1, 0})) << "loss, bce, dice, counted elements";
        tape.backward(value.loss);
        EXPECT_EQ(values_in(tape.gradient(logits)), Values(size_t(4 * classes), 0));
    }
}

TEST_P(SpecialValues, LossStaysFiniteAtLargeLogits) {
    const Tensor logits = reals({1, 1, 4, 1}, {100, -100, 100, -100});
    Tape tape;
    tape.watch(logits);
    const LossValue value = bce_dice(logits, labels({1, 1, 4, 1}, {1, 0, 0, 1}), {.dice_weight = 0});
    EXPECT_FLOAT_EQ(float(values_in(value.loss)[0]), 50);
    tape.backward(value.loss);
    const Values expected{0, 0, 0.25, -0.25}, found = values_in(tape.gradient(logits));
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(found[i], expected[i], 1e-6) << i;
}

TEST_P(SpecialValues, NanInLogitsReachesTheLoss) {
    EXPECT_TRUE(std::isnan(values_in(bce_dice(reals({1, 1, 2, 1}, {nan, 1}), labels({1, 1, 2, 1}, {1, 0})).loss)[0]));
    const Values ignored = values_in(bce_dice(reals({1, 1, 2, 1}, {nan, 0}), labels({1, 1, 2, 1}, {255, 1})).loss);
    EXPECT_TRUE(std::isfinite(ignored[0])) << "an ignored pixel does not count, whatever its logit";
}

TEST_P(SpecialValues, LovaszSortsNanAsTheLargestError) {
    const Lovasz hinge = lovasz_of({1, 1, 3, 1}, {0, nan, 1}, {0, 1, 1});
    EXPECT_TRUE(std::isnan(hinge.terms[0]));
    // The Jaccard loss grows to 1/2 with the NaN and to 2/3 with the error 1; the last error is 0.
    const Values expected{1.0 / 6, -0.5, 0};
    for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(hinge.gradient[i], expected[i], 1e-7) << i;
    EXPECT_TRUE(std::isnan(lovasz_of({1, 1, 3, 2}, {0, 1, nan, 2, 1, 0}, {0, 1, 1}).terms[0]));
    EXPECT_TRUE(std::isfinite(lovasz_of({1, 1, 3, 1}, {0, nan, 1}, {0, 255, 1}).terms[0]))
        << "an ignored pixel does not count, whatever its logit";
}

// Thousands of errors of three values: those that are equal must stay as their pixels lie, across tiles of a sort.
TEST_P(SpecialValues, LovaszTakesEqualErrorsInTheOrderOfPixels) {
    constexpr size_t pixels = 71 * 70;
    Values z(pixels), truth(pixels), errors(pixels), expected(pixels);
    for (size_t i = 0; i < pixels; ++i) {
        z[i] = 0.5 * double(i * 7 % 11 % 3) - 0.5, truth[i] = double(i * i % 13 % 2);
        errors[i] = 1 - (truth[i] == 1 ? z[i] : -z[i]);
    }
    std::vector<size_t> order(pixels);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return errors[a] > errors[b]; });
    double rest = std::accumulate(truth.begin(), truth.end(), 0.0), together = rest;
    for (size_t i : order) {
        expected[i] = truth[i] == 1 ? -1 / together : rest / (together * (together + 1));
        truth[i] == 1 ? --rest : ++together;
    }
    const Lovasz found = lovasz_of({1, 71, 70, 1}, z, truth);
    // A few roundings of a float; a neighbour's rank changes a slope by 1e-4 of it.
    for (size_t i = 0; i < pixels; ++i) ASSERT_NEAR(found.gradient[i], expected[i], 1e-6 * std::fabs(expected[i])) << i;
}

TEST_P(SpecialValues, LovaszOfAnIgnoredImageIsZeroInTheMean) {
    for (int64_t classes : {1, 3})
        for (LovaszClasses averaged : {LovaszClasses::present, LovaszClasses::all}) {
            Values z(size_t(8 * classes));
            for (size_t i = 0; i < z.size(); ++i) z[i] = 0.1 * double(i * 5 % 17) - 0.7;
            const Values second(z.begin() + int64_t(z.size()) / 2, z.end());
            const LovaszOptions o{.classes = averaged, .per_image = true};
            const Lovasz both = lovasz_of({2, 2, 2, classes}, z, {255, 255, 255, 255, 0, 1, 1, 0}, o),
                         one = lovasz_of({1, 2, 2, classes}, second, {0, 1, 1, 0}, o);
            EXPECT_GT(one.terms[0], 0.1);
            EXPECT_NEAR(both.terms[0], 0.5 * one.terms[0], 1e-6);
            EXPECT_EQ(both.terms[2], 4);
            for (size_t i = 0; i < z.size(); ++i)
                EXPECT_NEAR(both.gradient[i], i < second.size() ? 0 : 0.5 * one.gradient[i - second.size()], 1e-7) << i;
        }
}

TEST_P(SpecialValues, LovaszIgnoresLabelsBeyondTheClasses) {
    const Values z{0.3, -1, 2, 0, 1, -0.5, 0.2, 0.1, 0.4, -2, 1, 1};
    for (double label : {3, 7}) {
        const Lovasz beyond = lovasz_of({1, 2, 2, 3}, z, {0, label, 2, 1}),
                     ignored = lovasz_of({1, 2, 2, 3}, z, {0, 255, 2, 1});
        EXPECT_EQ(beyond.terms, ignored.terms);
        EXPECT_EQ(beyond.gradient, ignored.gradient);
        EXPECT_EQ(beyond.terms[2], 3);
    }
}

TEST_P(SpecialValues, NanPredictsNothing) {
    EXPECT_EQ(confusion(reals({1, 1, 3, 1}, {nan, 1, 0}), labels({1, 1, 3, 1}, {1, 1, 0}), 2), (Values{1, 0, 1, 1}));
    EXPECT_EQ(confusion(reals({1, 1, 3, 3}, {nan, 1, 2, nan, nan, nan, 4, 4, 1}), labels({1, 1, 3, 1}, {2, 1, 1}), 3),
              (Values{0, 0, 0, 2, 0, 0, 0, 0, 1}));
}

TEST_P(SpecialValues, ConstantChannelsNormalizeToBeta) {
    const auto vector = [&](double v) { return reals({8}, Values(8, v)); };
    const Tensor mean = vector(0), variance = vector(1);
    const Values y =
        values_in(batch_norm(reals({2, 3, 3, 8}, Values(144, 5)), {vector(2), vector(0.25), mean, variance, {}}, {}));
    EXPECT_EQ(y, Values(144, 0.25));
    for (double v : values_in(variance)) EXPECT_FLOAT_EQ(float(v), 0.9f);
    for (double m : values_in(mean)) EXPECT_FLOAT_EQ(float(m), 0.5f);
}

TEST_P(SpecialValues, OneValuePerChannelIsRefusedInTraining) {
    const Tensor v = reals({8}, Values(8, 1)), x = reals({1, 1, 1, 8}, Values(8, 1));
    const ModuleScope scope("aspp.pool");
    try {
        batch_norm(x, {v, v, v, v, {}}, {});
        ADD_FAILURE() << "accepted";
    } catch (const ShapeError& e) {
        EXPECT_NE(std::string(e.what()).find("aspp.pool"), std::string::npos) << e.what();
    }
}

TEST_P(SpecialValues, InterpolationKeepsWhatIsConstant) {
    for (bool aligned : {false, true}) {
        const Values y = values_in(bilinear(reals({1, 3, 5, 8}, Values(120, 0.75)), 17, 11, aligned));
        for (double v : y) ASSERT_NEAR(v, 0.75, 2.5e-7);  // weights that are rounded to float
    }
}

INSTANTIATE_TEST_SUITE_P(Devices, SpecialValues,
                         testing::Values(DeviceKind::reference, DeviceKind::cpu, DeviceKind::gpu),
                         [](const auto& info) {
                             return info.param == DeviceKind::gpu ? std::string("gpu") : name_of(Device{info.param});
                         });

}  // namespace
}  // namespace atrous::cases
