// Sweeps as a user runs them. tests/apps/killed_sweeps.py kills them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

using test::Outcome, test::program, test::shell;

class SweepTest : public test::WithDrawnData<SweepTest> {
 protected:
    static void SetUpTestSuite() { draw("sweep", 12); }
    static std::string settings(const std::string& more) {
        return " --data " + quoted("data") +
               " --base-channels 4 --depth 2 --size 32 --epochs 3 --batch-size 4 --lr 0.03 --workers 0 --device cpu " +
               more;
    }
    static Outcome sweep(const std::string& folder, const std::string& more) {
        return shell(program() + " sweep" + settings(more) + " -o " + quoted(folder));
    }
    static std::string text_of(const std::string& file) {
        std::ifstream in(root() / file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    // The rows of sweep.csv below its heading, without what depends on time.
    static std::vector<std::vector<std::string>> rows_of(const std::string& folder) {
        std::istringstream in(text_of(folder + "/sweep.csv"));
        std::string line, field;
        std::vector<std::vector<std::string>> rows;
        std::getline(in, line);
        while (std::getline(in, line)) {
            rows.emplace_back();
            std::istringstream fields(line);
            while (std::getline(fields, field, ',')) rows.back().push_back(field);
        }
        return rows;
    }
    static void expect_said(const Outcome& outcome, int code, const std::string& words) {
        EXPECT_EQ(outcome.code, code) << outcome.output;
        EXPECT_NE(outcome.output.find(words), std::string::npos) << words << "\n" << outcome.output;
    }
};

TEST_F(SweepTest, TrainsEveryPointAsAnOrdinaryRunRanksThemAndSkipsThemWhenDone) {
    const std::string grid = "--grid lr=0.01,0.03 kernel=3,5 --threads 1 --jobs 2";
    expect_said(sweep("four", grid), 0, "4 of 4 done");
    const auto rows = rows_of("four");
    ASSERT_EQ(rows.size(), 4u);
    for (size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(rows[i][0], std::to_string(i + 1));
        EXPECT_EQ(rows[i][3], "done");
        EXPECT_TRUE(i == 0 || std::stod(rows[i - 1][4]) >= std::stod(rows[i][4])) << text_of("four/sweep.csv");
    }
    EXPECT_TRUE(text_of("four/sweep.html").ends_with("</html>\n"));
    EXPECT_NE(text_of("four/sweep.html").find("<title>4 runs compared"), std::string::npos);

    const Outcome alone =
        shell(program() + " train" + settings("--kernel 5 --threads 1 --output-dir ") + quoted("alone"));
    ASSERT_EQ(alone.code, 0) << alone.output;
    EXPECT_EQ(text_of("four/kernel=5,lr=0.03/best.safetensors"), text_of("alone/best.safetensors"));

    const auto written = fs::last_write_time(root() / "four/kernel=5,lr=0.03/last.safetensors");
    const Outcome again = sweep("four", grid);
    EXPECT_EQ(again.code, 0) << again.output;
    EXPECT_EQ(again.output.find("of 4 done"), std::string::npos) << "trained once more\n" << again.output;
    EXPECT_EQ(fs::last_write_time(root() / "four/kernel=5,lr=0.03/last.safetensors"), written);
    EXPECT_EQ(rows_of("four"), rows);

    expect_said(sweep("four", "--grid lr=0.01,0.03 kernel=3,5,1 --jobs 2"), 0, "2 of them are new to this sweep");
    EXPECT_EQ(rows_of("four").size(), 6u);
}

TEST_F(SweepTest, FoldsAreAveraged) {
    expect_said(sweep("folds", "--folds 3 --grid lr=0.01,0.03 --jobs 2"), 0, "3 of 3 trainings");
    const auto rows = rows_of("folds");
    ASSERT_EQ(rows.size(), 6u);
    for (size_t first : {0u, 3u}) {
        double sum = 0;
        for (size_t i = first; i < first + 3; ++i) {
            EXPECT_EQ(rows[i][1], rows[first][1]) << "the folds of a point stand together";
            sum += std::stod(rows[i][4]);
        }
        EXPECT_NEAR(std::stod(rows[first][8]), sum / 3, 1e-6);  // both have six decimals
    }
    for (const char* fold : {"1-3", "2-3", "3-3"})
        EXPECT_NE(text_of("folds/lr=0.01,fold=" + std::string(fold) + "/config.toml")
                      .find("fold = \"" + std::string(1, *fold) + "/3\""),
                  std::string::npos);
}

TEST_F(SweepTest, AFailedTrainingStopsNoOtherAndIsTriedAgain) {
    const std::string grid = "--grid lr=1e30,0.01";
    const Outcome outcome = sweep("failing", grid);
    expect_said(outcome, 1, "failed: lr=1e+30: ");
    expect_said(outcome, 1, "NaN or Inf");
    expect_said(outcome, 1, "(exit code 6)");
    const auto rows = rows_of("failing");
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0][1], "0.01");
    EXPECT_EQ(rows[1][2], "failed");
    const Outcome again = sweep("failing", "--grid lr=1e30,0.01,0.02");
    expect_said(again, 1, "1 of 3 trainings are done already");
    expect_said(again, 1, "failed before, and is tried again after the others: lr=1e+30: ");
    expect_said(again, 1, "(exit code 6)");
    const size_t other = again.output.find("2 of 3 done"), failed = again.output.find("3 of 3 done");
    EXPECT_LT(other, again.output.find("; lr=0.02: ")) << again.output;
    EXPECT_LT(again.output.find("; lr=0.02: "), failed) << again.output;
    EXPECT_LT(failed, again.output.find("; failed: lr=1e+30: ")) << again.output;
}

