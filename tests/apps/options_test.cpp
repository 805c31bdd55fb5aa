#include "apps/options.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "apps/exit_codes.h"
#include "base/error.h"
#include "base/suggest.h"
#include "base/text_table.h"
#include "segmentation/config_file.h"

namespace {

namespace fs = std::filesystem;
using namespace atrous;
using namespace atrous::app;

// One option of each type.
struct Declared {
    std::string data, model = "unet";
    int64_t batch = 4;
    double lr = 1e-4, offset = 0;
    bool augment = false;
    std::vector<int64_t> rates{6, 12};
    std::vector<double> scales;
    std::vector<std::string> images;
    Options o{"train", "Trains a net."};

    Declared() {
        o.bind("data", data, "folder with images and masks").required();
        o.bind("batch-size", batch, "images in a step").letter('b').min(1).max(64);
        o.bind("lr", lr, "learning rate").above(0);
        o.bind("offset", offset, "any number");
        o.bind("augment", augment, "vary the images").letter('a');
        o.bind("model", model, "the net").one_of({"unet", "resnet"});
        o.bind("rates", rates, "dilations, pixels").min(1);
        o.bind("scales", scales, "scales");
        o.bind("images", images, "images to look at").positional();
    }
};

class OptionsTest : public ::testing::Test {
 protected:
    void SetUp() override {
        folder_ = fs::path(testing::TempDir()) / ("options " + std::to_string(getpid()));
        fs::create_directories(folder_);
    }
    void TearDown() override { fs::remove_all(folder_); }
    std::string config(const std::string& text) const {
        std::ofstream(folder_ / "run.toml") << text;
        return folder_ / "run.toml";
    }
    static std::string refusal(const std::vector<std::string>& words) {
        Declared d;
        try {
            d.o.parse(words);
        } catch (const UsageError& e) {
            EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
            return e.what();
        }
        return "accepted";
    }
    static void expect_refused(const std::vector<std::string>& words, const std::string& said) {
        const std::string message = refusal(words);
        EXPECT_NE(message.find(said), std::string::npos) << testing::PrintToString(words) << "\n  said: " << message;
    }
    void expect_config_refused(const std::string& text, const std::string& said) const {
        expect_refused({"--data", "d", "--config", config(text)}, said);
    }
    fs::path folder_;
};

TEST_F(OptionsTest, DefaultsAndTheirOrigin) {
    Declared d;
    d.o.parse({"--data", "d"});
    EXPECT_EQ(d.data, "d");
    EXPECT_EQ(d.batch, 4);
    EXPECT_EQ(d.lr, 1e-4);
    EXPECT_FALSE(d.augment);
    EXPECT_EQ(d.rates, (std::vector<int64_t>{6, 12}));
    EXPECT_EQ(d.o.at("data").origin, Origin::flag);
    EXPECT_EQ(d.o.at("lr").origin, Origin::by_default);
}

TEST_F(OptionsTest, EveryTypeOnTheCommandLine) {
    Declared d;
    const char* argv[] = {"train",   "--data=my folder", "-b",      "8", "--lr", "3e-4", "--offset", "-1.5", "-a",
                          "--model", "resnet",           "--rates", "1", "2",    "3",    "--scales", "0.5",  "--",
                          "x.png",   "[1] a,b.png"};
    d.o.parse(int(std::size(argv)), argv);
    EXPECT_EQ(d.data, "my folder");
    EXPECT_EQ(d.batch, 8);
    EXPECT_EQ(d.lr, 3e-4);
    EXPECT_EQ(d.offset, -1.5);
    EXPECT_TRUE(d.augment);
    EXPECT_EQ(d.model, "resnet");
    EXPECT_EQ(d.rates, (std::vector<int64_t>{1, 2, 3}));
    EXPECT_EQ(d.scales, (std::vector<double>{0.5}));
    EXPECT_EQ(d.images, (std::vector<std::string>{"x.png", "[1] a,b.png"}));
}

TEST_F(OptionsTest, TheCommandLineOverridesTheFileAndTheFileTheDefaults) {
    const std::string path = config(
        "# a comment\nbatch_size = 16\nlr = 1\naugment = true\ndata = \"from file\"\nrates = [3]\nscales = [1, 0.5]\n"
        "images = [\"ü.png\"]\nmodel = 'resnet'\n");
    Declared d;
    d.o.parse({"--config", path, "--lr", "0.5", "--no-augment"});
    EXPECT_EQ(d.batch, 16);
    EXPECT_EQ(d.o.at("batch-size").origin, Origin::config);
    EXPECT_EQ(d.lr, 0.5);
    EXPECT_EQ(d.o.at("lr").origin, Origin::flag);
    EXPECT_FALSE(d.augment);
    EXPECT_EQ(d.o.at("augment").origin, Origin::flag);
    EXPECT_EQ(d.data, "from file");
    EXPECT_EQ(d.rates, (std::vector<int64_t>{3}));
    EXPECT_EQ(d.scales, (std::vector<double>{1, 0.5}));
    EXPECT_EQ(d.images, (std::vector<std::string>{"ü.png"}));
    EXPECT_EQ(d.o.at("offset").origin, Origin::by_default);
}

TEST_F(OptionsTest, WhatWasUsedCanBeSavedAndUsedAgain) {
    Declared first;
    first.o.parse({"--data", "quote \" slash \\ tab \t", "-b", "7", "-a", "--scales", "0.1", "1", "--lr", "1e-300"});
    Declared second;
    second.o.parse({"--config", config(as_toml(first.o))});
    EXPECT_EQ(second.data, first.data);
    EXPECT_EQ(second.batch, 7);
    EXPECT_EQ(second.scales, first.scales);
    EXPECT_EQ(second.lr, 1e-300);
    EXPECT_EQ(second.images, first.images);
    EXPECT_EQ(as_toml(second.o), as_toml(first.o));
}

TEST_F(OptionsTest, WrongCommandLinesAreRefusedWithTheReason) {
    expect_refused({}, "--data is missing: folder with images and masks");
    expect_refused({}, "`atrous train -h`");
    expect_refused({"--data", "d", "--batch", "4"}, "unknown argument '--batch'; did you mean --batch-size?");
    expect_refused({"--data", "d", "--lrr=4"}, "did you mean --lr?");
    expect_refused({"--data", "d", "--no-augmnt"}, "did you mean --no-augment?");
    expect_refused({"--data", "d", "-b", "0"}, "--batch-size takes an integer from 1 to 64, not '0'");
    expect_refused({"--data", "d", "-b", "65"}, "from 1 to 64");
    for (const char* bad : {"four", "4.0", "4x", " 4", "", "99999999999999999999", "0x10"})
        expect_refused({"--data", "d", "-b", bad}, "--batch-size takes an integer");
    for (const char* bad : {"0", "-1", "nan", "inf", "1e999", "x", "1,5"})
        expect_refused({"--data", "d", "--lr", bad}, "--lr takes a number above 0, not");
    expect_refused({"--data", "d", "--model", "unett"}, "--model takes unet or resnet, not 'unett'");
    expect_refused({"--data", "d", "--rates", "1", "0"}, "--rates takes integers of at least 1, not '1 0'");
    expect_refused({"--data", "d", "--augment=maybe"}, "augment");
    expect_refused({"--data"}, "--data needs a value: text");
    expect_refused({"--data", "d", "--lr"}, "--lr needs a value: a number above 0");
}

TEST_F(OptionsTest, TheLastOfAFlagCounts) {
    Declared d;
    d.o.parse(std::vector<std::string>{"--data", "a", "--lr", "0.5", "--data", "b", "--lr=0.25"});
    EXPECT_EQ(d.data, "b");
    EXPECT_EQ(d.lr, 0.25);
}

TEST_F(OptionsTest, WrongFilesAreRefusedWithFileAndLine) {
    const std::string where = (folder_ / "run.toml").string();
    expect_config_refused("lr = 1\n\nbatchsize = 4\n",
                          where + ":3: unknown option 'batchsize'; did you mean batch-size?");
    expect_config_refused("[train]\nlr = 1\n", where + ":1: unknown option 'train'; options stand at the top level");
    expect_config_refused("config = \"x\"\n", where + ":1: unknown option 'config'");
    expect_config_refused("batch-size = \"4\"\n", where + ":1: batch-size takes an integer from 1 to 64, not '\"4\"'");
    expect_config_refused("batch-size = 4.0\n", "batch-size takes an integer");
    expect_config_refused("batch-size = [4]\n", "batch-size takes an integer from 1 to 64, not '[4]'");
    expect_config_refused("batch-size = 4\nbatch_size = 5\n", where + ":2: 'batch-size' appears twice");
    expect_config_refused("lr = nan\n", "lr takes a number above 0");
    expect_config_refused("lr = \"1\"\n", "lr takes a number above 0");
    expect_config_refused("[{", where + ": not a TOML file");
    expect_config_refused("größe = 3", where + ":1: ");
    expect_config_refused("d\xce\xbf", where + ":1: ");
    expect_config_refused("model = \xe7\x95\x8c", where + ":1: ");
    expect_config_refused("augment = 1\n", "augment takes true or false, not '1'");
    expect_config_refused("model = 1\n", "model takes unet or resnet");
    expect_config_refused("rates = [1, \"2\"]\n", "rates takes integers of at least 1, not '[1, \"2\"]'");
    expect_config_refused("rates = { a = 1 }\n", "rates takes integers");
    expect_config_refused("lr = 2020-01-01\n", "not 'a date'");
    expect_config_refused("lr = \n", where + ":1: ");
    expect_config_refused("lr = 1\nlr = 2\n", where + ":2: ");
    expect_config_refused("data = \"\xff\"\n", where + ":1: ");
    expect_config_refused("x = " + std::string(100'000, '['), where + ":1: ");
    expect_config_refused(std::string(2 << 20, '#'), "too large for a configuration file");
    Declared d;
    EXPECT_THROW(d.o.parse({"--data", "d", "--config", folder_ / "missing.toml"}), atrous::IoError);
}

// As large as a file may be: whatever nests is refused, and neither the parser nor the end of what it made overflows.
TEST_F(OptionsTest, DeepFilesUpToTheLimitAreRefused) {
    constexpr size_t most = 1 << 20;
    const auto repeated = [](const std::string& part, size_t bytes) {
        std::string text;
        while (text.size() + part.size() <= bytes) text += part;
        return text;
    };
    const auto filled = [&](const std::string& part, const std::string& end, const std::string& begin = "") {
        return begin + repeated(part, most - begin.size() - end.size()) + end;
    };
    const std::string deep = "a key of more than 16 parts";
    const std::string tails[] = {"a = 1", "a]", "a]]", "a"};
    for (const char* part : {"a.", "a . ", "'a'.", "\"a\"\t.\t", "\"\\\"\" . ", "'#' .", "é.", "..", "a.b"})
        for (const char* begin : {"", "[", "[[", "x = {", "x = [{", "lr = 1\r\n", "x = \"\"\"a\"\"\"\"\"\n", "# \"\n"})
            for (const std::string& tail : tails) {
                const std::string text = filled(part, tail, begin);
                ASSERT_LE(text.size(), most);
                expect_config_refused(text, deep);
            }
    expect_config_refused("lr = 1\ndata = \"\"\"\n\n\"\"\"\n" + repeated("a.", 64) + "a = 1", ":5: " + deep);
    const std::string key = repeated("a.", 30) + "a";  // as deep as a key may be
    for (const std::string& part : {std::string("["), std::string("{a="), std::string("[{a="), "{" + key + "=",
                                    "[[" + key + "]]\n", "[" + key + "]\n"})
        for (const char* end : {"", "1", "]", "}"})
            expect_config_refused(filled(part, end, part[0] == '[' && part.size() > 4 ? "" : "x="), "run.toml");
    std::string levels = "x=" + repeated("{" + key + "=", 200 * (key.size() + 2)) + "1" + std::string(200, '}');
    expect_config_refused(levels, "unknown option 'x'");
    expect_config_refused(filled("a\n", ""), "run.toml:1: ");
    expect_config_refused(filled("\"", ""), "run.toml");
    expect_config_refused(filled("'", ""), "run.toml");
    expect_config_refused(filled("\\", "", "x = \""), "run.toml:1: ");
}

TEST_F(OptionsTest, DotsInValuesAndStringsAreNoKeys) {
    const std::string dots(40, '.');
    Declared d;
    d.o.parse({"--config", config("data = \"" + dots + "\" # " + dots +
                                  "\nscales = [1.5, 0.5, 2.5, 0.25, 1.5, 1.5, 1.5, 1.5, "
                                  "1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]\nimages = [\"\"\"\n" +
                                  dots + "\"\"\"\"\", '''" + dots + "''', '" + dots + "\"', \"\\\"" + dots + "\"]\n")});
    EXPECT_EQ(d.data, dots);
    EXPECT_EQ(d.scales.size(), 18u);
    EXPECT_EQ(d.images, (std::vector<std::string>{dots + "\"\"", dots, dots + "\"", "\"" + dots}));
}

TEST_F(OptionsTest, HelpSaysEverythingAndFits) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"-h"}, {"--lr", "x", "--help"}, {"-h", "--bad"}}) {
        Declared d;
        EXPECT_THROW(d.o.parse(words), TextRequested);
    }
    Declared d;
    d.o.group("Rare");
    std::string name;
    d.o.bind(
        "name", name,
        std::string("a long description ") + std::string(30, 'x') + " that is wrapped over several lines of the help");
    const std::string help = d.o.help(70);
    std::string unwrapped = help;
    for (size_t at; (at = unwrapped.find("\n          ")) != unwrapped.npos;)
        unwrapped.replace(at, unwrapped.find_first_not_of(" \n", at) - at, " ");
    for (const char* words : {"Trains a net.", "usage: atrous train [options] [images...]", "-b, --batch-size INTEGER",
                              "[an integer from 1 to 64; default 4]", "--data TEXT", "[required]", "--rates INTEGER...",
                              "[unet or resnet;", "--config", "\nRare:\n  --name TEXT"})
        EXPECT_NE(unwrapped.find(words), std::string::npos) << words << "\n" << help;
    for (size_t at = 0; at < help.size();) {
        const size_t end = help.find('\n', at);
        EXPECT_LE(end - at, 70u) << help.substr(at, end - at);
        at = end + 1;
    }
}

