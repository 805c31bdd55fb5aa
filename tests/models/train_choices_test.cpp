// What a user chooses of a training beside the net: learning rates of parts, the plateau schedule, the score that says
// which epoch is the best, and patience; resumed from a file wherever that was written.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "engine/io/checkpoint.h"
#include "engine/optim/schedules/multi_step.h"
#include "engine/optim/schedules/plateau.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

namespace atrous {
namespace {

Plateau plateau_of(int64_t patience) {
    Plateau plateau;
    plateau.patience = patience;
    plateau.factor = 0.5;
    return plateau;
}

// The numbers are torch.optim.lr_scheduler.ReduceLROnPlateau's (1.13), factor 0.5 and patience 1, from a rate of 1.
TEST(PlateauTest, IsPyTorchs) {
    const Plateau schedule = plateau_of(1);
    const double rates[] = {1, 1, 1, 1, .5, .5, .5, .5, .25, .25, .125, .125, .0625, .0625};
    const double dice[] = {.5, .50004, .6, .59, .6, .60005, .7, .69, .68, .67, .66, .65, .64, .8},
                 loss[] = {1, .99995, .9, .91, .9, .89995, .8, .9, .9, .9, .9, .9, .9, .1};
    ScheduleState up, down;
    for (size_t i = 0; i < std::size(rates); ++i) {
        schedule.see(up, dice[i], true);
        schedule.see(down, loss[i], false);
        EXPECT_EQ(up.factor, rates[i]) << "Dice, epoch " << i;
        EXPECT_EQ(down.factor, rates[i]) << "loss, epoch " << i;
    }
}

TEST(PlateauTest, AScoreThatIsNotANumberIsNoBetterOne) {
    const Plateau schedule = plateau_of(1);
    ScheduleState state;
    for (int i = 0; i < 2; ++i) schedule.see(state, std::nan(""), true);
    EXPECT_EQ(state.factor, 0.5);
    EXPECT_FALSE(state.seen);
}

// The boundary loss may be negative.
TEST(PlateauTest, ScoresBelowZeroAreBetterByAShareOfTheirMagnitude) {
    const Plateau schedule = plateau_of(1);
    for (const bool higher : {false, true}) {
        const double sign = higher ? 1 : -1;
        ScheduleState state;
        for (int i = 0; i < 3; ++i) schedule.see(state, -10, higher);
        EXPECT_EQ(state.factor, 0.5) << "a constant score";
        schedule.see(state, -10 + sign * 0.0009, higher);
        EXPECT_EQ(state.best, -10) << "not better by 1e-4";
        schedule.see(state, -10 + sign * 0.0011, higher);
        EXPECT_EQ(state.best, -10 + sign * 0.0011);
    }
}

double rate_of(Schedule schedule, int64_t step) {
    schedule.base = 1;
    return schedule.at(step);
}

// The numbers are torch.optim.lr_scheduler.OneCycleLR's definition for ten steps: top at step .3 * 10 - 1, end at 9.
TEST(ScheduleTest, OneCycleRisesAndFallsAlongCosines) {
    Schedule schedule{.name = "one-cycle"};
    schedule.set_length(2, 5);
    EXPECT_NEAR(rate_of(schedule, 0), 0.04, 1e-15);
    EXPECT_DOUBLE_EQ(rate_of(schedule, 1), 0.52);
    EXPECT_DOUBLE_EQ(rate_of(schedule, 2), 1);
    EXPECT_NEAR(rate_of(schedule, 3), 4e-6 + (1 - 4e-6) / 2 * (1 + std::cos(M_PI / 7)), 1e-15);
    EXPECT_NEAR(rate_of(schedule, 9), 4e-6, 1e-15);
    EXPECT_NEAR(rate_of(schedule, 25), 4e-6, 1e-15) << "a training that goes on beyond its length";
    schedule.set_length(1, 3);
    EXPECT_DOUBLE_EQ(rate_of(schedule, 0), 1) << "too short to rise";
}

TEST(ScheduleTest, MultiStepDropsAtItsMilestones) {
    Schedule schedule{.name = "multi-step"};
    schedule.rules.of<MultiStep>("multi-step").milestones = {4, 2};
    schedule.rules.of<MultiStep>("multi-step").factor = 0.5;
    schedule.set_length(6, 10);
    EXPECT_EQ(rate_of(schedule, 19), 1);
    EXPECT_EQ(rate_of(schedule, 20), 0.5);
    EXPECT_EQ(rate_of(schedule, 39), 0.5);
    EXPECT_EQ(rate_of(schedule, 59), 0.25);
}

TEST(ScheduleTest, MultiStepWithoutMilestonesIsRefused) { EXPECT_THROW(MultiStep().check(), UsageError); }

// Plain SGD moves a weight by rate * gradient: the parts' weights move by their scale of what they would.
TEST(LearningRateOfPartsTest, ScalesTheStepsOfItsPrefixAlone) {
    const auto moved = [](std::vector<std::pair<std::string, double>> scales, bool decay_weights_only) {
        UNet net({.base_channels = 4, .depth = 2});
        net.materialize({.device = {DeviceKind::cpu}, .dtype = DType::f64, .seed = 3});
        const auto before = net.arena().values.to_host<double>();
        Optimizer optimizer(net, {.rule = "sgd",
                                  .hyperparameters = {.momentum = 0},
                                  .decay_weights_only = decay_weights_only,
                                  .lr_scales = std::move(scales)});
        net.arena().gradients.copy_from(
            Tensor::full(net.arena().gradients.shape(), DType::f64, net.arena().gradients.device(), 1));
        optimizer.step(0.25);
        const auto after = net.arena().values.to_host<double>();
        std::vector<std::pair<std::string, double>> by_path;
        for (size_t i = 0; i < net.arena().parameters.size(); ++i) {
            const auto at = size_t(net.arena().offsets[i]);
            by_path.emplace_back(net.arena().parameters[i].path, before[at] - after[at]);
        }
        return by_path;
    };
    for (bool decay_weights_only : {false, true}) {
        int slow = 0, fast = 0;
        for (const auto& [path, by] : moved({{"inc.", 0.5}, {"outc.", 8}}, decay_weights_only)) {
            const bool is_slow = path.rfind("inc.", 0) == 0, is_fast = path.rfind("outc.", 0) == 0;
            // 1e-12: differences of numbers below 10 in float64
            EXPECT_NEAR(by, is_slow ? 0.125 : is_fast ? 2 : 0.25, 1e-12) << path;
            slow += is_slow;
            fast += is_fast;
        }
        EXPECT_GT(slow, 0);
        EXPECT_GT(fast, 0);
    }
    EXPECT_THROW(moved({{"backbone.", 0.1}}, true), UsageError) << "no parameter begins so";
}

struct Epochs : TrainObserver {
    std::vector<EpochReport> seen;
    void on_epoch(const EpochReport& r) override { seen.push_back(r); }
};

class TrainChoicesTest : public testing::Test {
 protected:
    ~TrainChoicesTest() override {
        std::filesystem::remove(path_);
        std::filesystem::remove(path_ + ".previous");
    }
    // Trains to `epochs`, from the file where `resume`, and writes the file.
    std::vector<float> session(TrainerOptions options, int64_t epochs, bool resume = false) {
        options.epochs = epochs;
        UNet net({.base_channels = 4, .depth = 2});
        net.materialize({.device = {DeviceKind::cpu}, .seed = resume ? 99u : 7u});
        Optimizer optimizer(net, {});
        Trainer trainer(net, optimizer, options);
        if (resume) io::load_training(io::SafetensorsFile(path_), net, optimizer, trainer.progress);
        Rectangles source(8, 4, 16, 5), validation(4, 2, 16, 6);
        observed_ = {};
        trainer.run(source, &validation, observed_);
        io::save_training(path_, net, optimizer, trainer.progress, {});
        progress_ = trainer.progress;
        return net.arena().values.to_host<float>();
    }
    std::string path_ =
        (std::filesystem::temp_directory_path() / ("atrous-choices-" + std::to_string(::getpid()) + ".safetensors"))
            .string();
    Epochs observed_;
    TrainProgress progress_;
};

TEST_F(TrainChoicesTest, TheBestEpochIsTheOneOfTheMonitoredScore) {
    for (const std::string monitor : {"dice", "iou", "loss"}) {
        session({.schedule = {.base = 0.1}, .monitor = monitor}, 14);
        double best = 0;
        int64_t best_epoch = -1, not_best = 0;
        for (const EpochReport& r : observed_.seen) {
            const double score = monitored(monitor, *r.validation) * (monitor == "loss" ? -1 : 1);
            const bool better = best_epoch < 0 || score > best;
            EXPECT_EQ(r.best, better) << monitor << ", epoch " << r.epoch;
            if (better) best = score, best_epoch = r.epoch;
            not_best += !better;
        }
        EXPECT_GT(not_best, 0) << monitor << ": every epoch was the best, so that this shows nothing";
        EXPECT_EQ(progress_.best_epoch, best_epoch);
        EXPECT_EQ(progress_.best_score, best);
    }
}

TEST_F(TrainChoicesTest, PatienceEndsTheTraining) {
    const TrainerOptions options{.schedule = {.base = 0.03}, .patience_stop = 2};
    session(options, 60);
    const auto epochs = int64_t(observed_.seen.size());
    ASSERT_LT(epochs, 60) << "never two epochs in a row without a better one: choose another rate";
    EXPECT_EQ(epochs - 1 - progress_.best_epoch, 2);
    session(options, 60, true);
    EXPECT_TRUE(observed_.seen.empty()) << "resumed, it has ended";
}

TEST_F(TrainChoicesTest, PlateauMonitorAndPatienceResumeToTheSameBits) {
    TrainerOptions options{.schedule = {.name = "plateau", .base = 0.03}, .monitor = "loss", .patience_stop = 3};
    options.schedule.rules.of<Plateau>("plateau") = plateau_of(0);
    const auto whole = session(options, 12);
    const TrainProgress end = progress_;
    const auto last_rate = observed_.seen.back().learning_rate;
    ASSERT_LT(end.schedule.factor, 1) << "the rate never dropped, so that this shows nothing";
    ASSERT_GT(end.epoch, 3);
    for (int64_t first : {int64_t{1}, end.epoch / 2, end.epoch - 1}) {
        session(options, first);
        EXPECT_EQ(session(options, 12, true), whole) << "resumed after epoch " << first;
        EXPECT_EQ(observed_.seen.back().learning_rate, last_rate);
        EXPECT_EQ(progress_.schedule.factor, end.schedule.factor);
        EXPECT_EQ(progress_.best_epoch, end.best_epoch);
        EXPECT_EQ(progress_.epoch, end.epoch);
    }
}

TEST_F(TrainChoicesTest, ABestEpochOfAnotherScoreIsRefused) {
    session({.monitor = "iou"}, 1);
    try {
        session({.monitor = "dice"}, 2, true);
        FAIL() << "compared Dice with IoU";
    } catch (const UsageError& e) {
        EXPECT_NE(std::string(e.what()).find("`monitor` iou"), std::string::npos) << e.what();
    }
}

}  // namespace
}  // namespace atrous