// A training is killed in its second epoch; the sweep goes on, knows why at its next start, and forgets it once it is done.
TEST_F(SweepTest, AFailureIsKeptUntilTheTrainingIsDone) {
    const std::string more = "--epochs 40 --grid lr=0.01,0.03";
    const Outcome killed = shell(program() + " sweep" + settings(more) + " -o " + quoted("kept") +
                                 " & pid=$!; until [ -n \"$(tail -qn +2 " + quoted("kept") +
                                 "/*/metrics.csv 2>/dev/null)\" ]; do sleep 0.01; done; "
                                 "kill -KILL $(cat /proc/$pid/task/$pid/children); wait $pid");
    expect_said(killed, 1, "failed: lr=0.01: ended by signal 9 (Killed)");
    EXPECT_NE(text_of("kept/sweep.toml").find("[failures]\n\"lr=0.01\" = \"ended by signal 9 (Killed)"),
              std::string::npos)
        << text_of("kept/sweep.toml");
    const Outcome again = sweep("kept", more);
    expect_said(again, 0, "failed before, and is tried again after the others: lr=0.01: ended by signal 9 (Killed)");
    EXPECT_EQ(text_of("kept/sweep.toml").find("failures"), std::string::npos);
    EXPECT_EQ(sweep("kept", more).output.find("failed before"), std::string::npos);
}

// Somebody goes on with one training of a sweep, and stops it once the sweep has ended the other one.
TEST_F(SweepTest, ALockedTrainingIsPutOff) {
    const std::string more = "--epochs 4000 --grid lr=0.01,0.03 --max-hours 1e-5";
    ASSERT_EQ(sweep("locked", more).code, 0);
    const std::string held = quoted("locked/lr=0.01"), said = quoted("said of locked");
    const Outcome outcome = shell(
        program() + " train --resume " + held + " --max-hours 0 > " + quoted("said of held") + " 2>&1 & held=$!; " +
        "until grep -q 'epoch 2/' " + quoted("said of held") + "; do sleep 0.01; done; " + program() + " sweep" +
        settings(more) + " -o " + quoted("locked") + " > " + said + " 2>&1 & sweep=$!; until grep -q 'of 2 done' " +
        said + "; do sleep 0.01; done; kill -INT $held; wait $sweep; code=$?; cat " + said + "; exit $code");
    expect_said(outcome, 0, "put off: ");
    expect_said(outcome, 0, "locked/lr=0.01: a training is using this run folder");
    EXPECT_LT(outcome.output.find("1 of 2 done"), outcome.output.find("; lr=0.03: ")) << outcome.output;
    EXPECT_LT(outcome.output.find("; lr=0.03: "), outcome.output.find("2 of 2 done")) << outcome.output;
}

// As a shell with job control stops it and lets it go on: with a process group of its own.
TEST_F(SweepTest, CtrlZStopsTheTrainingsTooAndTheyGoOnWithIt) {
    const std::string state =
        "state() { cut -d' ' -f3 /proc/$pid/stat $(sed 's,[0-9][0-9]*,/proc/&/stat,g' "
        "<<< \"$children\") | sort -u | tr -d '\\n'; }; ";
    const std::string script =
        "set -m; " + program() + " sweep" + settings("--epochs 40000 --grid lr=0.01,0.03 --jobs 2 -o ") +
        quoted("paused") + " & pid=$!; until [ \"$(ls " + quoted("paused") +
        "/*/metrics.csv 2>/dev/null | wc -l)\" = 2 ]; do sleep 0.02; done; "
        "children=$(cat /proc/$pid/task/$pid/children); children=${children% }; " +
        state +
        "kill -TSTP $pid; until [ \"$(state)\" = T ]; do sleep 0.02; done; echo all stopped; "
        "kill -CONT $pid; until ! state | grep -q T; do sleep 0.02; done; echo all go on; kill -INT $pid; wait $pid";
    std::ofstream(root() / "pause.sh") << script;
    const Outcome outcome = shell("timeout -k 1 120 bash " + quoted("pause.sh"));
    expect_said(outcome, 130, "all stopped");
    expect_said(outcome, 130, "all go on");
    expect_said(outcome, 130, "not finished: lr=0.03: stands in epoch");
}

