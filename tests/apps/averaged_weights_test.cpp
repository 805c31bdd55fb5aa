// A training that averages the weights of its epochs, and who scores or predicts by it.
#include <gtest/gtest.h>

#include "tests/apps/program.h"

namespace atrous {
namespace {

using test::Outcome, test::program, test::shell;

class AveragedWeightsTest : public test::WithDrawnData<AveragedWeightsTest> {
 protected:
    static void SetUpTestSuite() { draw("averaged weights", 8); }
    static Outcome run(const std::string& words) {
        return shell("cd " + quoted("") + " && " + program() + " " + words + " --threads 1");
    }
};

TEST_F(AveragedWeightsTest, EvalAndPredictSayThatWeightsAreAveraged) {
    ASSERT_EQ(run("train --data data --base-channels 4 --depth 2 --size 32 --batch-size 4 --epochs 2 --swa-from 2 "
                  "--output-dir averaged")
                  .code,
              0);
    const Outcome scored = run("eval --data data --checkpoint averaged");
    EXPECT_EQ(scored.code, 0);
    EXPECT_NE(scored.output.find("averaged/best.safetensors: averaged weights, the mean of 1 epoch\n"),
              std::string::npos)
        << scored.output;
    const Outcome predicted = run("predict data/val/images --checkpoint averaged --output masks");
    EXPECT_EQ(predicted.code, 0) << predicted.output;
    EXPECT_NE(predicted.output.find("averaged: averaged weights, the mean of 1 epoch\n"), std::string::npos)
        << predicted.output;
}

}  // namespace
}  // namespace atrous
