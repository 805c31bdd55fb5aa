// The one description of an experiment, and what follows from it.
#include "segmentation/experiment.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "segmentation/config_file.h"
#include "segmentation/run_fingerprint.h"
#include "segmentation/settings_markdown.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

struct Described {
    Experiment e;
    Settings s;
    Described() { describe(s, e); }
    void set(const std::string& key, const std::string& value) {
        ASSERT_TRUE(s.at(key).assign({{value}})) << key << " takes " << s.at(key).rule();
        s.at(key).origin = Origin::flag;
    }
};

TEST(Experiment, ASettingIsDeclaredOnce) {
    Described d;
    double other = 0;
    EXPECT_THROW(d.s.bind("lr", other, "again"), Error);
}

TEST(Experiment, AnEmptyWordStandsWhereTheDefaultIsEmpty) {
    Machine as_trained, stated{.precision = "fp32"};
    Settings s, t;
    EXPECT_TRUE(describe_precision(s, as_trained).assign({{""}})) << "a script's empty variable";
    EXPECT_FALSE(describe_precision(t, stated).assign({{""}}));
}

TEST(Experiment, SizesHaveTwoSidesInARange) {
    Described d;
    for (const char* key : {"size", "crop"}) {
        EXPECT_FALSE(d.s.at(key).assign({{"5x5"}})) << key;
        EXPECT_FALSE(d.s.at(key).assign({{"64x"}})) << key;
    }
    EXPECT_EQ(training_size(d.e), ImageSize(256));
    d.set("size", "640x480");
    EXPECT_EQ(training_size(d.e), ImageSize(480, 640));
    d.set("crop", "64x32");
    EXPECT_EQ(training_size(d.e), ImageSize(32, 64));
}

TEST(Experiment, HelpTextsAreSentencesOfTheirOwn) {
    const Described d;
    for (const auto& s : d.s.all()) {
        EXPECT_FALSE(s->help.empty()) << s->key;
        EXPECT_NE(s->help.rfind("of ", 0), 0u) << s->key << ": " << s->help << ": begins with a noun";
        EXPECT_FALSE(s->group.empty() || s->group == "Options") << s->key;
    }
}

// Every value goes into the file and comes back from it, also where it is no default.
TEST(Experiment, AConfigurationFileGivesEveryValueAgain) {
    Described first;
    first.set("data", "some folder");
    first.set("lr", "0.0003");
    first.set("schedule", "poly");
    first.set("last-batch", "merge");
    first.set("batch-size", "auto");
    first.set("optimizer", "sgd");
    first.set("decay-weights-only", "true");
    first.set("seed", "9");
    const fs::path file = fs::temp_directory_path() / ("atrous experiment " + std::to_string(getpid()) + ".toml");
    std::ofstream(file) << config_of(first.e);
    Described second;
    read_config_file(second.s, file.string());
    fs::remove(file);
    EXPECT_EQ(as_toml(second.s), as_toml(first.s));
    EXPECT_EQ(second.e.trainer.schedule.name, "poly") << "settings are bound to the fields";
    EXPECT_EQ(second.e.optimizer.rule, "sgd");
    EXPECT_EQ(second.e.batch_size, 0);
}

// A resumed run finds it again from another folder, also where it was not there yet.
TEST(Experiment, AConfigurationFileHoldsTheCachesWholePath) {
    Experiment e;
    for (const std::string word : {"", "none"}) {
        e.data.check_cache = word;
        EXPECT_NE(config_of(e).find("check-cache = \"" + word + "\""), std::string::npos) << word;
    }
    e.data.check_cache = "to come";
    EXPECT_NE(config_of(e).find((fs::current_path() / "to come").string()), std::string::npos) << config_of(e);
}

std::string refusal(const std::function<void(Described&)>& change) {
    Described d;
    change(d);
    try {
        check(d.s, d.e);
    } catch (const UsageError& e) {
        return e.what();
    }
    return "accepted";
}

// Recall is perfect where every pixel is called every class, and the other is not defined.
TEST(Experiment, WhatTellsNoBestEpochOfClassesThatOverlapIsRefused) {
    for (const std::string monitor : {"mean-accuracy", "weighted-iou", "dice", "iou", "loss"}) {
        const auto refused = [&](const std::string& overlap) {
            return refusal([&](Described& d) { d.set("multi-label", overlap), d.set("monitor", monitor); });
        };
        EXPECT_EQ(refused("false"), "accepted") << monitor;
        const bool fits = monitor == "dice" || monitor == "iou" || monitor == "loss";
        EXPECT_EQ(refused("true") == "accepted", fits) << monitor << ": " << refused("true");
        if (!fits) {
            EXPECT_NE(refused("true").find("expected dice, iou or loss"), std::string::npos) << refused("true");
        }
    }
    for (const std::string classes : {"1", "8"}) {
        const std::string said =
            refusal([&](Described& d) { d.set("multi-label", "true"), d.set("classes", classes); });
        EXPECT_NE(said.find("`classes` " + classes + ": with `multi-label` expected 2 to 7"), std::string::npos)
            << said;
    }
}

// Runs that began before a setting had its name go on with the files that they wrote.
TEST(Experiment, FilesWithFormerNamesAreRead) {
    const std::string path = (fs::temp_directory_path() / fmt::format("atrous-former-{}.toml", getpid())).string();
    const auto read = [&](const std::string& text) {
        std::ofstream(path) << text;
        Described d;
        read_config_file(d.s, path);
        return std::pair(d.e.normalize, d.e.net.progressive_decoder);
    };
    EXPECT_EQ(read("normalise = 'imagenet'\ngentle-decoder = true\n"), std::pair(std::string("imagenet"), true));
    EXPECT_THROW(read("normalise = 'imagenet'\nnormalize = 'none'\n"), UsageError) << "one setting twice";
    fs::remove(path);

    Described d;
    d.set("normalize", "imagenet");
    const RunFingerprint mine = fingerprint_of(d.s, {}, {DeviceKind::cpu});
    RunFingerprint saved = mine;
    saved.settings["normalise"] = "\"none\"";
    saved.settings.erase("normalize");
    EXPECT_THROW(compare(d.s, mine, saved, {}, "last.safetensors"), UsageError) << "the change was not noticed";
}