// Whoever starts the program may leave SIGCHLD ignored: then nothing is left to wait for of a training that ended.
TEST_F(SweepTest, EndsWhereSigchldIsIgnored) {
    const Outcome outcome = shell("timeout -k 1 60 bash -c \"trap '' CHLD; exec " + program() + " sweep" +
                                  settings("--grid lr=0.01 --dry-run -o ") + quoted("ignored") + "\"");
    expect_said(outcome, 0, "dry run: 1 training");
}

TEST_F(SweepTest, ForbidsASingleFold) { expect_said(sweep("new", "--folds 1"), 2, "--folds 1 leaves nothing"); }

TEST_F(SweepTest, NothingIsTrainedWhereOnePointCannotWork) {
    expect_said(sweep("none", "--grid batch-size=3,4 --size 8 --depth 3"), 2, "batch-size=4: a step on");
    expect_said(sweep("none", "--grid depth=2,3 model=unet,deeplabv3"), 2, "depth");
    expect_said(sweep("none", "--grid fold=1/2,1/999"), 3, "fold=1-999: ");
    EXPECT_FALSE(fs::exists(root() / "none"));
}

TEST_F(SweepTest, RefusesAnotherPlanOthersFoldersAndWhatASingleTrainingHas) {
    expect_said(sweep("plan", "--grid lr=0.01,0.03 --dry-run"), 0, "dry run: 2 trainings; nothing");
    EXPECT_FALSE(fs::exists(root() / "plan"));
    expect_said(sweep("plan", "--grid lr=0.01 --epochs 1"), 0, "1 of 1 done");
    const std::string before = text_of("plan/sweep.toml");
    expect_said(sweep("plan", "--grid lr=0.01 --epochs 2"), 2, "holds another sweep, of --epochs 1, here 2");
    expect_said(sweep("plan", "--grid lr=0.03 --epochs 1"), 2, "with the training lr=0.01");
    EXPECT_EQ(text_of("plan/sweep.toml"), before);
    expect_said(sweep("data", "--grid lr=0.01"), 2, "is not empty and no folder of a sweep");
    expect_said(sweep("new", "--grid lrr=0.01"), 2, "did you mean lr?");
    expect_said(sweep("new", "--grid lr=0.01 --resume x"), 2, "--resume is not for a sweep");
    expect_said(sweep("new", "--folds 3 --fold 1/3"), 2, "--fold and --folds are both given");
    expect_said(shell(program() + " sweep" + settings("--grid lr=1")), 2, "--output-dir is missing");
}

// The signal is sent once the first training of two stands in its second epoch.
TEST_F(SweepTest, OneSignalSavesAllTrainingsAndTheSameCommandGoesOn) {
    const std::string command =
        program() + " sweep" + settings("--epochs 4000 --grid lr=0.01,0.03 --jobs 2 -o ") + quoted("stopped");
    const std::string metrics = "tail -qn +3 " + quoted("stopped") + "/*/metrics.csv";
    const Outcome outcome = shell(command + " & pid=$!; until [ -n \"$(" + metrics +
                                  " 2>/dev/null)\" ]; do sleep 0.02; done; kill -INT $pid; wait $pid");
    expect_said(outcome, 130, "the same command again goes on");
    expect_said(outcome, 130, "not finished: lr=0.01: stands in epoch");
    const Outcome more = shell("cd " + quoted("stopped") + " && " + command + " --max-hours 1e-5");  // a step each
    expect_said(more, 0, ", not finished (");
    for (const auto& entry : std::filesystem::directory_iterator(root() / "stopped"))
        EXPECT_NE(entry.path().filename(), "\"\"") << "an empty setting was handed on as two quotes";
    for (const char* run : {"lr=0.01", "lr=0.03"})
        EXPECT_NE(text_of("stopped/" + std::string(run) + "/config.toml").find("max-hours = 1e-05"), std::string::npos);
}

}  // namespace
}  // namespace atrous
