// The points of a sweep, their names, the plan that a second start goes on with, and how results rank.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "segmentation/sweep/plan.h"
#include "segmentation/sweep/results.h"

namespace atrous::sweep {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_of(const Request& request) {
    std::vector<std::string> names;
    for (const Point& point : points_of(request)) names.push_back(name_of(point));
    return names;
}

std::string refusal_of(const Request& request) {
    try {
        (void)points_of(request);
    } catch (const UsageError& e) {
        return e.what();
    }
    return "";
}

TEST(SweepGrid, AllCombinationsInTheOrderOfTheSettingsHoweverTheyAreTyped) {
    const std::vector<std::string> expected{"lr=0.0001,batch-size=16", "lr=0.0001,batch-size=32",
                                            "lr=0.0002,batch-size=16", "lr=0.0002,batch-size=32"};
    EXPECT_EQ(names_of({.grid = {"batch-size=16,32", "lr=1e-4,2e-4"}}), expected);
    EXPECT_EQ(names_of({.grid = {"--lr=0.0001,0.0002", "batch_size=16,32"}}), expected);
}

TEST(SweepGrid, FoldsAndSeedsRepeatEachPoint) {
    EXPECT_EQ(names_of({.grid = {"lr=1,2"}, .folds = 2}),
              (std::vector<std::string>{"lr=1,fold=1-2", "lr=1,fold=2-2", "lr=2,fold=1-2", "lr=2,fold=2-2"}));
    EXPECT_EQ(names_of({.seeds = 3, .seed = 5}), (std::vector<std::string>{"seed=5", "seed=6", "seed=7"}));
}

TEST(SweepGrid, OneAtATimeVariesEachSettingAroundTheExperiment) {
    const Request request{.grid = {"lr=5e-5,1e-4,2e-4,5e-4", "batch-size=32", "kernel=3,5"},
                          .one_at_a_time = true,
                          .experiment = {{"lr", "0.0001"}, {"batch-size", "16"}, {"kernel", "3"}}};
    std::vector<std::string> names = names_of(request);
    ASSERT_EQ(names.size(), 6u) << "the experiment, three rates, one batch size, one kernel";
    EXPECT_EQ(names[0], "kernel=3,lr=0.0001,batch-size=16");
    EXPECT_EQ(names.back(), "kernel=3,lr=0.0001,batch-size=32");
    Request drawn = request;
    drawn.random = 2;
    EXPECT_NE(refusal_of(drawn).find("`random` and `one-at-a-time`"), std::string::npos);
}

TEST(SweepGrid, ValuesOfListsAndValuesWithCommas) {
    const std::vector<Point> scales = points_of({.grid = {"scale=0.5 2,1 1"}});
    ASSERT_EQ(scales.size(), 2u);
    EXPECT_EQ(scales[0][0].text, "0.5 2");
    const std::vector<Point> weights = points_of({.grid = {"class-weights=1,2.5;enet"}});
    ASSERT_EQ(weights.size(), 2u);
    EXPECT_EQ(weights[0][0].text, "1,2.5");
}

TEST(SweepGrid, DrawnPointsAreDistinctWithinTheirRangeAndBeginAlike) {
    const Request ten{.grid = {"lr=1e-5..1e-2", "batch-size=4..32", "hflip=0,0.5"}, .random = 10, .seed = 3};
    const std::vector<std::string> names = names_of(ten);
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 10u);
    int64_t below = 0;
    for (const Point& point : points_of(ten)) {
        for (const Value& value : point) {
            const double number = std::stod(value.text);
            if (value.key == "lr") {
                EXPECT_TRUE(number >= 1e-5 && number <= 1e-2) << value.text;
                below += number < 3.16e-4;  // the middle of the logarithms; uniform draws would nearly all be above
            }
            EXPECT_TRUE(value.key != "batch-size" || (number >= 4 && number <= 32)) << value.text;
        }
    }
    EXPECT_GE(below, 2);
    Request more = ten, other = ten;
    more.random = 14;
    other.seed = 4;
    const std::vector<std::string> longer = names_of(more);
    EXPECT_TRUE(std::equal(names.begin(), names.end(), longer.begin())) << "more points are other points";
    EXPECT_NE(names_of(other), names) << "the seed changes nothing";
    EXPECT_EQ(names_of({.grid = {"depth=1,2,3", "lr=1,2"}, .random = 6}).size(), 6u) << "every point of a small grid";
}

