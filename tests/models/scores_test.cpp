// Scores that are not defined, and numbers that must not depend on the batch size or hide what is not finite.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/optim/schedules/plateau.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

namespace atrous {
namespace {

constexpr Device cpu{DeviceKind::cpu};

Scores scores_of(std::vector<std::vector<int64_t>> images, int64_t classes) {
    MetricAccumulator metrics(classes);
    for (const auto& counts : images) metrics.add(counts.data());
    return metrics.scores();
}

TEST(ScoresTest, WhatIsNotDefinedIsNoScore) {
    const Scores empty = scores_of({{9, 0, 0, 0}, {4, 0, 0, 0}}, 2);  // background alone, in truth and prediction
    EXPECT_TRUE(std::isnan(empty.of("dice")));
    EXPECT_TRUE(std::isnan(empty.of("image_dice")));
    EXPECT_EQ(empty.of("miou"), 1) << "the background's";
    const Scores ignored = scores_of({{0, 0, 0, 0}}, 2);
    for (const char* key : {"dice", "image_dice", "miou", "pixel_accuracy"})
        EXPECT_TRUE(std::isnan(ignored.of(key))) << key;
    EXPECT_EQ(scores_of({{8, 1, 0, 0}}, 2).of("dice"), 0) << "something was claimed that is not there";
}

TEST(ScoresTest, AnImageWithoutADiceIsLeftOutOfTheMean) {
    const Scores s = scores_of({{9, 0, 0, 0}, {5, 1, 1, 1}}, 2);
    EXPECT_EQ(s.of("image_dice"), 0.5) << "the mean of one image";
    EXPECT_EQ(s.images, 2);
}

TEST(ScoresTest, TheMonitoredScoreNeedsTheObject) {
    Scores s = scores_of({{8, 1, 0, 0}}, 2);  // no truth: Dice is 0 however few pixels are claimed
    s.loss = 0.25;
    EXPECT_TRUE(std::isnan(monitored("dice", s)));
    EXPECT_TRUE(std::isnan(monitored("iou", s)));
    EXPECT_EQ(monitored("loss", s), 0.25);
    Scores seen = scores_of({{8, 1, 1, 0}}, 2);
    EXPECT_EQ(monitored("dice", seen), 0);
    seen.nonfinite = {"one"};
    EXPECT_TRUE(std::isnan(monitored("dice", seen)));
}

// Rectangles whose labels are changed.
class Relabelled : public Rectangles {
 public:
    Relabelled(int64_t samples, int64_t batch, uint8_t inside) : Rectangles(samples, batch, 16, 6), inside_(inside) {}
    bool next(HostBatch& b) override {
        if (!Rectangles::next(b)) return false;
        for (uint8_t& label : b.labels) label = inside_ == 255 ? 255 : label ? inside_ : 0;
        return true;
    }

 private:
    uint8_t inside_;
};

struct Watched : TrainObserver {
    std::vector<EpochReport> epochs;
    std::vector<std::string> warnings;
    void on_epoch(const EpochReport& r) override { epochs.push_back(r); }
    void on_warning(const std::string& text) override { warnings.push_back(text); }
};

struct Trained {
    Watched watched;
    TrainProgress progress;
};
Trained train(BatchSource& validation, double lr = 0.03, const std::string& schedule = "constant") {
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = cpu, .seed = 7});
    Optimizer optimizer(net, {});
    TrainerOptions options{.epochs = 8, .schedule = {.name = schedule, .base = lr}};
    options.schedule.rules.of<Plateau>("plateau").patience = 0;
    options.schedule.rules.of<Plateau>("plateau").factor = 0.5;
    Trainer trainer(net, optimizer, options);
    Rectangles source(8, 4, 16, 5);
    Trained run;
    trainer.run(source, &validation, run.watched);
    run.progress = trainer.progress;
    return run;
}

TEST(UndefinedScoreTest, WithoutTheObjectTheLowestLossIsTheBestEpoch) {
    Relabelled validation(4, 2, 0);
    for (const std::string schedule : {"constant", "plateau"}) {
        const Trained run = train(validation, 0.03, schedule);
        double lowest = INFINITY;
        int64_t best = -1, not_best = 0;
        for (const EpochReport& r : run.watched.epochs) {
            EXPECT_TRUE(std::isnan(monitored("dice", *r.validation)));
            const bool better = r.validation->loss < lowest;
            EXPECT_EQ(r.best, better) << "epoch " << r.epoch;
            if (better) lowest = r.validation->loss, best = r.epoch;
            not_best += !better;
        }
        EXPECT_GT(not_best, 0) << "every epoch was the best, so that this shows nothing";
        EXPECT_EQ(run.progress.best_epoch, best);
        ASSERT_EQ(run.watched.warnings.size(), 1u);
        EXPECT_NE(run.watched.warnings[0].find("no validation pixel shows the object"), std::string::npos);
        if (schedule == "plateau") {
            EXPECT_TRUE(run.progress.schedule.seen) << "goes by the loss";
            EXPECT_NEAR(run.progress.schedule.best, lowest, 1e-4 * lowest) << "better means by a ten-thousandth";
        }
    }
}

