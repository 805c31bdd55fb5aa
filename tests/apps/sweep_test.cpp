// Sweeps as a user runs them. tests/apps/killed_sweeps.py kills them.
#include <gtest/gtest.h>

#include <cmath>
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
    // Lines of a shell, which end after two minutes whatever they wait for.
    static Outcome script(const std::string& lines) {
        std::ofstream(root() / "lines.sh") << lines;
        return shell("timeout -k 1 120 bash " + quoted("lines.sh"));
    }
    // Starts a sweep behind the script, as $pid, that says what it says in the file `said`.
    static std::string start(const std::string& folder, const std::string& more) {
        return program() + " sweep" + settings(more) + " -o " + quoted(folder) + " > " + quoted("said") +
               " 2>&1 & pid=$!; ";
    }
    // Waits until the shell's condition holds, or the sweep has ended.
    static std::string wait_until(const std::string& condition) {
        return "until " + condition + " || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done; ";
    }
    static std::string has_epoch(const std::string& run) {  // a line of metrics.csv below its heading
        return "[ -n \"$(tail -qn +2 " + quoted(run) + "/metrics.csv 2>/dev/null)\" ]";
    }
    static std::string kill_training() { return "kill -KILL $(cat /proc/$pid/task/$pid/children); "; }
    static std::string end() { return "wait $pid; code=$?; cat " + quoted("said") + "; exit $code"; }
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

// The checkpoints of a training are damaged, and mended before the sweep goes on with a step of each, then to the end.
TEST_F(SweepTest, AFailureIsKeptUntilTheTrainingIsDone) {
    const std::string all = "--epochs 5 --grid lr=0.01,0.03", step = all + " --max-hours 1e-5",
                      kept = "[failures]\n\"lr=0.01\" = \"", run = "kept/lr=0.01";
    expect_said(sweep("kept", step), 0, "2 of 2 done");
    fs::rename(root() / run / "last.safetensors", root() / "whole");
    fs::remove(root() / run / "last.safetensors.previous");
    std::ofstream(root() / run / "last.safetensors") << "damaged";
    expect_said(sweep("kept", step), 1, "; failed: lr=0.01: ");
    EXPECT_NE(text_of("kept/sweep.toml").find(kept), std::string::npos) << text_of("kept/sweep.toml");
    fs::rename(root() / "whole", root() / run / "last.safetensors");
    const Outcome stopped = sweep("kept", step);
    expect_said(stopped, 1, "failed before, and is tried again after the others: lr=0.01: ");
    expect_said(stopped, 1, "; lr=0.01: dice ");
    EXPECT_EQ(stopped.output.find("; failed: "), std::string::npos) << "it went on for a step\n" << stopped.output;
    EXPECT_NE(text_of("kept/sweep.toml").find(kept), std::string::npos) << "it is not done";
    expect_said(sweep("kept", all), 0, "failed before, and is tried again after the others: lr=0.01: ");
    EXPECT_EQ(text_of("kept/sweep.toml").find("failures"), std::string::npos);
    EXPECT_EQ(sweep("kept", all).output.find("failed before"), std::string::npos);
}

TEST_F(SweepTest, AnInterruptForgetsNoFailure) {
    const std::string more = "--epochs 40000 --grid lr=0.01", kept = "\"lr=0.01\" = \"ended by signal 9 (Killed)";
    expect_said(script(start("again", more) + wait_until(has_epoch("again/lr=0.01")) + kill_training() + end()), 1,
                "failed: lr=0.01: ended by signal 9 (Killed)");
    EXPECT_NE(text_of("again/sweep.toml").find(kept), std::string::npos) << text_of("again/sweep.toml");
    const std::string lines = "$(wc -l < " + quoted("again/lr=0.01/metrics.csv") + ")";
    const Outcome stopped = script("before=" + lines + "; " + start("again", more) +
                                   wait_until("[ " + lines + " -gt $before ]") + "kill -INT $pid; " + end());
    expect_said(stopped, 130, "failed before, and is tried again after the others: lr=0.01: ended by signal 9");
    EXPECT_NE(text_of("again/sweep.toml").find(kept), std::string::npos) << text_of("again/sweep.toml");
}

// A folder stands in the plan's place while the first training fails, and is gone when the second one ends.
TEST_F(SweepTest, AFailureThatCannotBeWrittenIsWrittenWithTheNextOne) {
    const std::string plan = quoted("unwritten/sweep.toml"), aside = quoted("aside");
    const Outcome outcome =
        script(start("unwritten", "--epochs 40000 --grid lr=0.01,0.03") + wait_until(has_epoch("unwritten/lr=0.01")) +
               "mv " + plan + " " + aside + "; mkdir " + plan + "; " + kill_training() +
               wait_until("grep -q 'the trainings go on' " + quoted("said")) + "rmdir " + plan + "; mv " + aside + " " +
               plan + "; " + wait_until(has_epoch("unwritten/lr=0.03")) + "kill -INT $pid; " + end());
    expect_said(outcome, 130, "; the trainings go on");
    EXPECT_NE(text_of("unwritten/sweep.toml").find("\"lr=0.01\" = \"ended by signal 9"), std::string::npos)
        << text_of("unwritten/sweep.toml");
}

