// A range test of the learning rate as a user runs it.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

using test::Outcome, test::program, test::shell;

class FindRateTest : public test::WithDrawnData<FindRateTest> {
 protected:
    static void SetUpTestSuite() { draw("find lr", 16); }
    static Outcome run(const std::string& more, const std::string& verb = "find-lr") {
        return shell("cd " + quoted("") + " && " + program() + " " + verb +
                     " --data data --base-channels 4 --depth 2 " + "--size 32 --batch-size 4 --threads 1 " + more);
    }
    static std::string text_of(const std::string& file) {
        std::ifstream in(root() / file);
        return {std::istreambuf_iterator<char>(in), {}};
    }
};

TEST_F(FindRateTest, SuggestsARateAndLeavesAFileOfItsStepsAlone) {
    const Outcome found = run("--optimizer sgd --highest-lr 10 --steps 60 -o lr.csv");
    ASSERT_EQ(found.code, 0) << found.output;
    EXPECT_NE(found.output.find("suggestion: --lr "), std::string::npos) << found.output;
    EXPECT_NE(found.output.find("wrote lr.csv\n"), std::string::npos) << found.output;
    EXPECT_FALSE(fs::exists(root() / "runs")) << "no run folder is made";

    std::istringstream csv(text_of("lr.csv"));
    std::string line;
    std::getline(csv, line);
    EXPECT_EQ(line, "step,lr,loss,smoothed");
    int rows = 0;
    double rate = 0, loss = 0, smoothed = 0, before = 0;
    for (; std::getline(csv, line); before = rate) {
        int step = 0;
        ASSERT_EQ(std::sscanf(line.c_str(), "%d,%lf,%lf,%lf", &step, &rate, &loss, &smoothed), 4) << line;
        EXPECT_EQ(step, ++rows);
        EXPECT_GT(rate, before);
    }
    const bool ended = found.output.find("ended after step") != std::string::npos;
    EXPECT_EQ(rows < 60, ended) << found.output;
}

// The whole line of what it depends on: the seed, and neither the workers nor who else looks.
TEST_F(FindRateTest, GivesTheSameStepsAgain) {
    const std::string options = "--steps 25 --augment standard --mosaic 0.5 --overwrite ";
    ASSERT_EQ(run(options + "-o one.csv").code, 0);
    ASSERT_EQ(run(options + "-o two.csv --workers 3").code, 0);
    EXPECT_EQ(text_of("one.csv"), text_of("two.csv"));
    ASSERT_EQ(run(options + "-o two.csv --seed 9").code, 0) << "its own file may be replaced";
    EXPECT_NE(text_of("one.csv"), text_of("two.csv"));
}

TEST_F(FindRateTest, TakesARunsConfigurationAndRefusesItsFolder) {
    ASSERT_EQ(run("--epochs 1 --output-dir run --save-every 3 --ema 0.9 --monitor loss --schedule plateau "
                  "--warmup-steps 2 --patience-stop 9",
                  "train")
                  .code,
              0);
    const std::string before = text_of("run/last.safetensors");
    const Outcome found = shell("cd " + quoted("") + " && " + program() +
                                " find-lr --config run/config.toml --steps 20 " + "--pretrained run -o again.csv");
    ASSERT_EQ(found.code, 0) << found.output;
    EXPECT_NE(found.output.find("averaged weights, of decay 0.9"), std::string::npos) << "it starts from that run's";
    EXPECT_EQ(text_of("run/last.safetensors"), before);
    const Outcome refused = run("--steps 20 --resume run");
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.output.find("--resume is not for a range test"), std::string::npos) << refused.output;
    for (const char* given : {"--lr 0.1", "--schedule cosine", "--epochs 3", "--patience-stop 2", "--ema 0.9",
                              "--swa-from 0.5", "--swa-lr 0.1", "--milestones 3"}) {
        const Outcome o = run(std::string("--steps 20 ") + given);
        const std::string key(given, std::string(given).find(' '));
        EXPECT_EQ(o.code, 2) << given;
        EXPECT_NE(o.output.find(key + " changes nothing in a range test, which takes --steps steps"), std::string::npos)
            << o.output;
    }
    EXPECT_EQ(found.output.find("changes nothing"), std::string::npos) << found.output;
    EXPECT_EQ(run("--lowest-lr 1 --highest-lr 0.1").code, 2);
    std::ofstream(root() / "mine.csv") << "a,b\n";
    EXPECT_EQ(run("--steps 20 -o mine.csv").code, 2) << "another program's file";
    EXPECT_EQ(text_of("mine.csv"), "a,b\n");
}

}  // namespace
}  // namespace atrous
