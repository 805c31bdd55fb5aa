// Memory as a user of the program meets it: the summary, --batch-size auto, and running out.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kernels/gpu/runtime.h"
#include "tests/paths.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

struct Outcome {
    int code = -1;
    std::string output;  // stdout and stderr
};

Outcome shell(const std::string& command) {
    Outcome outcome;
    FILE* pipe = popen(("(" + command + ") 2>&1").c_str(), "r");
    char buffer[4096];
    while (const size_t n = fread(buffer, 1, sizeof buffer, pipe)) outcome.output.append(buffer, n);
    const int status = pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return outcome;
}

std::string program() { return test::path_from("ATROUS_PROGRAM", ATROUS_PROGRAM); }
Outcome run(const std::string& arguments) { return shell(program() + " " + arguments); }

class MemoryTest : public testing::Test {
 protected:
    static void SetUpTestSuite() {
        root() = fs::temp_directory_path() / ("atrous_memory_" + std::to_string(getpid()));
        fs::create_directories(root());
        const Outcome drawn =
            run("synth --output " + path("data") + " --count 24 --size 32 --seed 3 --val-fraction 0.25");
        ASSERT_EQ(drawn.code, 0) << drawn.output;
    }
    static void TearDownTestSuite() { fs::remove_all(root()); }
    static fs::path& root() {
        static fs::path path;
        return path;
    }
    static std::string path(const std::string& name) { return (root() / name).string(); }
    static Outcome train(const std::string& folder, const std::string& more) {
        return run("train --data " + path("data") + " --base-channels 4 --depth 2 --size 32 --epochs 1 --threads 1 " +
                   "--output-dir " + path(folder) + " " + more);
    }
};

// Dry runs do not grow with what they run dry; oneDNN divides by zero for images of 2^31 values.
// Standard output is the JSON alone, whatever there is to say of threads.
TEST_F(MemoryTest, WarningsDoNotStandInTheJson) {
    const Outcome outcome = shell(program() + " summary --json --base-channels 4 --threads 1024 2>/dev/null");
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.output.find('{'), 0u) << outcome.output.substr(0, 200);
}

TEST_F(MemoryTest, HugeNetsAndStepsAreSaidAtOnce) {
    for (const char* command :
         {"summary --size 65536 --device cpu", "summary --size 8192 --batch-size 4096 --device cpu",
          "summary --base-channels 1024 --depth 8 --device cpu",
          "summary --model fcn --encoder resnet152 --size 8192 --batch-size 1024 --device cpu"}) {
        const Outcome outcome = shell("timeout 60 " + program() + " " + command);
        EXPECT_EQ(outcome.code, 0) << command << "\n" << outcome.output;
    }
}

TEST_F(MemoryTest, TheSummaryTellsOfPaddingAndDeadTaps) {
    const std::string net = "summary --base-channels 4 --depth 3 --batch-size 1 --size ";
    const Outcome padded = run(net + "250"), whole = run(net + "256");
    EXPECT_NE(padded.output.find("multiples of 8 pixels: 250x250 is padded to 256x256"), std::string::npos)
        << padded.output;
    EXPECT_NE(whole.output.find("multiples of 8 pixels: these are"), std::string::npos) << whole.output;
    const Outcome atrous = run("summary --model deeplabv3 --encoder resnet18 --size 256 --batch-size 2");
    EXPECT_NE(atrous.output.find("dilation 36 on 32x32 features, 1.0 of its 9 taps"), std::string::npos)
        << atrous.output;
}

TEST_F(MemoryTest, TheSummarySaysTheSameInTablesAndJson) {
    const std::string net = "summary --base-channels 8 --depth 2 --size 64 --batch-size 2 --precision fp32";
    const Outcome table = run(net), json = run(net + " --json");
    ASSERT_EQ(table.code, 0) << table.output;
    ASSERT_EQ(json.code, 0) << json.output;
    const auto all = nlohmann::json::parse(json.output);
    int64_t parameters = 0, products = 0;
    for (const auto& layer : all["layers"]) {
        parameters += layer["parameters"].get<int64_t>();
        products += layer["multiply_adds"].get<int64_t>();
        EXPECT_NE(table.output.find(layer["module"].get<std::string>()), std::string::npos) << layer;
    }
    EXPECT_EQ(all["parameters"], parameters);
    EXPECT_EQ(all["multiply_adds"], products);
    EXPECT_EQ(all["layers"].back()["output_nhwc"], (std::vector<int64_t>{2, 64, 64, 1}));
    for (const char* plan : {"training", "prediction"}) {
        int64_t sum = 0;
        for (const auto& [name, bytes] : all[plan].items())
            if (name != "peak_bytes" && name != "reserved_bytes") sum += bytes.get<int64_t>();
        EXPECT_EQ(sum, all[plan]["peak_bytes"].get<int64_t>()) << plan << ": the parts do not add up to the peak";
    }
    EXPECT_LT(all["prediction"]["peak_bytes"], all["training"]["peak_bytes"]);
    for (const char* words : {"receptive", "up2.conv.double_conv.3", "multiply-adds", "in use at the peak", " MiB"})
        EXPECT_NE(table.output.find(words), std::string::npos) << words << "\n" << table.output;
}

TEST_F(MemoryTest, TheSummaryOfACheckpointIsItsNets) {
    ASSERT_EQ(train("small", "--batch-size 4").code, 0);
    const Outcome json = run("summary --json --checkpoint " + path("small/best.safetensors"));
    ASSERT_EQ(json.code, 0) << json.output;
    const auto all = nlohmann::json::parse(json.output);
    EXPECT_EQ(all["height"], 32);
    EXPECT_EQ(all["layers"][0]["output_nhwc"][3], 4);
}

