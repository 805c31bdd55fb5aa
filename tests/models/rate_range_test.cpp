// The range test: which rates it takes, where it ends, what it suggests, and that it is the training's own steps.
#include "engine/train/rate_range_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/context.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

namespace atrous {
namespace {

// Smoothed losses that begin at 1, fall by `slope` a step from step 20 on, and rise from step 60 on.
RangeTest drawn(double slope) {
    RangeTest test;
    RangeTestOptions range;
    test.steps = range.steps;
    double smoothed = 1;
    for (int64_t step = 1; step <= range.steps; ++step) {
        if (step > 20 && step <= 60) smoothed -= slope * (step == 40 ? 3 : 1);
        if (step > 60) smoothed += 0.1;
        test.points.push_back({step, rate_of(range, step), smoothed, smoothed});
    }
    return test;
}

TEST(RangeTestOptions, RatesRiseExponentially) {
    const RangeTestOptions o{.lowest = 1e-6, .highest = 1, .steps = 61};
    EXPECT_DOUBLE_EQ(rate_of(o, 1), 1e-6);
    EXPECT_NEAR(rate_of(o, 11) / rate_of(o, 1), 10, 1e-9);
    EXPECT_NEAR(rate_of(o, 61), 1, 1e-12);
    EXPECT_THROW(check(RangeTestOptions{.lowest = 1, .highest = 1e-3}), UsageError);
}

TEST(RangeTest, SuggestsTheSteepestFallAndTheLowest) {
    const RangeTest test = drawn(0.01);
    ASSERT_TRUE(test.steepest() && test.lowest());
    EXPECT_NEAR(double(test.points[*test.steepest()].step), 40, 3) << "slopes reach three steps to either side";
    EXPECT_EQ(test.points[*test.lowest()].step, 60);
}

TEST(RangeTest, SuggestsNothingWhereTheLossNeverFallsOrTheStepsAreFew) {
    EXPECT_FALSE(drawn(0).steepest());
    RangeTest few = drawn(0.01);
    few.points.resize(17);
    EXPECT_FALSE(few.steepest());
    EXPECT_FALSE(RangeTest().steepest());
    EXPECT_FALSE(RangeTest().lowest());
}

// Gradient descent on λ w² / 2: the loss is multiplied by (1 - rate λ)² a step. Of rates that rise by a factor r it falls most at
// log(r) / (2 λ) by the rate's logarithm (where d/dt of rate exp(-2 λ rate / log r) is 0), and beyond 2 / λ it rises.
TEST(RangeTest, SuggestsTheRatesThatAreKnownOfAQuadraticLoss) {
    for (const int64_t steps : {60, 100, 300}) {
        const RangeTestOptions range{.lowest = 1e-5, .highest = 10, .steps = steps};
        const double curvature = 3, r = rate_of(range, 2) / rate_of(range, 1);
        const double steepest = std::log(r) / (2 * curvature), highest = 2 / curvature;
        RangeTest test;
        test.steps = steps;
        double loss = 1;
        for (int64_t step = 1; step <= steps && loss < 4; ++step) {
            const double rate = rate_of(range, step), noise = double(step * 7919 % 23) / 22 - 0.5;
            test.points.push_back({step, rate, 0.1 + loss * (1 + 0.2 * noise), 0});
            loss *= (1 - rate * curvature) * (1 - rate * curvature);
        }
        test.diverged = int64_t(test.points.size()) < steps;
        smooth(test);
        ASSERT_TRUE(test.steepest() && test.lowest());
        const double found = test.points[*test.steepest()].rate, low = test.points[*test.lowest()].rate;
        EXPECT_GT(found, steepest / 1.6) << steps;
        EXPECT_LT(found, steepest * 1.6) << steps;
        EXPECT_GT(low, highest / 10) << steps;
        EXPECT_LT(low, 1.5 * highest) << "a loss that rises from nearly 0 shows above the noise some steps later";
    }
}

// A loss that falls by half and stays there, but for noise: nothing says that the last of these rates are better than the first,
// so that over many seeds the lowest is in the middle of them, and the steepest in the fall.
TEST(RangeTest, DoesNotPreferTheLastStepsOfALossThatStays) {
    const int seeds = 40;
    double mean_place = 0;
    for (uint32_t seed = 1; seed <= seeds; ++seed) {
        const RangeTestOptions range;
        RangeTest test;
        test.steps = range.steps;
        uint32_t state = seed;
        for (int64_t step = 1; step <= range.steps; ++step) {
            state = state * 1664525 + 1013904223;
            const double fall = std::clamp(double(step - 20) / 20, 0., 1.), noise = double(state >> 8) / 0x1p24 - 0.5;
            test.points.push_back({step, rate_of(range, step), 1 - 0.5 * fall + 0.2 * noise, 0});
        }
        smooth(test);
        ASSERT_TRUE(test.steepest() && test.lowest());
        mean_place += double(test.points[*test.lowest()].step) / seeds;
        EXPECT_LT(test.points[*test.lowest()].step, 91) << "a mean of few losses";
        EXPECT_NEAR(double(test.points[*test.steepest()].step), 30, 15) << "seed " << seed;
    }
    EXPECT_NEAR(mean_place, 70, 10) << "losses stay from step 40 on";
}

// The most steps that there are. One by one the sums would take minutes.
TEST(RangeTest, AMillionLossesAreSmoothedAsAFewAre) {
    RangeTest test;
    test.steps = 1'000'000;
    for (int64_t step = 1; step <= test.steps; ++step)
        test.points.push_back({step, 1, 1 + 0.5 * double(step * 7919 % 23) / 22, 0});
    smooth(test);
    for (const int64_t i :
         {int64_t{0}, int64_t{1}, int64_t{77}, int64_t{300'000}, int64_t{999'900}, int64_t{999'999}}) {
        const int64_t m = std::min({int64_t{100'000}, i, test.steps - 1 - i});
        double sum = 0;
        for (int64_t k = i - m; k <= i + m; ++k) sum += double(m + 1 - std::abs(k - i)) * test.points[size_t(k)].loss;
        EXPECT_NEAR(test.points[size_t(i)].smoothed, sum / (double(m + 1) * double(m + 1)), 1e-7) << i;
    }
}

struct Rig {
    UNet net{{.base_channels = 4, .depth = 2}};
    std::unique_ptr<Optimizer> optimizer;
    Rectangles source{20, 4, 16, 5};
    TrainerOptions options;
    explicit Rig(DeviceKind device = DeviceKind::cpu, DType compute = DType::f32) {
        net.materialize({.device = {device}, .compute = compute, .seed = 3});
        OptimizerOptions o;
        o.dynamic_loss_scale = compute == DType::f16;
        if (o.dynamic_loss_scale) o.initial_loss_scale = 0x1p24f;
        o.halt_at_nonfinite = !o.dynamic_loss_scale;
        optimizer = std::make_unique<Optimizer>(net, o);
        options.compute = compute;
    }
    RangeTest run(const RangeTestOptions& range) {
        return test_rates(net, *optimizer, source, options, range, [](int64_t) { return true; });
    }
};

struct Losses : TrainObserver {
    std::vector<double> losses;
    void on_step(const StepReport& r) override { losses.push_back(r.loss); }
};

// At one rate throughout, which no option allows but the arithmetic does, it is a training, over several epochs.
TEST(RangeTestSteps, AreThoseOfATraining) {
    Rig tested, trained;
    const double rate = 1e-3, next = std::nextafter(rate, 1);
    tested.options.accumulate = trained.options.accumulate = 2;  // three steps an epoch of five batches
    const RangeTest test = tested.run({.lowest = rate, .highest = next, .steps = 20});
    trained.options.epochs = 7;
    trained.options.schedule.base = rate;
    Trainer trainer(trained.net, *trained.optimizer, trained.options);
    Losses losses;
    ASSERT_TRUE(trainer.run(trained.source, nullptr, losses));
    ASSERT_EQ(test.points.size(), 20u);
    // The rates differ by an ulp at the most.
    for (size_t i = 0; i < 20; ++i) EXPECT_NEAR(test.points[i].loss, losses.losses[i], 1e-5) << i;
    const auto loss = [&](size_t i) { return test.points[i].loss; };
    EXPECT_EQ(test.points[0].smoothed, loss(0));
    EXPECT_NEAR(test.points[1].smoothed, (loss(0) + 2 * loss(1) + loss(2)) / 4, 1e-12);
    EXPECT_NEAR(test.points[9].smoothed, (loss(7) + 2 * loss(8) + 3 * loss(9) + 2 * loss(10) + loss(11)) / 9, 1e-12);
    EXPECT_EQ(test.points[19].smoothed, loss(19));
    EXPECT_NE(test.points[0].loss, test.points[10].loss);
}

TEST(RangeTestSteps, GiveTheSameBitsAgainAndOnAGpuReadInBlocksToo) {
    for (const DeviceKind device : {DeviceKind::cpu, DeviceKind::gpu}) {
        if (device == DeviceKind::gpu && gpu::device_count() == 0) continue;
        const RangeTestOptions range{.steps = 25};
        Rig one(device), two(device);
        two.options.read_every = 7;
        const RangeTest a = one.run(range), b = two.run(range);
        ASSERT_EQ(a.points.size(), 25u);
        ASSERT_EQ(b.points.size(), 25u);
        for (size_t i = 0; i < a.points.size(); ++i) EXPECT_EQ(a.points[i].loss, b.points[i].loss) << i;
    }
}

// Rates up to 10^6 with SGD leave no loss where it was; wherever it ends, steps behind the end are not in it.
TEST(RangeTestSteps, EndWhereTheLossDiverges) {
    Rig rig;
    OptimizerOptions sgd;
    sgd.rule = "sgd";
    sgd.halt_at_nonfinite = true;
    rig.optimizer = std::make_unique<Optimizer>(rig.net, sgd);
    rig.options.read_every = 16;
    const RangeTestOptions range{.lowest = 1e-3, .highest = 1e6, .steps = 60, .divergence = 1.5};
    const RangeTest test = rig.run(range);
    EXPECT_TRUE(test.diverged);
    ASSERT_GT(test.points.size(), 11u);
    EXPECT_LT(test.points.size(), 60u);
    double lowest = INFINITY, sum = 0;
    const double decay = decay_of_average(range);
    for (size_t i = 0; i + 1 < test.points.size(); ++i) {
        sum = decay * sum + (1 - decay) * test.points[i].loss;
        const double average = sum / (1 - std::pow(decay, double(i + 1)));
        if (i < 10) continue;  // of too few steps
        lowest = std::min(lowest, average);
        EXPECT_LE(average, 1.5 * lowest) << "it should have ended at step " << i + 1;
    }
}

// Where any rise is a divergence, that of one batch beside another at the begin is none.
TEST(RangeTestSteps, TheFirstTenAreNotTakenForADivergence) {
    Rig rig;
    const RangeTest test = rig.run({.lowest = 1e-9, .highest = 1e-8, .steps = 40, .divergence = 1 + 1e-9});
    ASSERT_GT(test.points.size(), 11u);
    bool rises = false;
    for (size_t i = 1; i < 10; ++i) rises = rises || test.points[i].loss > test.points[i - 1].loss;
    EXPECT_TRUE(rises) << "the case is one";
    EXPECT_TRUE(test.diverged) << "and behind them it is one still";
}

// Every label of some batches is ignored.
struct PartlyIgnored : Rectangles {
    using Rectangles::Rectangles;
    std::vector<int64_t> ignored;
    int64_t given = 0;
    bool next(HostBatch& b) override {
        if (!Rectangles::next(b)) return false;
        ++given;
        if (std::find(ignored.begin(), ignored.end(), given) != ignored.end()) b.labels.assign(b.labels.size(), 255);
        return true;
    }
};

TEST(RangeTestSteps, WithoutAPixelThatCountsAreLeftOut) {
    Rig rig;
    PartlyIgnored source(20, 4, 16, 5);
    source.ignored = {1, 13};
    const RangeTest test =
        test_rates(rig.net, *rig.optimizer, source, rig.options, {.steps = 20}, [](int64_t) { return true; });
    EXPECT_EQ(test.taken, 20);
    ASSERT_EQ(test.points.size(), 18u);
    EXPECT_EQ(test.points[0].step, 2);
    EXPECT_EQ(test.points[0].rate, rate_of({.steps = 20}, 2));
    EXPECT_NEAR(test.points[0].smoothed, test.points[0].loss, 1e-12) << "of one loss, but for roundings";
    EXPECT_EQ(test.points[11].step, 14);
    for (const RangeTestPoint& p : test.points) EXPECT_GT(p.loss, 0) << p.step;
    ASSERT_EQ(test.warnings.size(), 2u);
    EXPECT_EQ(test.warnings[0],
              "step 1: no pixel counts, every label is ignored (images: rectangle 0, rectangle 1, rectangle 2, "
              "rectangle 3)");
    EXPECT_EQ(test.warnings[1].rfind("step 13: ", 0), 0u) << test.warnings[1];
}

TEST(RangeTestSteps, GoOnWhereALossScaleOverflows) {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    Rig rig(DeviceKind::gpu, DType::f16);
    const RangeTest test = rig.run({.highest = 1e-3, .steps = 20});
    EXPECT_FALSE(test.diverged);
    EXPECT_EQ(test.points.size(), 20u);
    EXPECT_LT(rig.optimizer->state().step, 20) << "some steps were passed over";
}

TEST(RangeTestSteps, StopWhenAsked) {
    Rig rig;
    const RangeTest test =
        test_rates(rig.net, *rig.optimizer, rig.source, rig.options, {}, [](int64_t done) { return done < 3; });
    EXPECT_TRUE(test.interrupted);
    EXPECT_EQ(test.points.size(), 3u);
}

}  // namespace
}  // namespace atrous