TEST_F(OptionsTest, TheTableShowsValuesAndOrigins) {
    Declared d;
    d.o.parse({"--data", "somewhere/far", "--config", config("lr = 0.5")});
    const std::string table = format_table(d.o.table());
    EXPECT_EQ(table.find("config "), std::string::npos);
    EXPECT_NE(table.find("  data        somewhere/far  flag\n"), std::string::npos) << table;
    EXPECT_NE(table.find("  lr          0.5            config\n"), std::string::npos) << table;
    EXPECT_EQ(table.find("rates"), std::string::npos) << "it has its default: " << table;
    EXPECT_NE(table.find("  (7 others)  as -h says     default\n"), std::string::npos) << table;
    EXPECT_EQ(format_table({{"a", "1", ""}, {"long", "äö", ""}}), "  a     1\n  long  äö\n");
    EXPECT_EQ(format_table({{"p", "/very/long/path/to/a/file.png", "flag"}}, 30), "  p  ...th/to/a/file.png  flag\n");
}

TEST_F(OptionsTest, AVerbOfManyOptionsShowsTheCommonOnesFirst) {
    Declared d;
    d.o.examples({"atrous train --data DIR"});
    d.o.at("lr").is_common = true;
    const std::string common = d.o.help(100, false), all = d.o.help(100);
    for (const char* words : {"examples:\n  atrous train --data DIR\n", "--lr NUMBER", "--data TEXT", "--help-all"}) {
        EXPECT_NE(common.find(words), std::string::npos) << common;
        EXPECT_NE(all.find(words), std::string::npos) << all;
    }
    EXPECT_EQ(common.find("--rates"), std::string::npos) << common;
    EXPECT_NE(common.find("6 more: atrous train --help-all"), std::string::npos) << common;
    EXPECT_NE(all.find("--rates"), std::string::npos) << all;
    for (const auto& [flag, whole] : {std::pair{"-h", false}, {"--help", false}, {"--help-all", true}}) {
        try {
            d.o.parse(std::vector<std::string>{flag});
            FAIL() << flag << " shows nothing";
        } catch (const TextRequested& request) {
            EXPECT_EQ(request.text.find("--rates") != std::string::npos, whole) << flag;
        }
    }
}