// At a learning rate of 0 a net whose head is pushed to one side says one class everywhere, epoch after epoch.
TEST(CollapseTest, OneClassEverywhereIsSaidOnceWithItsUsualCauses) {
    for (const float push : {-50.0f, 0.0f}) {
        UNet net({.base_channels = 4, .depth = 2});
        net.materialize({.device = cpu, .seed = 7});
        Parameter& bias = *net.parameters().back().parameter;
        ASSERT_EQ(bias.shape, Shape({1})) << "the head's";
        if (push != 0) bias.value.copy_from_host(&push, sizeof(push));
        Optimizer optimizer(net, {});
        Trainer trainer(net, optimizer, {.epochs = 4, .schedule = {.base = push != 0 ? 1e-9 : 0.03}});
        Rectangles source(8, 4, 16, 5), validation(4, 2, 16, 9);
        Watched watched;
        trainer.run(source, &validation, watched);
        if (push == 0) {
            EXPECT_TRUE(watched.warnings.empty());
            continue;
        }
        ASSERT_EQ(watched.warnings.size(), 1u);
        EXPECT_NE(watched.warnings[0].find("epochs 1 and 2: every validation pixel was taken for class 0"),
                  std::string::npos)
            << watched.warnings[0];
        EXPECT_NE(watched.warnings[0].find("`class-weights`"), std::string::npos);
    }
}

TEST(UndefinedScoreTest, WithoutAnyPixelThereIsNoBestEpoch) {
    Relabelled validation(4, 2, 255);
    const Trained run = train(validation);
    for (const EpochReport& r : run.watched.epochs) {
        EXPECT_FALSE(r.best);
        EXPECT_TRUE(std::isnan(r.validation->loss));
    }
    EXPECT_EQ(run.progress.best_epoch, -1);
    ASSERT_EQ(run.watched.warnings.size(), 1u);
    EXPECT_NE(run.watched.warnings[0].find("no validation pixel counts"), std::string::npos);
}

TEST(UndefinedScoreTest, OfEqualScoresTheLowerLossIsBetter) {
    Rectangles validation(4, 2, 16, 6);
    const Trained run = train(validation, 1e-5);  // so slow that the first epochs predict the same pixels
    int ties = 0;
    double score = -1, loss = INFINITY;
    for (const EpochReport& r : run.watched.epochs) {
        const bool tie = r.validation->of("dice") == score;
        const bool better = r.validation->of("dice") > score || (tie && r.validation->loss < loss);
        EXPECT_EQ(r.best, better) << "epoch " << r.epoch;
        if (better) score = r.validation->of("dice"), loss = r.validation->loss;
        ties += tie;
    }
    EXPECT_GT(ties, 0) << "no two epochs had one score, so that this shows nothing";
}

// Of a net whose weights are the same every time.
Scores evaluated(BatchSource& source, const LossFactory& loss, int64_t channels, float damage = 0) {
    UNet net({.out_channels = channels, .base_channels = 4, .depth = 2});
    net.materialize({.device = cpu, .seed = 7});
    if (damage != 0) {
        auto values = net.arena().values.to_host<float>();
        for (float& v : values) v *= damage;
        net.arena().values.copy_from_host(values.data(), net.arena().values.bytes());
    }
    return evaluate(net, source, {.loss = loss});
}

TEST(EvaluationTest, TheLossDoesNotDependOnTheBatchSize) {
    const LossFactory softmax = class_loss({.ce_weight = 1, .region_weight = 1});
    for (const auto& [loss, channels] : {std::pair{bce_dice_loss(), int64_t{1}}, {softmax, int64_t{3}}}) {
        Rectangles one(12, 1, 16, 6);
        const Scores by_one = evaluated(one, loss, channels);
        for (const int64_t batch : {5, 12}) {
            Rectangles many(12, batch, 16, 6);
            const Scores s = evaluated(many, loss, channels);
            // Convolutions of other batch sizes may add in another order: some last bits of float.
            EXPECT_NEAR(s.loss, by_one.loss, 1e-5 * by_one.loss) << batch << " images at once";
            EXPECT_EQ(s.of("dice"), by_one.of("dice"));
        }
    }
}

TEST(EvaluationTest, ImagesThatAreNotFiniteAreNamed) {
    Rectangles source(3, 2, 16, 6);
    EXPECT_TRUE(evaluated(source, bce_dice_loss(), 1).nonfinite.empty());
    const Scores s = evaluated(source, bce_dice_loss(), 1, NAN);
    EXPECT_EQ(s.nonfinite, (std::vector<std::string>{"rectangle 0", "rectangle 1", "rectangle 2"}));
    EXPECT_TRUE(std::isnan(s.loss));
}

}  // namespace
}  // namespace atrous
