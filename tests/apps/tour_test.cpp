// The commands of docs/tour.md, run one after the other as a reader would, and what the page quotes of their output.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/apps/program.h"

namespace atrous {
namespace {

struct Command {
    std::string words;
    std::vector<std::string> quoted;  // lines of its output; "…" stands for some that are left out
    bool exact = false;
};

struct Tour {
    std::vector<Command> commands;
    std::vector<std::pair<std::string, std::string>> files;  // name, text
};

#ifdef ATROUS_RECORDS_KERNELS
constexpr bool records_kernels = true;
#else
constexpr bool records_kernels = false;  // with CUDA, under sanitizers
#endif

// Blocks between ```: "console" and "text" hold commands behind "$", of "text" the output is quoted to the digit; "python"
// a file, which its first line names behind "#".
Tour read_tour(const std::filesystem::path& path) {
    Tour tour;
    std::string kind;
    std::ifstream page(path);
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("```")) {
            kind = line.substr(3);
        } else if (kind == "python") {
            if (line.starts_with("# ") && line.ends_with(".py")) tour.files.emplace_back(line.substr(2), "");
            tour.files.at(tour.files.size() - 1).second += line + "\n";
        } else if (kind == "console" || kind == "text") {
            const bool goes_on = !tour.commands.empty() && tour.commands.back().words.ends_with("\\\n");
            if (line.starts_with("$ "))
                tour.commands.push_back({line.substr(2), {}, kind == "text"});
            else if (goes_on)
                tour.commands.back().words += line;
            else if (!tour.commands.empty())
                tour.commands.back().quoted.push_back(line);
            if (line.ends_with("\\")) tour.commands.back().words += "\n";
        }
    }
    return tour;
}

// Times, and digits that depend on the machine, are left out, and so is how wide a column is.
std::string form_of(const std::string& line, bool exact) {
    static const std::regex blanks(" +"), ends("^ | $"), number("-?[0-9][0-9.,]*(e[-+][0-9]+)?"),
        unit("# (s|ms|us|k|M|G)\\b");
    std::string text = std::regex_replace(std::regex_replace(line, blanks, " "), ends, "");
    if (exact) return text;
    return std::regex_replace(std::regex_replace(text, number, "#"), unit, "#");
}

// Whether the quoted lines stand in the output, in their order; "…" at the end of one stands for its rest.
std::string missing_line(const Command& command, const std::string& output) {
    std::istringstream lines(output);
    for (const std::string& quoted : command.quoted) {
        if (quoted == "…" || quoted.empty()) continue;
        const size_t end = quoted.find(" …");
        const std::string wanted = form_of(quoted.substr(0, end), command.exact);
        bool found = false;
        for (std::string line; !found && std::getline(lines, line);) {
            const std::string form = form_of(line, command.exact);
            found = end == std::string::npos ? form == wanted : form.starts_with(wanted);
        }
        if (!found) return quoted;
    }
    return "";
}

class TourTest : public testing::Test {
 protected:
    void SetUp() override { std::filesystem::create_directories(folder_); }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    test::Outcome run(const std::string& words) const {
        const std::string bin = std::filesystem::path(test::program()).parent_path();
        return test::shell("unset ATROUS_EMULATED_CAPABILITY; cd '" + folder_.string() + "' && export PATH='" + bin +
                           "':\"$PATH\" && { " + words + "\n}");
    }
    const std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() / ("atrous tour " + std::to_string(getpid()));
};

TEST_F(TourTest, EveryCommandRunsAndGivesWhatIsQuoted) {
    const Tour tour = read_tour(test::test_root() + "/docs/tour.md");
    ASSERT_GT(tour.commands.size(), 10u) << "the tour has lost its commands";
    if (test::shell("python3 --version").code != 0) GTEST_SKIP() << "the tour needs a Python";
    for (const auto& [name, text] : tour.files) std::ofstream(folder_ / name) << text;
    for (const Command& command : tour.commands) {
        // Where kernels cannot be recorded the rest of the tour goes on without their pages.
        const bool recorded = command.words.find("inspect kernel") != std::string::npos ||
                              command.words.find("--counters") != std::string::npos;
        if (recorded && !records_kernels) continue;
        const test::Outcome outcome = run(command.words);
        ASSERT_EQ(outcome.code, 0) << command.words << "\n" << outcome.output;
        EXPECT_EQ(missing_line(command, outcome.output), "") << "of\n" << command.words << "\n" << outcome.output;
    }
}

}  // namespace
}  // namespace atrous