TEST_F(OptionsTest, AWordMayStandInANumbersPlace) {
    Options o("train", "Trains a net.");
    int64_t value = 8;
    auto& batch = o.bind("batch-size", value, "images").letter('b').min(1).or_word("auto", 0);
    o.parse(std::vector<std::string>{"--batch-size", "auto"});
    EXPECT_EQ(batch.value, 0);
    EXPECT_EQ(batch.shown(), "auto");
    EXPECT_EQ(as_toml(o), "batch-size = \"auto\"\n");
    EXPECT_EQ(batch.rule(), "an integer of at least 1 or auto");
    EXPECT_FALSE(batch.assign({{"0", Word::Kind::any}})) << "the value that the word stands for is not one to type";
    EXPECT_FALSE(batch.assign({{"manual", Word::Kind::any}}));
    EXPECT_TRUE(batch.assign({{"16", Word::Kind::integer}}));
    EXPECT_TRUE(batch.assign({{"auto", Word::Kind::text}})) << "from a configuration file";
    batch.value = 4;
    EXPECT_EQ(as_toml(o), "batch-size = 4\n");
}

TEST(Suggest, NearWordsOnly) {
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
    EXPECT_EQ(edit_distance("unte", "unet"), 1);
    EXPECT_EQ(edit_distance("", "abc"), 3);
    EXPECT_EQ(closest("deeplab", {"unet", "deeplabv3-r50"}), "deeplabv3-r50");
    EXPECT_EQ(closest("trian", {"train", "predict"}), "train");
    EXPECT_EQ(closest("zebra", {"train", "predict"}), "");
    EXPECT_EQ(closest("x", {}), "");
}

