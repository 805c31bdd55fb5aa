#include "segmentation/run_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace atrous {
namespace {

namespace fs = std::filesystem;

struct Said : Messages {
    std::string all;
    void text(const std::string& lines) override { all += lines; }
    void warning(const std::string& line) override { all += "warning: " + line + "\n"; }
};

struct RunLogTest : testing::Test {
    fs::path path = fs::temp_directory_path() / ("atrous log " + std::to_string(getpid()));
    Said said;
    void TearDown() override { fs::remove_all(path); }
    std::string contents() const {
        std::stringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }
};

TEST_F(RunLogTest, KeepsWhatIsSaidBeforeAndAfterTheFolderIsThere) {
    std::ofstream(path) << "an earlier run\n";
    RunLog log(said);
    log.text("before\n");
    log.open(path.string());
    log.warning("lower `lr`");
    log.keep("in the log alone\n");
    EXPECT_EQ(contents(), "an earlier run\nbefore\nwarning: lower --lr\nin the log alone\n");
    EXPECT_EQ(said.all, "before\nwarning: lower `lr`\n");
}

// A pipe that nobody reads would make the training wait for ever.
TEST_F(RunLogTest, WhatIsNoFileIsGivenUpWithOneWarning) {
    for (const bool pipe : {true, false}) {
        fs::remove_all(path);
        if (pipe)
            ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
        else
            fs::create_directory(path);
        said.all.clear();
        RunLog log(said);
        log.open(path.string());
        log.text("one\n");
        log.text("two\n");
        EXPECT_NE(said.all.find("is given up"), std::string::npos) << said.all;
        EXPECT_EQ(std::count(said.all.begin(), said.all.end(), '\n'), 3) << said.all;
    }
}

}  // namespace
}  // namespace atrous