// Somebody begins the second training while the sweep is at the first one.
TEST_F(SweepTest, ATrainingThatSomebodyElseHasBegunMeanwhileIsResumed) {
    const std::string run = "shared/lr=0.03",
                      metrics = "[ \"$(tail -qn +3 " + quoted(run) + "/metrics.csv 2>/dev/null)\" ]";
    const Outcome outcome =
        script(start("shared", "--epochs 40000 --grid lr=0.01,0.03") + wait_until(has_epoch("shared/lr=0.01")) +
               program() + " train" + settings("--epochs 40000 --max-hours 1e-5 --output-dir ") + quoted(run) +
               " || { kill $pid; exit 99; }; " + kill_training() + wait_until(metrics) + "kill -INT $pid; " + end());
    expect_said(outcome, 130, "not finished: lr=0.03: stands in epoch");
    EXPECT_EQ(outcome.output.find("failed: lr=0.03"), std::string::npos) << outcome.output;
}

// Somebody goes on with one training of a sweep, and stops it once the sweep has ended the other one.
TEST_F(SweepTest, ALockedTrainingIsPutOff) {
    const std::string more = "--epochs 4000 --grid lr=0.01,0.03 --max-hours 1e-5";
    ASSERT_EQ(sweep("locked", more).code, 0);
    const std::string held = quoted("locked/lr=0.01");
    const Outcome outcome = script(program() + " train --resume " + held + " --max-hours 0 > " +
                                   quoted("said of held") + " 2>&1 & held=$!; " + "until grep -q 'epoch 2/' " +
                                   quoted("said of held") + "; do sleep 0.01; done; " + start("locked", more) +
                                   wait_until("grep -q 'of 2 done' " + quoted("said")) + "kill -INT $held; " + end());
    expect_said(outcome, 0, "put off: ");
    expect_said(outcome, 0, "locked/lr=0.01: a training is using this run folder");
    EXPECT_LT(outcome.output.find("1 of 2 done"), outcome.output.find("; lr=0.03: ")) << outcome.output;
    EXPECT_LT(outcome.output.find("; lr=0.03: "), outcome.output.find("2 of 2 done")) << outcome.output;
}

// Whoever uses the folder is stopped, and so holds it for longer than the ten seconds that a sweep waits.
TEST_F(SweepTest, ALockThatIsHeldOnIsAFailure) {
    const std::string more = "--epochs 4000 --grid lr=0.01 --max-hours 1e-5", log = quoted("said of holder");
    ASSERT_EQ(sweep("holder", more).code, 0);
    const Outcome outcome =
        script(program() + " train --resume " + quoted("holder/lr=0.01") + " --max-hours 0 > " + log +
               " 2>&1 & held=$!; until grep -q 'epoch 2/' " + log + "; do sleep 0.01; done; kill -STOP $held; " +
               start("holder", more) + "wait $pid; kill -KILL $held; " + end());
    expect_said(outcome, 1, "put off: ");
    const size_t failed = outcome.output.find("1 of 1 done; failed: lr=0.01: ");
    ASSERT_NE(failed, std::string::npos) << outcome.output;
    EXPECT_NE(outcome.output.find("a training is using this run folder (process ", failed), std::string::npos)
        << outcome.output;
    EXPECT_NE(text_of("holder/sweep.toml").find("a training is using this run folder"), std::string::npos);
}

// As a shell with job control stops it and lets it go on: with a process group of its own. Then the first training is
// killed, and what is left is guessed from the time that it took, which has no second of the three that all stood still.
TEST_F(SweepTest, CtrlZStopsTheTrainingsTooAndTheyGoOnWithIt) {
    const std::string state =
        "state() { cut -d' ' -f3 /proc/$pid/stat $(sed 's,[0-9][0-9]*,/proc/&/stat,g' "
        "<<< \"$children\") | sort -u | tr -d '\\n'; }; ";
    const Outcome outcome = script(
        "set -m; began=$(date +%s%N); " + start("paused", "--epochs 40000 --grid lr=0.01,0.03 --jobs 2") +
        wait_until("[ \"$(ls " + quoted("paused") + "/*/metrics.csv 2>/dev/null | wc -l)\" = 2 ]") +
        "children=$(cat /proc/$pid/task/$pid/children); children=${children% }; " + state +
        "kill -TSTP $pid; until [ \"$(state)\" = T ]; do sleep 0.02; done; echo all stopped; sleep 3; "
        "kill -CONT $pid; until ! state | grep -q T; do sleep 0.02; done; echo all go on; kill -KILL ${children% *}; " +
        wait_until("grep -q '1 of 2 done' " + quoted("said")) +
        "echo whole time $((($(date +%s%N) - began) / 1000000)) ms; kill -INT $pid; " + end());
    expect_said(outcome, 130, "all stopped");
    expect_said(outcome, 130, "all go on");
    expect_said(outcome, 130, "not finished: lr=0.03: stands in epoch");
    const auto number_behind = [&](const std::string& words) {
        const size_t at = outcome.output.find(words);
        return at == std::string::npos ? std::nan("")
                                       : std::strtod(outcome.output.c_str() + at + words.size(), nullptr);
    };
    // The duration is rounded to whole seconds from 10 on.
    EXPECT_LE(number_behind("1 of 2 done, about "), number_behind("whole time ") / 1000 - 2.4) << outcome.output;
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
    const std::string grid = "--epochs 4000 --grid lr=0.01,0.03 --jobs 2",
                      command = program() + " sweep" + settings(grid) + " -o " + quoted("stopped"),
                      metrics = "tail -qn +3 " + quoted("stopped") + "/*/metrics.csv 2>/dev/null";
    const Outcome outcome =
        script(start("stopped", grid) + wait_until("[ -n \"$(" + metrics + ")\" ]") + "kill -INT $pid; " + end());
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
