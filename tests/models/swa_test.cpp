// Stochastic weight averaging: the mean of epochs' weights, its batch norm's statistics, its rates, and what files hold.
#include "engine/optim/swa.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <utility>

#include "engine/context.h"
#include "engine/io/checkpoint.h"
#include "engine/train/batch_norm_statistics.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

namespace atrous {
namespace {

using Values = std::vector<float>;

void append(Values& all, const Tensor& t) {
    if (!t.defined() || t.dtype() != DType::f32) return;
    const auto values = t.to_host<float>();
    all.insert(all.end(), values.begin(), values.end());
}
void append_all(Values& all, const Values& more) { all.insert(all.end(), more.begin(), more.end()); }
Values weights_of(Module& net) {
    Values all;
    for (const auto& [path, p] : net.parameters()) append(all, p->value);
    return all;
}
Values statistics_of(Module& net) {
    Values all;
    for (const auto& [path, b] : net.buffers()) append(all, b->value);
    return all;
}
Values mean_of(const Optimizer& optimizer) {
    Values all;
    for (const Tensor& t : optimizer.mean()->tensors()) append(all, t);
    return all;
}

TEST(Swa, BeginsAtAnEpochOrBehindAShareOfThem) {
    EXPECT_EQ(SwaOptions{}.first_epoch(10), 10) << "never";
    EXPECT_EQ(SwaOptions{.from = 0.75}.first_epoch(10), 7) << "from 0: seven epochs come before";
    EXPECT_EQ(SwaOptions{.from = 0.7}.first_epoch(10), 7) << "0.7 * 10 is 6.9999…";
    EXPECT_EQ(SwaOptions{.from = 0.99}.first_epoch(4), 3) << "the last one at the latest";
    EXPECT_EQ(SwaOptions{.from = 1}.first_epoch(10), 0);
    EXPECT_EQ(SwaOptions{.from = 8}.first_epoch(10), 7);
    EXPECT_NO_THROW(check(SwaOptions{.from = 10}, 10));
    EXPECT_THROW(check(SwaOptions{.from = 11}, 10), UsageError);
    EXPECT_THROW(check(SwaOptions{.from = 7.5}, 10), UsageError);
}

TEST(Swa, RatesGoFromTheSchedulesToTheConstantOne) {
    Schedule schedule{.name = "poly", .base = 0.1, .length = {.total_steps = 40, .steps_per_epoch = 4}};
    SwaOptions swa{.from = 0.5, .rate = 0.02, .anneal_epochs = 2};  // from step 20 on, over 8 steps
    const auto rate = [&](int64_t step) { return swa.rate_at({step, step / 4, step % 4}, 10, schedule, {}); };
    constexpr double roundings = 1e-15;  // some of doubles below 0.1, each of 2^-57 at the most
    EXPECT_EQ(rate(19), schedule.at(19));
    EXPECT_NEAR(rate(20), schedule.at(20), roundings);
    EXPECT_NEAR(rate(24), (schedule.at(20) + 0.02) / 2, roundings) << "half a cosine";
    EXPECT_EQ(rate(28), 0.02);
    EXPECT_EQ(rate(39), 0.02);
    swa.anneal_epochs = 0;
    EXPECT_EQ(rate(20), 0.02) << "at once";
    swa.rate = 0;
    EXPECT_EQ(rate(30), schedule.at(30)) << "the schedule's";
}

// Resumed with smaller batches, a training has done fewer steps than its epochs would have now; with larger ones more.
TEST(Swa, RatesGoByTheEpochAsTheMeanDoes) {
    const Schedule schedule{.name = "poly", .base = 0.1, .length = {.total_steps = 40, .steps_per_epoch = 4}};
    const SwaOptions swa{.from = 0.5, .rate = 0.02, .anneal_epochs = 2};  // from epoch 5 on
    const auto rate = [&](const StepPlace& at) { return swa.rate_at(at, 10, schedule, {}); };
    EXPECT_EQ(rate({.step = 30, .epoch = 4, .in_epoch = 3}), schedule.at(30)) << "its epoch is not averaged";
    constexpr double roundings = 1e-15;  // some of doubles below 0.1, each of 2^-57 at the most
    for (const int64_t first : {10, 31}) {
        EXPECT_NEAR(rate({first, 5, 0}), schedule.at(first), roundings);
        EXPECT_NEAR(rate({first + 4, 6, 0}), (schedule.at(first) + 0.02) / 2, roundings);
        EXPECT_EQ(rate({first + 8, 7, 0}), 0.02);
    }
}

// ---- batch norm's statistics ----

struct Statistics : testing::TestWithParam<DeviceKind> {
    void SetUp() override {
        if (GetParam() == DeviceKind::gpu && gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
        net.materialize({.device = {GetParam()}, .seed = 3});
    }
    UNet net{{.base_channels = 4, .depth = 2}};
    Rectangles source{10, 4, 16, 5};  // batches of 4, 4 and 2
};

// A batch's own statistics are what one forward pass leaves that forgets all before.
Values of_batch(UNet& net, const HostBatch& batch) {
    const auto momenta = net.momenta();
    for (double* m : momenta) *m = 1;
    const NoTape off;
    net.set_training(true);
    net.forward_training(upload(batch, net.materialized().device, DType::f32).images);
    for (double* m : momenta) *m = 0.1;
    return statistics_of(net);
}

TEST_P(Statistics, BecomeTheMeanOfTheBatchesByTheirImages) {
    std::vector<double> expected;
    HostBatch batch;
    source.start_epoch(2, 0);
    for (double images : {4., 4., 2.}) {
        ASSERT_TRUE(source.next(batch));
        const Values own = of_batch(net, batch);
        expected.resize(own.size());
        for (size_t i = 0; i < own.size(); ++i) expected[i] += images / 10 * double(own[i]);
    }
    const auto momenta = net.momenta();
    ASSERT_EQ(momenta.size(), 10u) << "two for each of five blocks";
    std::vector<int64_t> asked;
    EXPECT_TRUE(renew_batch_norm_statistics(net, source, 2, DType::f32, [&](int64_t done) {
        asked.push_back(done);
        return true;
    }));
    EXPECT_EQ(asked, (std::vector<int64_t>{0, 4, 8}));
    for (const double* m : momenta) EXPECT_EQ(*m, 0.1) << "they are back";
    const Values found = statistics_of(net);
    ASSERT_EQ(found.size(), expected.size());
    // Each of three batches rounds thrice, the product, the sum and the share, by 2^-24: 6e-7 in all.
    for (size_t i = 0; i < found.size(); ++i)
        EXPECT_NEAR(found[i], expected[i], 1e-6 * (1 + std::abs(expected[i]))) << i;
}

TEST_P(Statistics, AreThoseOfBeforeWhereTheyWereStoppedAndCountNoBatches) {
    const auto counts = [&] {
        std::vector<int64_t> all;
        for (const auto& [path, b] : net.buffers())
            if (b->dtype == DType::i64) all.push_back(b->value.to_host<int64_t>()[0]);
        return all;
    };
    const Values before = statistics_of(net);
    const auto counted = counts();
    EXPECT_FALSE(renew_batch_norm_statistics(net, source, 0, DType::f32, [](int64_t done) { return done < 4; }));
    EXPECT_EQ(statistics_of(net), before);
    EXPECT_TRUE(renew_batch_norm_statistics(net, source, 0, DType::f32, [](int64_t) { return true; }));
    EXPECT_NE(statistics_of(net), before);
    EXPECT_EQ(counts(), counted);
}

// As a batch leaves them whose activations have overflowed.
TEST_P(Statistics, ForgetNaN) {
    const auto renew = [&] {
        ASSERT_TRUE(renew_batch_norm_statistics(net, source, 0, DType::f32, [](int64_t) { return true; }));
    };
    renew();
    const Values expected = statistics_of(net);
    for (Buffer* statistics : net.running_statistics()) statistics->value.fill(NAN);
    renew();
    EXPECT_EQ(statistics_of(net), expected);
}

INSTANTIATE_TEST_SUITE_P(Devices, Statistics, testing::Values(DeviceKind::cpu, DeviceKind::gpu),
                         [](const auto& info) { return info.param == DeviceKind::gpu ? "gpu" : "cpu"; });

TEST(BatchNormStatistics, FrozenOnesTakeNoPass) {
    UNet net({.base_channels = 4, .depth = 2});
    net.freeze_batch_norm();
    net.materialize({.device = {DeviceKind::cpu}});
    Rectangles source(4, 4, 16, 5);
    const Values before = statistics_of(net);
    EXPECT_TRUE(renew_batch_norm_statistics(net, source, 0, DType::f32, [](int64_t) {
        ADD_FAILURE() << "a batch was read";
        return true;
    }));
    EXPECT_EQ(statistics_of(net), before);
}

// ---- trainings ----

struct Watching : TrainObserver {
    std::vector<double> validation;
    std::vector<bool> best;
    std::vector<Values> trained;  // the training's own weights at the end of each epoch
    UNet* net = nullptr;
    int64_t asked = 0, stop_when_asked = -1;
    bool stop_in_statistics = false, in_statistics = false;
    void on_statistics(int64_t, int64_t) override { in_statistics = true; }
    void on_epoch(const EpochReport& r) override {
        validation.push_back(r.validation->loss);
        best.push_back(r.best);
        trained.push_back(weights_of(*net));
    }
    bool stop_requested() override {
        const bool in_pass = std::exchange(in_statistics, false);
        return asked++ == stop_when_asked || (in_pass && stop_in_statistics);
    }
};

constexpr int64_t epochs = 4;

struct Training {
    UNet net{{.base_channels = 4, .depth = 2}};
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<Trainer> trainer;
    Rectangles source{12, 4, 16, 5}, held_out{6, 2, 16, 6};
    Watching watching;