TEST(SweepGrid, WhatCannotVaryIsRefusedInWords) {
    const auto expect = [](const Request& request, const char* words) {
        EXPECT_NE(refusal_of(request).find(words), std::string::npos) << words << "\n" << refusal_of(request);
    };
    expect({.grid = {"lrr=1"}}, "did you mean lr?");
    expect({.grid = {"learning-rate=1"}}, "did you mean lr?");
    expect({.grid = {"lr"}}, "expected a setting and its values");
    expect({.grid = {"lr=1,x"}}, "`lr` takes a number above 0, not 'x'");
    expect({.grid = {"model=unet,deplabv3"}}, "did you mean deeplabv3?");
    expect({.grid = {"lr=1e-3,0.001"}}, "appears twice");
    expect({.grid = {"lr=1", "lr=2"}}, "given twice");
    expect({.grid = {"seed=1,2"}, .seeds = 2}, "given twice");
    expect({.grid = {"output-dir=a,b"}}, "is the same for all trainings");
    expect({.grid = {"workers=1,2"}}, "is the same for all trainings");
    expect({.grid = {"lr=1..2"}}, "say with `random` how many");
    expect({.grid = {"lr=0..2"}, .random = 2}, "the first above 0");
    expect({.grid = {"depth=1..9"}, .random = 2}, "`depth` takes an integer from 1 to 8");
    expect({.grid = {"depth=1,2"}, .random = 3}, "has only 2 points");
    expect({}, "nothing varies");
}

TEST(SweepGrid, NamesAreFitForAnyFileSystemAndTellPointsApart) {
    const std::string plus = name_of({{"loss", "bce+dice"}}), scaled = name_of({{"loss", "bce + 2*dice"}}),
                      divided = name_of({{"loss", "bce + 2/dice"}});
    EXPECT_EQ(plus, "loss=bce+dice");
    EXPECT_EQ(scaled.find_first_of("/\\:*?\"<>| "), std::string::npos) << scaled;
    EXPECT_NE(scaled, divided);
    EXPECT_TRUE(scaled.starts_with("loss=bce_+_2_dice~")) << scaled;
    const std::string path(300, 'x');
    EXPECT_LE(name_of({{"pretrained", path + "a"}}).size(), 120u);
    EXPECT_NE(name_of({{"pretrained", path + "a"}}), name_of({{"pretrained", path + "b"}}));
    EXPECT_NE(name_of({{"loss", "a,lr=1"}}), name_of({{"loss", "a"}, {"lr", "1"}}));
}

// Names that say their values by 32 bits of a hash: of 2^18 some are alike.
TEST(SweepGrid, TwoTrainingsWithOneNameAreRefused) {
    std::map<std::string, std::string> values;
    std::string one, other;
    for (uint32_t i = 0; i < 1u << 18 && other.empty(); ++i) {
        std::string value(18, '!');
        for (int bit = 0; bit < 18; ++bit)
            if (i >> bit & 1) value[size_t(bit)] = '?';
        const auto [at, is_new] = values.emplace(name_of({{"pretrained", value}}), value);
        if (!is_new) one = at->second, other = value;
    }
    ASSERT_FALSE(other.empty());
    const std::string said = refusal_of({.grid = {"pretrained=a," + one + "," + other}});
    EXPECT_NE(said.find("pretrained " + one + " and pretrained " + other + " would have one run folder, pretrained=__"),
              std::string::npos)
        << said;
    EXPECT_EQ(refusal_of({.grid = {"pretrained=a," + one}}), "");
}

// With a search of all points for each draw this took minutes; it takes a second.
TEST(SweepGrid, ManyPointsAreDrawnAndTooManyRefused) {
    std::string hundred, fewer;
    for (int i = 1; i <= 100; ++i) (hundred += i > 1 ? "," : "") += std::to_string(i);
    fewer = hundred.substr(0, hundred.rfind(','));
    const std::vector<std::string> names =
        names_of({.grid = {"lr=" + hundred, "batch-size=" + hundred}, .random = 10000});
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 10000u);
    EXPECT_NE(refusal_of({.grid = {"lr=" + hundred, "batch-size=" + fewer}, .random = 10000}).find("only 9900 points"),
              std::string::npos);
}

Plan plan_of(const Request& request, int64_t epochs = 3, int64_t threads = 2) {
    Experiment e;
    e.data.root = "/data";
    e.trainer.epochs = epochs;
    e.machine.threads = threads;
    return {config_of(e), points_of(request)};
}

class SweepPlan : public testing::Test {
 protected:
    std::string folder = (fs::temp_directory_path() / ("atrous plan " + std::to_string(getpid()))).string();
    SweepPlan() { fs::create_directories(folder); }
    ~SweepPlan() override { fs::remove_all(folder); }
    std::string refusal(Plan plan, bool threads_given = false) const {
        try {
            (void)continue_plan(folder, plan, threads_given);
        } catch (const UsageError& e) {
            return e.what();
        }
        return "";
    }
};