TEST_F(MemoryTest, AnAutomaticBatchFitsIsSavedAndTrains) {
    const Outcome found = train("auto", "--batch-size auto --memory-limit 2");
    ASSERT_EQ(found.code, 0) << found.output;
    EXPECT_NE(found.output.find("the largest power of two that fits"), std::string::npos) << found.output;
    std::ifstream in(root() / "auto" / "config.toml");
    std::stringstream config;
    config << in.rdbuf();
    int64_t batch = 0;
    const std::string key = "batch-size = ", text = config.str();
    ASSERT_NE(text.find(key), std::string::npos) << text;
    batch = std::stoll(text.substr(text.find(key) + key.size()));
    EXPECT_GT(batch, 1);
    EXPECT_EQ(batch & (batch - 1), 0) << batch;
    const Outcome twice = train("twice", "--memory-limit 2 --batch-size " + std::to_string(2 * batch));
    EXPECT_NE(twice.output.find("warning: this "), std::string::npos) << "twice the batch fits: " << twice.output;
    const Outcome none = run("train --data " + path("data") +
                             " --size 256 --batch-size auto --memory-limit 1 --output-dir " + path("none"));
    EXPECT_EQ(none.code, 7) << none.output;
    EXPECT_NE(none.output.find("not even one image"), std::string::npos) << none.output;
}

TEST_F(MemoryTest, RunningOutNamesTheLargestBlocksAndTheBatchThatFits) {
    for (const std::string device : {"cpu", "emulated"}) {
        if (device == "emulated" && gpu::platform() != gpu::Platform::emulated) continue;
        const std::string options = " --memory-limit 1 --device " + device + " --batch-size ";
        const Outcome out = train("out_" + device, options + "16");
        ASSERT_EQ(out.code, 7) << out.output;
        for (const char* words : {"the largest blocks of memory", "up2 ", "concat", "16x32x32x8", "0.50 MiB"})
            EXPECT_NE(out.output.find(words), std::string::npos) << words << "\n" << out.output;
        const auto at = out.output.find("atrous: out of memory");
        ASSERT_NE(at, std::string::npos) << out.output;
        EXPECT_EQ(out.output.find('\n', at), out.output.size() - 1) << "one line, the last one: " << out.output;
        const std::string key = "the largest that fits is ";
        ASSERT_NE(out.output.find(key), std::string::npos) << out.output;
        const std::string batch = std::to_string(std::stoll(out.output.substr(out.output.find(key) + key.size())));
        const Outcome fits = train("fits_" + device, options + batch);
        EXPECT_EQ(fits.code, 0) << fits.output;
        EXPECT_EQ(fits.output.find("warning: this"), std::string::npos) << fits.output;
    }
}

// At 8x8 the lowest map of three levels is one pixel: batch norm cannot train on one image, alone or left at the end.
TEST_F(MemoryTest, BatchesThatTheNetCannotBeTrainedOnArePassedOver) {
    const std::string nine = path("nine");
    ASSERT_EQ(run("synth --output " + nine + " --count 12 --size 32 --seed 3 --val-fraction 0.25").code, 0);
    int trained = 0;
    const auto train = [&](const std::string& data, const std::string& more) {
        return run("train --data " + data + " --depth 3 --size 8 --epochs 1 --threads 1 --output-dir " +
                   path("passed_over_" + std::to_string(++trained)) + " " + more);
    };
    struct {
        std::string data, options;
        int code;
        const char* words;
    } const cases[] = {
        {nine, "--base-channels 4 --batch-size auto", 2, "--last-batch drop"},
        {nine, "--base-channels 4 --batch-size auto --last-batch drop", 0, "batch size 8: the largest power of two"},
        {path("data"), "--base-channels 64 --batch-size auto --memory-limit 1", 7, "not even 2 images"},
        {path("data"), "--base-channels 64 --batch-size 2 --memory-limit 1", 7, "no smaller batch fits"},
    };
    for (const auto& c : cases) {
        const Outcome out = train(c.data, c.options);
        EXPECT_EQ(out.code, c.code) << c.options << "\n" << out.output;
        EXPECT_NE(out.output.find(c.words), std::string::npos) << c.options << "\n" << out.output;
    }
}

TEST_F(MemoryTest, WhatNoMachineCanAddressIsRefusedByItsShape) {
    const Outcome shape = run("summary --size 65536 --batch-size 65536");
    EXPECT_EQ(shape.code, 1) << shape.output;
    EXPECT_NE(shape.output.find("a tensor of shape 65536x65536x65536x3"), std::string::npos) << shape.output;
    const Outcome batch = run("summary --size 65536 --batch-size 1000000000000");
    EXPECT_EQ(batch.code, 2) << batch.output;
}

// Without a stated limit, where the system refuses: std::bad_alloc on the cpu.
TEST_F(MemoryTest, AnExhaustedAddressSpaceIsExplainedToo) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the address checks need all the address space";
#endif
    const std::string rest = " train --data " + path("data") + " --base-channels 64 --depth 4 --size 32 --epochs 1" +
                             " --threads 1 --device cpu --batch-size 8 --workers 0 --output-dir " + path("cramped");
    const Outcome out = shell("ulimit -v 600000; " + program() + rest);
    EXPECT_EQ(out.code, 7) << out.output;
    for (const char* words : {"the largest blocks of memory", "parameters", "out of memory"})
        EXPECT_NE(out.output.find(words), std::string::npos) << words << "\n" << out.output;
}

}  // namespace
}  // namespace atrous
