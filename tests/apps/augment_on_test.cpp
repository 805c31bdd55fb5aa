// Trainings whose images the device augments take the steps of those whose images the host augments.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "data/synth.h"
#include "tests/apps/program.h"
#include "tests/data/fixtures.h"

namespace atrous {
namespace {

using data::test::TempDir;
using test::Outcome, test::program, test::shell;

class AugmentOn : public testing::Test {
 protected:
    AugmentOn() { data::write_dataset(dir_ / "set", 12, 32, 1, 0.25); }

    Outcome train(const std::string& to, const std::string& more) const {
        return shell(
            program() + " train --data " + (dir_ / "set") + " --output-dir " + (dir_ / to) +
            " --size 24 --base-channels 2 --depth 1 -b 4 --lr 1e-2 --threads 1 --workers 1 --rotate 30 --scale "
            "0.6 1.6 --vflip 0.5 --turn --brightness 0.3 --contrast 0.3 " +
            more);
    }
    // The losses and scores of each epoch.
    std::string metrics(const std::string& run) const {
        std::ifstream file(dir_ / (run + "/metrics.csv"));
        std::string text;
        for (std::string line; std::getline(file, line);)
            text += std::regex_replace(line, std::regex(",[^,]*$"), "") + "\n";
        return text;
    }

    TempDir dir_;
};

TEST_F(AugmentOn, TheDeviceOrTheHostIsOneTraining) {
    for (const std::string device : {"cpu", "emulated"}) {
        SCOPED_TRACE(device);
        const std::string on = "--device " + device + " --precision fp32 --epochs 2 --augment-on ";
        const Outcome host = train(device + "-host", on + "host"), planned = train(device + "-device", on + "device");
        if (device == "emulated" && host.code == 2) GTEST_SKIP() << "no emulator";
        ASSERT_EQ(host.code, 0) << host.output;
        ASSERT_EQ(planned.code, 0) << planned.output;
        ASSERT_NE(metrics(device + "-host"), "");
        EXPECT_EQ(metrics(device + "-device"), metrics(device + "-host"));
        // One epoch there, the next here.
        ASSERT_EQ(train(device + "-both", on + "device --epochs 1").code, 0);
        const Outcome resumed =
            shell(program() + " train --resume " + (dir_ / (device + "-both")) + " --epochs 2 --augment-on host");
        ASSERT_EQ(resumed.code, 0) << resumed.output;
        EXPECT_EQ(metrics(device + "-both"), metrics(device + "-host"));
        // Stopped within the first epoch here, and ended there.
        const Outcome stopped = train(device + "-within", on + "device --max-hours 1e-9");
        ASSERT_EQ(stopped.code, 0) << stopped.output;
        EXPECT_EQ(metrics(device + "-within").find("\n1,"), std::string::npos) << "an epoch was ended";
        const Outcome ended =
            shell(program() + " train --resume " + (dir_ / (device + "-within")) + " --max-hours 0 --augment-on host");
        ASSERT_EQ(ended.code, 0) << ended.output;
        EXPECT_EQ(metrics(device + "-within"), metrics(device + "-host"));
    }
}

TEST_F(AugmentOn, SaysWhyTheHostDoes) {
    const Outcome refused = train("run", "--augment-on device --accumulate 2");
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.output.find("--augment-on device: --accumulate 2 counts labels on the host"), std::string::npos)
        << refused.output;
    const Outcome host = train("run", "--device emulated --epochs 1 --accumulate 2");
    if (host.code == 2) GTEST_SKIP() << "no emulator";
    ASSERT_EQ(host.code, 0) << host.output;
    EXPECT_NE(host.output.find("images are augmented on the host: --accumulate 2 counts labels"), std::string::npos)
        << host.output;
}

}  // namespace
}  // namespace atrous