TEST_F(SweepPlan, GoesOnWithTheSamePlanOrMorePointsAndRefusesAnother) {
    Plan plan = plan_of({.grid = {"lr=1,2"}});
    EXPECT_EQ(continue_plan(folder, plan, false).size(), 2u) << "all points of a new sweep are new";
    write_plan(folder, plan);
    EXPECT_TRUE(continue_plan(folder, plan, false).empty());
    Plan larger = plan_of({.grid = {"lr=1,3,2"}});
    const std::vector<Point> added = continue_plan(folder, larger, false);
    ASSERT_EQ(added.size(), 1u);
    EXPECT_EQ(name_of(added[0]), "lr=3");
    EXPECT_NE(refusal(plan_of({.grid = {"lr=1,3"}})).find("with the training lr=2"), std::string::npos);
    EXPECT_NE(refusal(plan_of({.grid = {"lr=1,2"}}, 4)).find("of `epochs` 3, here 4"), std::string::npos);
}

TEST_F(SweepPlan, KeepsWhyTrainingsFailed) {
    Plan plan = plan_of({.grid = {"lr=0.5,2", "loss=bce + 2*dice"}}), now = plan;
    plan.failures = {{name_of(plan.points[0]), "the file \"a\\b\" = [1] # is damaged; Ω (exit code 3)"}};
    write_plan(folder, plan);
    (void)continue_plan(folder, now, false);
    EXPECT_EQ(now.failures, plan.failures);
    plan.failures.clear();
    write_plan(folder, plan);
    (void)continue_plan(folder, now, false);
    EXPECT_TRUE(now.failures.empty());
}

// Results can depend on the number of threads, and another number of `jobs` gives each training another share.
TEST_F(SweepPlan, KeepsTheThreadsThatItBeganWith) {
    write_plan(folder, plan_of({.grid = {"lr=1,2"}}, 3, 2));
    Plan now = plan_of({.grid = {"lr=1,2"}}, 3, 1);
    (void)continue_plan(folder, now, false);
    EXPECT_EQ(experiment_of(now, now.points[0]).machine.threads, 2);
    EXPECT_NE(refusal(plan_of({.grid = {"lr=1,2"}}, 3, 1), true).find("of `threads` 2, here 1"), std::string::npos);
}

TEST(SweepPoint, AnOptionOfAnotherModelIsRefused) {
    const Plan plan = plan_of({.grid = {"model=unet,deeplabv3", "depth=2,3"}});
    EXPECT_EQ(experiment_of(plan, plan.points[1]).net.model, "unet");
    EXPECT_THROW(experiment_of(plan, plan.points.back()), UsageError);
}

Result done(double score, const std::string& failure = "") {
    return {.state = Result::State::done, .failure = failure, .score = score, .best_epoch = 2, .epochs = 3};
}

TEST(SweepResults, RankByTheMeanOverFoldsWithItsDeviation) {
    const Plan plan = plan_of({.grid = {"lr=1,2,3"}, .folds = 2});
    const std::vector<Result> results{done(0.5), done(0.7), done(0.9), done(0.1), done(0.8), done(1.0, "no memory")};
    const std::vector<Group> groups = ranked(plan, results, true);
    ASSERT_EQ(groups.size(), 3u);
    EXPECT_EQ(groups[0].members, (std::vector<size_t>{4, 5}));  // of lr 3, whose failed training does not count
    EXPECT_DOUBLE_EQ(groups[0].mean, 0.8);
    EXPECT_DOUBLE_EQ(groups[1].mean, 0.6);
    EXPECT_NEAR(groups[1].spread, 0.141421356, 1e-9);  // sqrt((.1^2 + .1^2) / 1)
    EXPECT_EQ(ranked(plan, results, false)[0].members, (std::vector<size_t>{2, 3})) << "the lowest loss is the best";
    const std::string table = results_table(plan, results, "dice");
    EXPECT_NE(table.find("0.6000 ± 0.1414"), std::string::npos) << table;
    EXPECT_NE(table.find("failed: lr=3,fold=2-2: no memory"), std::string::npos) << table;
}

TEST(SweepResults, WithoutAScoreIsLastAndWithoutARank) {
    const Plan plan = plan_of({.grid = {"lr=1,2"}});
    const std::vector<Result> results{Result{}, done(0.25)};
    EXPECT_EQ(results_csv(plan, results, "dice"),
              "rank,lr,state,best_dice,best_epoch,epochs,seconds,mean,deviation,trainings,folder,failure\n"
              "1,2,done,0.250000,2,3,0.00,0.250000,0.000000,1,lr=2,\n"
              ",1,waiting,,,0,0.00,,0.000000,0,lr=1,\n");
}

}  // namespace
}  // namespace atrous::sweep
