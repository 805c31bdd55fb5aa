// A training that averages the weights of its last epochs, as the workflow and whoever loads its files see it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "data/synth.h"
#include "engine/io/safetensors.h"
#include "models/unet.h"
#include "segmentation/averaged_record.h"
#include "segmentation/load_net.h"
#include "segmentation/prediction_net.h"
#include "segmentation/time_limit.h"
#include "segmentation/training_run.h"
#include "segmentation/training_setup.h"

namespace atrous {
namespace {

struct Said : Messages {
    std::string all;
    void text(const std::string& lines) override { all += lines; }
    void warning(const std::string& line) override { all += "warning: " + line + "\n"; }
};

struct AveragedTraining : testing::Test {
    std::string folder = std::filesystem::temp_directory_path() / ("atrous_swa_" + std::to_string(getpid()));
    Experiment e;
    NoMessages silent;
    AveragedTraining() {
        data::write_dataset(folder, 6, 32, 1, 0.3);
        e.data.root = folder;
        e.data.check_cache = "none";
        e.size = 32;
        e.net = unet({.base_channels = 2, .depth = 2});
        e.batch_size = 2;
        e.trainer.epochs = 3;
        e.run.output_dir = folder + "/run";
    }
    ~AveragedTraining() override { std::filesystem::remove_all(folder); }
    // The log.
    std::string train() {
        TrainingSetup setup = prepare_training(e, silent);
        TrainingRun run(setup, silent);
        TrainObserver observer;
        EXPECT_TRUE(run.train(observer));
        run.report_result();
        std::ifstream in(run.folder().log());
        return {std::istreambuf_iterator<char>(in), {}};
    }
    std::string file(const char* name) const { return e.run.output_dir + "/" + name; }
    std::string refusal() {
        try {
            prepare_training(e, silent);
        } catch (const UsageError& error) {
            return error.what();
        }
        return "";
    }
};

TEST_F(AveragedTraining, BothFilesHoldTheMeanAndEveryoneSaysSo) {
    e.trainer.swa.from = 0.5;
    const std::string log = train();
    for (const char* part : {"the weights at the end of each epoch from 2 on are averaged (--swa-from 0.5)",
                             "best checkpoint, of averaged weights, on "})
        EXPECT_NE(log.find(part), std::string::npos) << log;
    const io::SafetensorsFile best(file("best.safetensors")), last(file("last.safetensors"));
    EXPECT_EQ(averaged_record_of(last), AveragedRecord{.epochs = 2});
    ASSERT_TRUE(averaged_record_of(best)) << "the best is one of the mean's";
    EXPECT_FALSE(best.find("train.weights.outc.conv.weight"));
    const char* name = "outc.conv.weight";
    EXPECT_NE(last.bytes(last.at(std::string("train.weights.") + name)), last.bytes(last.at(name)));

    Said said;
    const auto load = [](const std::string& path, const std::string& precision) {
        return load_net(path, {DeviceKind::cpu}, precision);
    };
    prediction_net(file("last.safetensors"), {}, load, said);
    EXPECT_EQ(said.all, file("last.safetensors") + ": averaged weights, the mean of 2 epochs\n");
}

// Its weights are the mean's and its batch norm's statistics are not; the best epoch of before the mean is none of it.
TEST_F(AveragedTraining, AStopBeforeTheMeanHasItsStatisticsIsMarked) {
    struct Stopping : TrainObserver {
        bool stop = false;
        void on_statistics(int64_t, int64_t) override { stop = true; }
        bool stop_requested() override { return stop; }
    } observer;
    e.trainer.epochs = 2;
    e.trainer.swa.from = 2;
    TrainingSetup setup = prepare_training(e, silent);
    TrainingRun run(setup, silent);
    EXPECT_FALSE(run.train(observer));
    ASSERT_TRUE(std::filesystem::exists(file("best.safetensors"))) << "of the first epoch";
    run.report_result();
    std::ifstream in(run.folder().log());
    const std::string log{std::istreambuf_iterator<char>(in), {}};
    EXPECT_NE(log.find("last checkpoint, of averaged weights, on "), std::string::npos) << log;

    const std::string last = file("last.safetensors");
    EXPECT_EQ(averaged_record_of(io::SafetensorsFile(last)), (AveragedRecord{.epochs = 1, .lacks_statistics = true}));
    Said said;
    const auto load = [](const std::string& path, const std::string& precision) {
        return load_net(path, {DeviceKind::cpu}, precision);
    };
    prediction_net(last, {}, load, said);
    EXPECT_NE(said.all.find("warning: " + last + ": its training was stopped before"), std::string::npos) << said.all;
}

// It would begin anew when the training goes on.
TEST(AveragedTimeLimit, LetsThePassForStatisticsFinish) {
    TimeLimit limit(1, TimeLimit::Clock::now() - std::chrono::hours(2));
    EXPECT_FALSE(limit.stop_requested()) << "a first step is taken";
    limit.on_statistics(0, 4);
    EXPECT_FALSE(limit.stop_requested());
    limit.on_epoch({});
    EXPECT_TRUE(limit.stop_requested());
}

TEST_F(AveragedTraining, WhoPredictsByAMovingAverageIsToldToo) {
    e.trainer.epochs = 1;
    e.optimizer.ema_decay = 0.9;
    train();
    Said said;
    const auto load = [](const std::string& path, const std::string& precision) {
        return load_net(path, {DeviceKind::cpu}, precision);
    };
    prediction_net(file("best.safetensors"), {}, load, said);
    EXPECT_EQ(said.all, file("best.safetensors") + ": averaged weights, of decay 0.9\n");
}

TEST_F(AveragedTraining, RefusesWhatDoesNotGoTogether) {
    e.trainer.swa.from = 4;
    EXPECT_EQ(refusal(), "`swa-from` 4: expected a share of the epochs below 1, or the number of one of 3 epochs");
    e.trainer.swa.from = 0.5;
    e.optimizer.ema_decay = 0.9;
    EXPECT_EQ(refusal(), "`ema` and `swa-from`: two averages of the weights; set `ema` 0 or `swa-from` 0");
    e.optimizer.ema_decay = 0;
    e.trainer.patience_stop = 2;
    EXPECT_EQ(refusal(),
              "`patience-stop` and `swa-from`: the training could end before the first averaged epoch; set "
              "`patience-stop` 0 or `swa-from` 0");
    e.trainer.patience_stop = 0;
    EXPECT_EQ(refusal(), "");
    e.augmentations.set("copy-paste", "0.5");
    e.augmentations.set("copy-paste-classes", "2");
    EXPECT_EQ(refusal(), "`copy-paste-classes` 2: expected ids of the 2 classes, 0 to 1");
}

TEST_F(AveragedTraining, ARecordThatIsNeitherIsNamed) {
    e.trainer.epochs = 1;
    train();
    for (const char* text : {"", "x", "3 epoch", "0 epochs", " epochs", "3 epochs more", "3 epochs without"}) {
        const std::string path = folder + "/odd.safetensors";
        io::write_safetensors(path, {}, {{"atrous.averaged", text}}, {.quick = true});
        EXPECT_THROW(averaged_record_of(io::SafetensorsFile(path)), FormatError) << "'" << text << "'";
    }
}

// A detail of the scores is in no line of a training unless it decides which epoch is the best.
TEST_F(AveragedTraining, TheMonitoredScoreStandsInTheLineOfTheEpoch) {
    e.trainer.epochs = 1;
    const std::string plain = train();
    const std::string line = plain.substr(plain.find("epoch 1/1 "));
    EXPECT_EQ(line.substr(0, line.find('\n')).find("frequency-weighted"), std::string::npos) << line;
    for (const auto& [word, part] :
         {std::pair{"weighted-iou", ", frequency-weighted IoU 0."}, {"mean-accuracy", ", mean accuracy 0."}}) {
        e.trainer.monitor = word;
        e.run.overwrite = true;
        const std::string log = train();
        const std::string epoch = log.substr(log.find("epoch 1/1 "));
        EXPECT_NE(epoch.substr(0, epoch.find('\n')).find(part), std::string::npos) << epoch;
    }
}

// A sweep takes the matrix for the mark of a training that has ended.
TEST_F(AveragedTraining, WhatAnEarlierTrainingLeftIsGoneWhereItBeginsOrGoesOn) {
    e.trainer.epochs = 1;
    train();
    for (const char* name : {"confusion.csv", "samples.png", "last.safetensors", "best.safetensors"})
        ASSERT_TRUE(std::filesystem::exists(file(name))) << name;
    {
        Experiment longer = e;
        longer.trainer.epochs = 2;
        longer.run.resume = e.run.output_dir;
        ResumedRun resumed = open_resumed_run(longer.run, false, silent);
        Settings settings;
        describe(settings, longer);
        TrainingSetup setup = prepare_training(longer, settings, {DeviceKind::cpu}, std::move(resumed), silent);
        const TrainingRun run(setup, silent);
        EXPECT_FALSE(std::filesystem::exists(file("confusion.csv"))) << "of the end of the first epoch";
        EXPECT_TRUE(std::filesystem::exists(file("last.safetensors")));
    }
    std::ofstream(file("confusion.csv")) << "stale\n";
    std::ofstream(file("bad_batch.safetensors")) << "stale\n";
    e.run.overwrite = true;
    TrainingSetup setup = prepare_training(e, silent);
    const TrainingRun run(setup, silent);
    for (const char* name : {"confusion.csv", "samples.png", "last.safetensors", "best.safetensors",
                             "bad_batch.safetensors", "last.safetensors.previous"})
        EXPECT_FALSE(std::filesystem::exists(file(name))) << name;
}

}  // namespace
}  // namespace atrous