    explicit Training(double from = 3, int64_t of = epochs, uint64_t seed = 7) {
        net.materialize({.device = {DeviceKind::cpu}, .seed = seed});
        OptimizerOptions options;
        options.keeps_mean = from > 0;
        optimizer = std::make_unique<Optimizer>(net, options);
        TrainerOptions o{.epochs = of,
                         .schedule = {.base = 1e-2, .length = {.total_steps = 3 * of, .steps_per_epoch = 3}}};
        o.swa = {.from = from};
        trainer = std::make_unique<Trainer>(net, *optimizer, o);
        watching.net = &net;
    }
    bool run() { return trainer->run(source, &held_out, watching); }
    void load(const std::string& path) {
        io::load_training(io::SafetensorsFile(path), net, *optimizer, trainer->progress);
    }
    void save(const std::string& path) { io::save_training(path, net, *optimizer, trainer->progress, {}); }
};

struct SwaTraining : testing::Test {
    std::string path =
        (std::filesystem::temp_directory_path() / ("atrous-swa-" + std::to_string(::getpid()) + ".safetensors"))
            .string();
    void TearDown() override {
        std::filesystem::remove(path);
        std::filesystem::remove(path + ".previous");
    }
};

TEST_F(SwaTraining, AveragesTheWeightsAtTheEndOfEachEpochEqually) {
    Training averaged, plain(0);
    ASSERT_TRUE(averaged.run());
    ASSERT_TRUE(plain.run());
    EXPECT_EQ(averaged.watching.trained, plain.watching.trained) << "the steps do not depend on it";
    ASSERT_EQ(averaged.optimizer->mean()->added(), 2);
    const Values mean = mean_of(*averaged.optimizer);
    const Values &third = plain.watching.trained[2], &fourth = plain.watching.trained[3];
    for (size_t i = 0; i < third.size(); ++i) {  // parameters come first; the mean is rounded twice, by 2^-24 each time
        const double expected = (double(third[i]) + double(fourth[i])) / 2;
        ASSERT_NEAR(mean[i], expected, 1e-7 * (1 + std::abs(expected))) << i;
    }
}

// The mean's own statistics, and its scores: not those of before the mean, among which the best is no longer sought.
TEST_F(SwaTraining, ValidatesTheMeanWithStatisticsOfItsOwn) {
    Training averaged, plain(0);
    ASSERT_TRUE(averaged.run());
    ASSERT_TRUE(plain.run());
    for (size_t epoch = 0; epoch < 2; ++epoch)
        EXPECT_EQ(averaged.watching.validation[epoch], plain.watching.validation[epoch]);
    EXPECT_TRUE(averaged.watching.best[2]) << "the first of the mean is the best so far";
    EXPECT_NE(averaged.watching.validation[3], plain.watching.validation[3]);
    EXPECT_GE(averaged.trainer->progress.best_epoch, 2);

    const WithAveragedWeights scope(averaged.optimizer->average());
    const Values kept = statistics_of(averaged.net);
    EXPECT_EQ(evaluate(averaged.net, averaged.held_out, {}).loss, averaged.watching.validation[3]);
    ASSERT_TRUE(
        renew_batch_norm_statistics(averaged.net, averaged.source, 3, DType::f32, [](int64_t) { return true; }));
    const Values anew = statistics_of(averaged.net);
    EXPECT_EQ(kept, anew);
}

TEST_F(SwaTraining, BeforeTheFirstAveragedEpochFilesAndValidationsHaveTheWeights) {
    Training training(3, 2);
    training.trainer = std::make_unique<Trainer>(training.net, *training.optimizer, [] {
        TrainerOptions o{.epochs = 2, .schedule = {.base = 1e-2}};
        o.swa = {.from = 0.99};
        return o;
    }());
    training.watching.stop_when_asked = 8;  // within the second epoch, the averaged one
    ASSERT_FALSE(training.run());
    EXPECT_EQ(training.optimizer->average(), nullptr);
    training.save(path);
    EXPECT_FALSE(io::SafetensorsFile(path).find("train.weights.outc.conv.weight"));
}

// Stopped before a step, within the pass for the statistics, or inside a validation.
TEST_F(SwaTraining, ResumingGivesTheSameBits) {
    Training whole;
    ASSERT_TRUE(whole.run());
    for (int64_t stop = 0; stop < whole.watching.asked; ++stop) {
        Training first, second(3, epochs, 99);
        first.watching.stop_when_asked = stop;
        ASSERT_FALSE(first.run()) << stop;
        first.save(path);
        second.load(path);
        second.watching.validation = first.watching.validation;
        ASSERT_TRUE(second.run());
        EXPECT_EQ(weights_of(second.net), weights_of(whole.net)) << "stopped when asked " << stop << " times";
        EXPECT_EQ(mean_of(*second.optimizer), mean_of(*whole.optimizer)) << stop;
        EXPECT_EQ(second.watching.validation, whole.watching.validation) << stop;
        EXPECT_EQ(second.trainer->progress.best_epoch, whole.trainer->progress.best_epoch) << stop;
    }
}

TEST_F(SwaTraining, LastHoldsTheMeanUnderTheNetsNames) {
    Training training;
    ASSERT_TRUE(training.run());
    training.save(path);
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
    io::load_weights(io::SafetensorsFile(path), net);
    Values loaded = weights_of(net);
    const Values statistics = statistics_of(net);
    append_all(loaded, statistics);
    EXPECT_EQ(loaded, mean_of(*training.optimizer));
}

// More epochs move the share: the mean begins anew, and not with epochs of the middle.
TEST_F(SwaTraining, ATrainingThatGoesOnForLongerForgetsTheMeanOfItsFirstEnd) {
    Training first(0.75), longer(0.75, 12, 99), whole(0.75, 12);
    ASSERT_TRUE(first.run());
    EXPECT_EQ(first.optimizer->mean()->added(), 1);
    first.save(path);
    longer.load(path);
    EXPECT_EQ(weights_of(longer.net), weights_of(first.net)) << "not the mean";
    ASSERT_TRUE(longer.run());
    ASSERT_TRUE(whole.run());
    EXPECT_EQ(longer.optimizer->mean()->added(), 3);
    EXPECT_EQ(mean_of(*longer.optimizer), mean_of(*whole.optimizer));
}

// The share of six epochs begins where the four had ended.
TEST_F(SwaTraining, ATrainingThatGoesOnForLittleLongerForgetsItToo) {
    Training first(0.75), longer(0.75, 6, 99), whole(0.75, 6);
    ASSERT_TRUE(first.run());
    ASSERT_EQ(first.optimizer->mean()->added(), 1) << "of the fourth epoch";
    first.save(path);
    longer.load(path);
    ASSERT_TRUE(longer.run());
    ASSERT_TRUE(whole.run());
    EXPECT_EQ(longer.optimizer->mean()->added(), 2) << "of the fifth and the sixth";
    EXPECT_EQ(mean_of(*longer.optimizer), mean_of(*whole.optimizer));
    EXPECT_EQ(longer.trainer->progress.best_epoch, whole.trainer->progress.best_epoch);
}

// Until the pass is done, the mean has the statistics of its epochs, and whoever loads a file of it is to know.
TEST_F(SwaTraining, AStopWithinThePassLeavesAMeanThatLacksStatistics) {
    Training first, second(3, epochs, 99);
    first.watching.stop_in_statistics = true;
    ASSERT_FALSE(first.run());
    ASSERT_TRUE(first.optimizer->mean());
    EXPECT_TRUE(first.optimizer->mean()->lacks_statistics());
    first.save(path);
    second.load(path);
    EXPECT_TRUE(second.optimizer->mean()->lacks_statistics());
    ASSERT_TRUE(second.run());
    EXPECT_FALSE(second.optimizer->mean()->lacks_statistics());
    second.save(path);
    first.load(path);
    EXPECT_FALSE(first.optimizer->mean()->lacks_statistics());
}

// The net's names in such a file are the mean's, which is not what the training goes on from.
TEST_F(SwaTraining, AMovingAverageThatTakesOverBeginsAsTheTrainedWeights) {
    Training training;
    ASSERT_TRUE(training.run());
    training.save(path);
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
    OptimizerOptions moving;
    moving.ema_decay = 0.9;
    Optimizer optimizer(net, moving);
    TrainProgress progress;
    io::load_training(io::SafetensorsFile(path), net, optimizer, progress);
    Values trained = weights_of(training.net), averaged;
    EXPECT_EQ(weights_of(net), trained);
    append_all(trained, statistics_of(training.net));
    for (const Tensor& t : optimizer.average()->tensors()) append(averaged, t);
    EXPECT_EQ(averaged, trained);
}

// A file of a stop behind the last averaged epoch, gone on with without a mean, knows that epoch as averaged.
TEST_F(SwaTraining, AMeanThatBeginsAgainIsOfNothingElse) {
    Training with, without(0, epochs, 99), again(3, epochs, 99);
    with.watching.stop_when_asked = 3 * 4 + 2 * 3 + 3;  // in the validation of the third epoch
    ASSERT_FALSE(with.run());
    ASSERT_EQ(with.trainer->progress.averaged_until, 3);
    with.save(path);
    without.load(path);
    EXPECT_EQ(weights_of(without.net), weights_of(with.net));
    without.save(path);
    again.load(path);
    ASSERT_EQ(again.optimizer->average(), nullptr);
    ASSERT_TRUE(again.run());
    Training whole;
    ASSERT_TRUE(whole.run());
    EXPECT_EQ(mean_of(*again.optimizer), mean_of(*whole.optimizer));
}

TEST(Swa, AMovingAverageBesideItIsRefused) {
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = {DeviceKind::cpu}});
    OptimizerOptions both;
    both.ema_decay = 0.9, both.keeps_mean = true;
    EXPECT_THROW(Optimizer(net, both), UsageError);
}

TEST(Swa, NothingIsAddedWhileTheNetHoldsTheMean) {
    Training training;
    training.optimizer->mean()->add();
    const WithAveragedWeights scope(training.optimizer->average());
    EXPECT_THROW(training.optimizer->mean()->add(), ShapeError);
    EXPECT_THROW(training.optimizer->step(1e-2), ShapeError);
}

}  // namespace
}  // namespace atrous
