// An optimizer, a schedule, a loss and metrics from outside the tree are what those of the tree are.
#include "tests/extending/rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/synth.h"
#include "engine/context.h"
#include "models/unet.h"
#include "segmentation/config_file.h"
#include "segmentation/score_files.h"
#include "segmentation/score_text.h"
#include "segmentation/training_run.h"
#include "tests/data/fixtures.h"

namespace atrous::extending {
namespace {

using data::test::TempDir;

const bool added = [] {
    add_sign_descent();
    add_linear_decay();
    add_image_dice();
    add_overlap();
    add_brier();
    return true;
}();

std::string contents(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

void expect_has(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks: " << part;
}

struct Steps : TrainObserver {
    std::vector<StepReport> steps;
    std::vector<EpochReport> epochs;
    void on_step(const StepReport& r) override { steps.push_back(r); }
    void on_epoch(const EpochReport& r) override { epochs.push_back(r); }
};

struct Trained {
    Experiment e;
    Settings settings;
    Steps seen;
    TrainProgress progress;

    Trained(const TempDir& dir, const std::string& run, const std::vector<std::pair<std::string, std::string>>& changes,
            bool resume = false) {
        e.data.root = dir / "set";
        e.data.check_cache = "none";
        e.size = 32;
        e.net = unet({.base_channels = 4, .depth = 2});
        e.batch_size = 2;
        e.trainer.epochs = 2;
        e.run.output_dir = dir / run;
        e.trainer.schedule.base = 1e-3;
        describe(settings, e);
        for (const auto& [key, value] : changes) {
            EXPECT_TRUE(settings.at(key).assign({{value}})) << key << ": expected " << settings.at(key).rule();
            settings.at(key).origin = Origin::flag;
        }
        check(settings, e);
        NoMessages quiet;
        std::optional<ResumedRun> resumed;
        if (resume) {
            e.run.resume = dir / run;
            resumed = open_resumed_run(e.run, false, quiet);
        }
        TrainingSetup setup = prepare_training(e, settings, {DeviceKind::cpu}, std::move(resumed), quiet);
        TrainingRun training(setup, quiet);
        training.train(seen);
        progress = training.progress();
        training.report_result();
    }
};

const std::vector<std::pair<std::string, std::string>> everything{
    {"optimizer", "sign"},      {"sign-momentum", "0.5"},      {"schedule", "linear"}, {"linear-end", "0.25"},
    {"loss", "bce+image-dice"}, {"image-dice-weight", "0.75"}, {"monitor", "overlap"}, {"accumulate", "2"}};

class RulesFromOutside : public testing::Test {
 protected:
    void SetUp() override {
        context_of({DeviceKind::cpu}).set_threads(1);
        data::write_dataset(dir_ / "set", 8, 32, 3, 0.5);
    }
    TempDir dir_;
};

TEST_F(RulesFromOutside, AreSettingsLikeOthers) {
    Experiment e;
    Settings s;
    describe(s, e);
    EXPECT_EQ(s.at("optimizer").rule(), "sgd, adam, adamw, rmsprop or sign");
    EXPECT_EQ(s.at("schedule").rule(), "constant, step, multi-step, poly, cosine, one-cycle, plateau or linear");
    EXPECT_EQ(s.at("monitor").rule(), "dice, iou, weighted-iou, mean-accuracy, overlap, brier or loss");
    expect_has(s.at("loss").help, "lovasz, ohem, boundary, image-dice, or");
    EXPECT_FALSE(s.at("sign-momentum").counts()) << "another optimizer is chosen";
    EXPECT_THROW(add_sign_descent(), Error) << "the name is taken";
    EXPECT_THROW(add_metric({.key = "nothing"}), Error);
}

TEST_F(RulesFromOutside, TrainAndAreWrittenDown) {
    const Trained trained(dir_, "run", everything);
    const Steps& seen = trained.seen;
    ASSERT_EQ(seen.steps.size(), 2u);
    std::vector<std::string> names;
    for (const auto& [name, value] : seen.steps[0].terms) names.push_back(name);
    EXPECT_EQ(names, (std::vector<std::string>{"bce", "dice", "image_dice"}));
    const auto& terms = seen.steps[0].terms;
    EXPECT_NEAR(seen.steps[0].loss, terms[0].second + 0.75 * (1 - terms[2].second), 1e-6);
    EXPECT_DOUBLE_EQ(seen.steps[1].learning_rate, 1e-3 * (1 - 0.75 * 0.5));

    const std::string config = contents(dir_ / "run/config.toml");
    for (const char* line : {"optimizer = \"sign\"", "sign-momentum = 0.5", "linear-end = 0.25",
                             "image-dice-weight = 0.75", "monitor = \"overlap\""})
        expect_has(config, line);
    const std::string csv = contents(dir_ / "run/metrics.csv");
    expect_has(csv, ",val_mean_accuracy,val_overlap,val_brier,seconds\n");
    const std::string last = contents(dir_ / "run/last.safetensors");
    for (const char* text : {"train.mean.", "\\\"sign-momentum\\\":0.5", "\\\"monitor\\\":\\\"overlap\\\""})
        expect_has(last, text);
}

TEST_F(RulesFromOutside, ScoresHaveTheMetricsEverywhere) {
    const Trained trained(dir_, "run", everything);
    const Scores& s = *trained.seen.epochs.back().validation;
    EXPECT_TRUE(std::isfinite(s.of("overlap")) && std::isfinite(s.of("brier")));
    EXPECT_EQ(monitored("brier", s), s.of("brier"));
    EXPECT_FALSE(higher_is_better("brier"));
    expect_has(scores_line(s), ", overlap ");
    expect_has(scores_table(s, {}), "overlap");
    expect_has(epoch_line(trained.seen.epochs.back()), ", overlap ");
    const nlohmann::json json = json_of(s, {});
    EXPECT_EQ(json.at("overlap"), s.of("overlap"));
    EXPECT_EQ(json.at("brier"), s.of("brier"));
    EXPECT_TRUE(json.at("classes").at(1).contains("overlap"));
}

TEST_F(RulesFromOutside, AResumedRunGoesOnToTheSameBits) {
    auto longer = everything, shorter = everything;
    longer.push_back({"epochs", "4"});
    longer.push_back({"schedule", "constant"});
    shorter.push_back({"schedule", "constant"});
    const Trained whole(dir_, "whole", longer);
    const Trained first(dir_, "run", shorter), second(dir_, "run", longer, true);
    EXPECT_EQ(second.progress.epoch, 4);
    const io::SafetensorsFile a(dir_ / "whole/last.safetensors"), b(dir_ / "run/last.safetensors");
    for (const io::TensorInfo& t : a.tensors()) EXPECT_EQ(a.bytes(t), b.bytes(b.at(t.name))) << t.name;
    auto other = longer;
    other.push_back({"image-dice-weight", "0.5"});
    EXPECT_THROW(Trained(dir_, "run", other, true), UsageError) << "another loss is another training";
}

TEST_F(RulesFromOutside, AMetricsFileOfOtherColumnsIsTakenOver) {
    const Trained first(dir_, "run", everything);
    std::string csv = contents(dir_ / "run/metrics.csv");
    // As a program without the metrics would have written it.
    std::stringstream lines(csv), fewer;
    for (std::string line; std::getline(lines, line);) {
        const size_t last = line.rfind(','), brier = line.rfind(',', last - 1), overlap = line.rfind(',', brier - 1);
        fewer << line.substr(0, overlap) << line.substr(last) << "\n";
    }
    std::ofstream(dir_ / "run/metrics.csv") << fewer.str();
    auto longer = everything;
    longer.push_back({"epochs", "3"});
    const Trained second(dir_, "run", longer, true);
    std::stringstream rows(contents(dir_ / "run/metrics.csv"));
    std::vector<int64_t> columns;
    for (std::string line; std::getline(rows, line);) columns.push_back(std::count(line.begin(), line.end(), ','));
    EXPECT_EQ(columns, (std::vector<int64_t>(4, columns[0]))) << contents(dir_ / "run/metrics.csv");
}

}  // namespace
}  // namespace atrous::extending