TEST(Suggest, KnowsOtherProgramsWords) {
    EXPECT_EQ(did_you_mean("--Learning_Rate", {"--lr", "--data"}), "; did you mean --lr?");
    EXPECT_EQ(did_you_mean("--learning-rate", {"--data"}), "") << "a word that this verb does not have";
    EXPECT_EQ(did_you_mean("mIoU", {"dice", "iou", "loss"}), "; did you mean iou?");
    EXPECT_EQ(did_you_mean("UNet", {"unet", "fcn"}), "; did you mean unet?");
    EXPECT_EQ(did_you_mean("infer", {"train", "predict"}), "; did you mean predict?");
}

TEST(RunGuarded, EveryErrorHasItsCodeAndOneLine) {
    const auto run = [](const std::function<int()>& f, int code, const std::string& line) {
        testing::internal::CaptureStderr();
        EXPECT_EQ(run_guarded(f), code);
        EXPECT_EQ(testing::internal::GetCapturedStderr(), line);
    };
    run([] { return 0; }, 0, "");
    run([] { return exit_after_signal(SIGINT); }, exit_interrupt, "");
    run([] { return exit_after_signal(SIGTERM); }, exit_terminate, "");
    run([]() -> int { throw atrous::UsageError("a\nb"); }, 2, "atrous: a?b\n");
    run([]() -> int { throw atrous::IoError("\x1b]0;x\x07\x7f\xc2\x9b é\xff"); }, 4, "atrous: ?]0;x??? é\xff\n");
    run([]() -> int { throw atrous::DataError("x.png"); }, 3, "atrous: x.png\n");
    run([]() -> int { throw atrous::IoError("disk"); }, 4, "atrous: disk\n");
    run([]() -> int { throw atrous::FormatError("file"); }, 4, "atrous: file\n");
    run([]() -> int { throw atrous::GpuError("gpu"); }, 5, "atrous: gpu\n");
    run([]() -> int { throw atrous::NumericError("nan"); }, 6, "atrous: nan\n");
    run([]() -> int { throw atrous::ShapeError("shape"); }, 1, "atrous: shape\n");
    run([]() -> int { throw std::runtime_error("other"); }, 1, "atrous: unexpected error: other\n");
    run([]() -> int { throw atrous::MemoryError("full"); }, 7, "atrous: full\n");
    run([]() -> int { throw std::bad_alloc(); }, 7,
        "atrous: out of host memory; use smaller images, a smaller batch or fewer workers\n");
    run([]() -> int { throw 7; }, 1, "atrous: unexpected error of unknown kind\n");
    testing::internal::CaptureStdout();
    EXPECT_EQ(run_guarded([]() -> int { throw TextRequested{"help\n"}; }), 0);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "help\n");
}

