// Study pages from the command line: what is refused, and what a page replaces.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/apps/program.h"

namespace atrous {
namespace {

using test::Outcome, test::program, test::shell;

class InspectTest : public test::WithDrawnData<InspectTest> {
 protected:
    static void SetUpTestSuite() { draw("inspect", 8); }
    static Outcome inspect(const std::string& words) {
        return shell(program() + " inspect --threads 1 --device cpu --grid 1 " + words);
    }
    static std::string net() { return " --model unet --base-channels 4 --depth 1 --size 32 "; }
    static std::string image() { return quoted("data/val/images/" + first("data/val/images")); }
    static std::string mask() { return quoted("data/val/masks/" + first("data/val/masks")); }
    static std::string first(const std::string& folder) {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(root() / folder))
            names.push_back(entry.path().filename());
        return *std::min_element(names.begin(), names.end());
    }
    static std::string text_of(const std::string& name) {
        std::ostringstream text;
        text << std::ifstream(root() / name).rdbuf();
        return text.str();
    }
    static void expect_refused(const Outcome& outcome, int code, const std::string& words) {
        EXPECT_EQ(outcome.code, code) << outcome.output;
        EXPECT_NE(outcome.output.find(words), std::string::npos) << outcome.output;
    }
};

TEST_F(InspectTest, WritesAPageThatAsksForNothing) {
    const Outcome outcome = inspect(image() + net() + "--masks " + mask() + " -o " + quoted("page.html"));
    ASSERT_EQ(outcome.code, 0) << outcome.output;
    const std::string page = text_of("page.html");
    EXPECT_EQ(page.find("<!DOCTYPE html>"), 0u);
    for (const char* connection : {"src=\"http", "href=\"http", "@import", "fetch(", "XMLHttpRequest"})
        EXPECT_EQ(page.find(connection), std::string::npos) << connection;
    for (const char* part : {"\"untrained\"", "\"loss\":", "\"fields\":[{", "\"activations\":[{", "\"filters\":{"})
        EXPECT_NE(page.find(part), std::string::npos) << part;
    EXPECT_EQ(inspect(image() + net() + " -o " + quoted("page.html")).code, 0) << "a page replaces a page";
}

TEST_F(InspectTest, TheSameSeedGivesTheSamePicture) {
    const auto page = [&](const std::string& seed) {
        EXPECT_EQ(inspect(image() + net() + "--overwrite --seed " + seed + " -o " + quoted("seed.html")).code, 0);
        const std::string text = text_of("seed.html");
        const size_t at = text.find("\"probabilities\":");
        return text.substr(at, text.find("\"softmax\"") - at);
    };
    const std::string first = page("1");
    EXPECT_EQ(page("1"), first);
    EXPECT_NE(page("2"), first);
}

TEST_F(InspectTest, RefusesWhatCannotBeShown) {
    const std::string page = " -o " + quoted("refused.html");
    expect_refused(inspect(image() + page), 2, "a net without --checkpoint: does not say what net it is of");
    expect_refused(inspect(image() + net()), 2, "--output");
    expect_refused(inspect(net() + page), 2, "images");
    expect_refused(inspect(image() + net() + page + " --masks " + mask() + " " + mask()), 2,
                   "--masks: 2 for 1 images; expected one an image");
    expect_refused(inspect(quoted("no such.png") + net() + page), 3, "no such.png");
    expect_refused(inspect(image() + page + " --checkpoint " + quoted("nothing")), 4, "nothing");
    expect_refused(inspect(image() + net() + " -o " + image()), 2, "is the file that images reads");
    expect_refused(inspect(image() + net() + page + " --masks " + quoted("no mask.png")), 3, "no mask.png");
    std::string many = image();
    for (int i = 0; i < 16; ++i) many += " " + image();
    expect_refused(inspect(many + net() + page), 2, "17 for 1 nets; a page holds 16");
    EXPECT_FALSE(std::filesystem::exists(root() / "refused.html"));
    std::ofstream(root() / "mine.html") << "<html>of somebody else</html>";
    expect_refused(inspect(image() + net() + " -o " + quoted("mine.html")), 2, "--overwrite");
    EXPECT_EQ(text_of("mine.html"), "<html>of somebody else</html>");
}

TEST_F(InspectTest, ComparesATrainedNetWithOneThatIsDescribed) {
    const Outcome trained = shell(program() + " train --data " + quoted("data") + net() +
                                  "--epochs 1 --threads 1 --device cpu "
                                  "--output-dir " +
                                  quoted("run"));
    ASSERT_EQ(trained.code, 0) << trained.output;
    const std::string page = " -o " + quoted("two.html") + " --compare " + quoted("run");
    EXPECT_EQ(inspect(image() + net() + page).code, 0);
    EXPECT_NE(text_of("two.html").find("\"untrained\""), std::string::npos);
    expect_refused(inspect(image() + net() + page + " --checkpoint " + quoted("run") + " --overwrite"), 2,
                   "says itself what net it is of");
    expect_refused(inspect(image() + page + " --seed 3 --overwrite --checkpoint " + quoted("run")), 2, "--seed");
}

TEST_F(InspectTest, KernelRefusesWhatCannotBePlayed) {
    const std::string page = " -o " + quoted("refused.html");
    const auto kernel = [&](const std::string& words) { return shell(program() + " inspect kernel " + words + page); };
    expect_refused(kernel("conv3d --shape 1x8x8x8"), 2,
                   "op 'conv3d' has no cases of a given size; expected one of add");
    expect_refused(kernel("conv2 --shape 1x8x8x8"), 2, "did you mean conv2d?");
    expect_refused(kernel("conv2d"), 2, "--shape");
    expect_refused(kernel("conv2d --shape 1x8x8"), 2, "expected batch x height x width x channels");
    expect_refused(kernel("relu --shape 1x8x8x8 1x8x8x8"), 2, "relu takes 1 shapes, found 2");
    expect_refused(kernel("conv2d --shape 16x65x65x2048"), 2, "Expected a smaller one, such as 1x16x16x16");
    expect_refused(kernel("confusion --shape 1x8x8x1 --pass backward"), 2, "confusion has no gradient");
    expect_refused(kernel("relu --shape 1x8x8x8 --pass sideways"), 2, "--pass");
    for (const char* key : {"dilation", "stride", "padding"})  // 2^32 + 2 is 2 in an int
        expect_refused(kernel("conv2d --shape 1x8x8x8 --" + std::string(key) + " 4294967298"), 2, key);
    EXPECT_FALSE(std::filesystem::exists(root() / "refused.html"));
}

#ifdef ATROUS_RECORDS_KERNELS
TEST_F(InspectTest, KernelPageGivesTheCommandThatMadeIt) {
    const std::string made = "cd " + quoted("") + " && ATROUS_EMULATED_CAPABILITY=90 " + program() +
                             " inspect kernel batch_norm --shape 1x4x4x8 -o \"it's; \\$HOME.html\"";
    ASSERT_EQ(shell(made).code, 0) << made;
    const std::string page = text_of("it's; $HOME.html"), mark = "id=\"kernel\">";
    const size_t from = page.find(mark) + mark.size();
    const auto trace = nlohmann::json::parse(page.substr(from, page.find("</script>", from) - from));
    const std::string command = trace["command"],
                      wanted = "ATROUS_EMULATED_CAPABILITY=90 atrous inspect kernel batch_norm --shape 1x4x4x8 -o ";
    ASSERT_TRUE(command.starts_with(wanted)) << command;
    EXPECT_EQ(shell("printf %s " + command.substr(wanted.size())).output, "it's; $HOME.html") << command;
    EXPECT_EQ(trace["numbers"]["relu"], 0) << "batch norm has a ReLU that nobody asked for";
}
#endif

TEST_F(InspectTest, SummaryDrawsTheGraphAlone) {
    const std::string summary = program() + " summary --model unet --base-channels 4 --depth 1 --size 32 --html ";
    ASSERT_EQ(shell(summary + quoted("graph.html")).code, 0);
    EXPECT_NE(text_of("graph.html").find("\"nodes\":[{"), std::string::npos);
    expect_refused(shell(summary + quoted("no folder/graph.html")), 4, "no folder");
}

}  // namespace
}  // namespace atrous