TEST(Experiment, WhatDoesNotGoTogetherIsRefused) {
    EXPECT_EQ(refusal([](Described&) {}), "accepted");
    EXPECT_NE(refusal([](Described& d) { d.set("nesterov", "true"); }).find("`nesterov`: expected"), std::string::npos);
    EXPECT_NE(refusal([](Described& d) { d.set("value-range", "5..1"); }).find("`value-range` 5..1"),
              std::string::npos);
    EXPECT_NE(refusal([](Described& d) { d.set("classes", "1"); }).find("`classes` 1"), std::string::npos);
    EXPECT_NE(refusal([](Described& d) { d.set("loss", "hinge"); }).find("`loss` hinge"), std::string::npos);
    EXPECT_NE(refusal([](Described& d) { d.set("rates", "6"); }).find("`rates` means nothing to model unet"),
              std::string::npos);
    EXPECT_NE(refusal([](Described& d) {
                  d.set("encoder", "resnet18");
                  d.set("base-channels", "8");
              }).find("`base-channels` means nothing to model unet with `encoder`"),
              std::string::npos);
}

data::Dataset samples() {
    data::Dataset set;
    for (int i = 0; i < 4; ++i) set.train.push_back({"", "", "t" + std::to_string(i)});
    set.val.push_back({"", "", "v"});
    return set;
}

// What a run that changes one setting is told, `batch` batches into an epoch.
std::string resumed_with(const std::string& key, const std::string& value, int64_t batch = 0) {
    Described before, now;
    now.set(key, value);
    TrainProgress progress;
    progress.batch = batch;
    std::string said;
    try {
        const auto changes =
            compare(now.s, fingerprint_of(now.s, samples(), {DeviceKind::cpu}),
                    fingerprint_of(before.s, samples(), {DeviceKind::cpu}), progress, "last.safetensors");
        for (const std::string& warning : changes.warnings) said += warning;
    } catch (const UsageError& e) {
        return std::string("refused: ") + e.what();
    }
    return said;
}

TEST(Resume, AChangedSettingIsNoticedUnlessItIsFree) {
    EXPECT_EQ(resumed_with("lr", "0.5"), "goes on with `lr` 0.5 in place of `lr` 0.0001");
    EXPECT_EQ(resumed_with("hflip", "0"), "goes on with `hflip` 0 in place of `hflip` 0.5");
    EXPECT_EQ(resumed_with("weight-decay", "0.1"), "goes on with `weight-decay` 0.1 in place of `weight-decay` 0");
    EXPECT_EQ(resumed_with("aux-weight", "0.3"), "goes on with `aux-weight` 0.3 in place of `aux-weight` 0.5");
    EXPECT_EQ(resumed_with("kernels", "own"), "goes on with `kernels` \"own\" in place of `kernels` \"auto\"");
    EXPECT_EQ(resumed_with("epochs", "99"), "");
    EXPECT_EQ(resumed_with("threads", "3"), "");
    EXPECT_NE(resumed_with("batch-size", "2").find("the learning rate's schedule counts steps"), std::string::npos);
    EXPECT_EQ(resumed_with("batch-size", "2", 1).rfind("refused: ", 0), 0u) << "other batches within the epoch";
    EXPECT_EQ(resumed_with("loss", "dice").rfind("refused: ", 0), 0u);
    EXPECT_EQ(resumed_with("focal-gamma", "1").rfind("refused: ", 0), 0u);
}

TEST(Resume, AnotherLibraryIsSaid) {
    const Described d;
    RunFingerprint mine = fingerprint_of(d.s, samples(), {DeviceKind::cpu}), saved = mine;
    const auto said = [&] {
        const auto warnings = compare(d.s, mine, saved, {}, "last.safetensors").warnings;
        return warnings.empty() ? "" : warnings.front();
    };
    EXPECT_EQ(said(), "");
    saved.libraries = "cuDNN 9.19.0";
    EXPECT_EQ(said().rfind("was trained with cuDNN 9.19.0 and goes on with no library", 0), 0u) << said();
    saved.libraries = std::nullopt;
    EXPECT_EQ(said(), "") << "of checkpoints from before nothing is known";
}

// Every setting says what a resumed run may do with it; the three kinds that are noticed have to be in the fingerprint.
TEST(Resume, TheFingerprintHoldsEverySettingThatIsNotFree) {
    Described d;
    const RunFingerprint f = fingerprint_of(d.s, samples(), {DeviceKind::cpu});
    for (const auto& s : d.s.all()) EXPECT_EQ(f.settings.count(s->key), s->resume == Resume::free ? 0u : 1u) << s->key;
}

TEST(Experiment, TheTableOfSettingsIsCurrent) {
    const fs::path page = fs::path(ATROUS_SOURCE_DIR) / "docs/settings.md";
    std::stringstream text;
    text << std::ifstream(page).rdbuf();
    const std::string table = as_markdown(Described().s);
    if (text.str().ends_with(table)) return;
    const fs::path fresh = fs::temp_directory_path() / "settings.md";
    std::ofstream(fresh) << text.str().substr(0, text.str().find("\n## ")) << table;
    FAIL() << page << " is not what the settings say; the page with the new table is " << fresh;
}

}  // namespace
}  // namespace atrous