TEST(RunGuarded, OutputThatCannotBeWrittenIsAnError) {
    EXPECT_EXIT(
        {
            if (std::freopen("/dev/full", "w", stdout) == nullptr) _exit(99);
            _exit(run_guarded([] { return std::fputs("result", stdout) < 0 ? 98 : 0; }));
        },
        testing::ExitedWithCode(exit_io), "atrous: cannot write to standard output: No space left on device");
}

TEST(RunGuarded, WhatTheFileSystemRefusesIsAnErrorOfFiles) {
    const auto line_of = [](const std::function<int()>& f, int code) {
        testing::internal::CaptureStderr();
        EXPECT_EQ(run_guarded(f), code);
        return testing::internal::GetCapturedStderr();
    };
    EXPECT_EQ(line_of([]() -> int { return int(fs::file_size("/no/such\nfile")); }, exit_io),
              "atrous: /no/such?file: No such file or directory; check the name, and create the folder if it is "
              "missing\n");
    EXPECT_EQ(line_of([]() -> int { throw std::system_error(ENOSPC, std::generic_category(), "runs/1"); }, exit_io),
              "atrous: runs/1: No space left on device; free some space on that disk or choose another folder\n");
    EXPECT_EQ(
        line_of([]() -> int { throw fs::filesystem_error("copy", "a", "b", std::make_error_code(std::errc(EXDEV))); },
                exit_io),
        "atrous: a: Invalid cross-device link\n");
    EXPECT_EQ(line_of([]() -> int { throw std::system_error(EAGAIN, std::generic_category(), "thread"); }, exit_other),
              "atrous: unexpected error: thread: Resource temporarily unavailable\n");
}

