// `atrous data check` and `atrous data show` as a user runs them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/image.h"
#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using test::Outcome, test::program, test::shell;

class DataTest : public testing::Test {
 protected:
    void SetUp() override {
        fs::create_directories(root_);
        ASSERT_EQ(run("synth --output '" + set() + "' --count 12 --size 32 --seed 3").code, 0);
    }
    void TearDown() override { fs::remove_all(root_); }
    std::string set() const { return (root_ / "set").string(); }
    static Outcome run(const std::string& arguments) { return shell(program() + " " + arguments); }

    const fs::path root_ = fs::temp_directory_path() / ("atrous data " + std::to_string(getpid()));
};

TEST_F(DataTest, ChecksASetTwiceAndSaysTheSame) {
    const std::string json = (root_ / "check.json").string();
    const Outcome first = run("data check '" + set() + "' --size 32 --json '" + json + "'");
    EXPECT_EQ(first.code, 0) << first.output;
    EXPECT_NE(first.output.find("a training can take this data set"), std::string::npos) << first.output;
    const Outcome second = run("data check --data '" + set() + "' --size 32");
    EXPECT_EQ(second.output, first.output);
    std::ifstream file(json);
    const auto parsed = nlohmann::json::parse(file);
    EXPECT_EQ(parsed["engine"], "atrous");
    EXPECT_EQ(parsed["samples"]["train"], 10);
    EXPECT_EQ(parsed["classes"].size(), 2u);
}

TEST_F(DataTest, ASetThatCannotBeTrainedOnHasTheCodeOfData) {
    fs::resize_file(
        set() + "/train/images/" + fs::directory_iterator(set() + "/train/images")->path().filename().string(), 10);
    const Outcome check = run("data check '" + set() + "'");
    EXPECT_EQ(check.code, 3) << check.output;
    EXPECT_NE(check.output.find("problem: "), std::string::npos) << check.output;
    EXPECT_NE(check.output.find("would refuse this data set: 1 problem"), std::string::npos) << check.output;
    EXPECT_EQ(run("data check '" + set() + "/nowhere'").code, 3);
    EXPECT_EQ(run("data").code, 2);
    EXPECT_EQ(run("data look").code, 2);
    EXPECT_EQ(run("data -h").code, 0);
}

TEST_F(DataTest, ShowsASetAndKeepsItsFiles) {
    const std::string sheet = (root_ / "sheet.png").string();
    const Outcome shown = run("data show '" + set() + "' --size 32 --augment -o '" + sheet + "'");
    ASSERT_EQ(shown.code, 0) << shown.output;
    EXPECT_GT(data::load_image(sheet).w, 500);
    const std::string strong_sheet = (root_ / "strong.png").string();
    const data::Image given = data::load_image(sheet);
    const Outcome strong = run("data show '" + set() + "' --size 32 --augment strong -o '" + strong_sheet + "'");
    ASSERT_EQ(strong.code, 0) << strong.output;
    EXPECT_NE(data::load_image(strong_sheet).u8, given.u8);
    // Without a word it shows what the settings say, the preset of a configuration file among them.
    const std::string config = (root_ / "strong.toml").string();
    std::ofstream(config) << "augment = \"strong\"\n";
    const std::string of_file = "data show '" + set() + "' --size 32 --config '" + config + "' --overwrite ";
    for (const char* form : {"--augment -o '", "-o '"}) {
        const Outcome by_file = run(of_file + form + sheet + "'");
        ASSERT_EQ(by_file.code, 0) << by_file.output;
        const bool augmented = form[1] == '-';
        EXPECT_EQ(data::load_image(sheet).u8 == data::load_image(strong_sheet).u8, augmented) << form;
    }
    EXPECT_EQ(run("data check '" + set() + "' --augment").code, 2) << "it shows nothing";
    EXPECT_EQ(run("data show '" + set() + "' --augment heavy -o '" + sheet + "'").code, 2);
    const std::string image = fs::directory_iterator(set() + "/train/images")->path().string();
    EXPECT_EQ(run("data show '" + set() + "' -o '" + image + "'").code, 2) << "a sample is no output";
}

// The checkpoint remembers a split by class, and eval draws it again.
TEST_F(DataTest, EvalScoresWhatASplitByClassHeldOut) {
    fs::create_directories(root_ / "flat");
    for (const char* part : {"images", "masks"})
        fs::copy(set() + "/train/" + part, root_ / "flat" / part, fs::copy_options::recursive);
    const std::string flat = "'" + (root_ / "flat").string() + "'", out = "'" + (root_ / "run").string() + "'";
    const Outcome trained = run("train --data " + flat + " --split-by-class --val-fraction 0.3 --size 32 --epochs 1 " +
                                "--base-channels 4 --depth 2 --threads 1 --output-dir " + out);
    ASSERT_EQ(trained.code, 0) << trained.output;
    const Outcome scored = run("eval --data " + flat + " --checkpoint " + out + " --threads 1");
    EXPECT_EQ(scored.code, 0) << scored.output;
    EXPECT_NE(scored.output.find("split-by-class"), std::string::npos) << scored.output;
    EXPECT_EQ(scored.output.find("was trained on"), std::string::npos) << scored.output;
}

}  // namespace
}  // namespace atrous