// The reader that closed the pipe knows; whether the output is cut off at the end or in the middle.
TEST(RunGuarded, AClosedPipeIsNoErrorWorthWords) {
    const auto end_of = [](const std::function<int()>& f) {
        int ends[2], errors[2];
        if (pipe(ends) != 0 || pipe(errors) != 0) return std::string("no pipe");
        const pid_t child = fork();
        if (child == 0) {
            std::signal(SIGPIPE, SIG_IGN);
            close(ends[0]);
            dup2(ends[1], STDOUT_FILENO);
            dup2(errors[1], STDERR_FILENO);
            _exit(run_guarded(f));
        }
        for (const int fd : {ends[0], ends[1], errors[1]}) close(fd);
        std::string said;
        char buffer[4096];
        for (ssize_t n; (n = read(errors[0], buffer, sizeof buffer)) > 0;) said.append(buffer, size_t(n));
        close(errors[0]);
        int status = 0;
        waitpid(child, &status, 0);
        return std::to_string(WEXITSTATUS(status)) + " " + said;
    };
    const std::string much(1 << 20, 'x');
    EXPECT_EQ(end_of([]() -> int { throw TextRequested{"help\n"}; }), "0 ");
    EXPECT_EQ(end_of([] { return std::fputs("result", stdout) < 0 ? 98 : exit_numeric; }), "6 ");
    EXPECT_EQ(end_of([&] {  // fails at once, and later calls change errno
                  std::fwrite(much.data(), 1, much.size(), stdout);
                  return access("/no/such/file", F_OK) == 0 ? 98 : 0;
              }),
              "0 ");
    EXPECT_EQ(end_of([&] {
                  fmt::print("{}", much);
                  fmt::print("{}", much);
                  return 0;
              }),
              "4 ");
    EXPECT_EQ(end_of([]() -> int { throw atrous::DataError("x.png"); }), "3 atrous: x.png\n");
}

}  // namespace
