// `bench kernels --counters`: the table and its record, and what is refused.
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/gpu/runtime.h"
#include "tests/apps/program.h"

namespace atrous::test {
namespace {

std::filesystem::path folder_of_test() {
    const auto folder = std::filesystem::temp_directory_path() / ("atrous-counters-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    return folder;
}

TEST(CountersTest, AreShownByKernelAndBySourceLine) {
    if (gpu::platform() != gpu::Platform::emulated || !std::filesystem::exists(program() + "-traced"))
        GTEST_SKIP() << "this build has no kernels that can be recorded";
    const std::filesystem::path record = folder_of_test() / "counters.jsonl";
    const Outcome found = shell(
        program() + " bench kernels --counters --device emulated --op relu --shape 1x4x4x8 --json " + record.string());
    ASSERT_EQ(found.code, 0) << found.output;
    EXPECT_NE(found.output.find("activation_forward<Relu, float, 4>"), std::string::npos) << found.output;
    std::ifstream in(record);
    std::string line;
    ASSERT_TRUE(std::getline(in, line));
    const auto j = nlohmann::json::parse(line);
    EXPECT_EQ(j.at("pass"), "forward");
    EXPECT_EQ(j.at("counters").at("load").at("bytes"), 1 * 4 * 4 * 8 * 4);
    EXPECT_EQ(j.at("counters").at("load").at("useful"), 1);
    uint64_t loads = 0;
    for (const auto& [place, counters] : j.at("lines").items()) {
        EXPECT_EQ(place.rfind("kernels/cuda/activation.cu:", 0), 0u) << place;
        if (counters.contains("load")) loads += counters.at("load").at("requests").get<uint64_t>();
    }
    EXPECT_EQ(loads, j.at("counters").at("load").at("requests"));
    std::filesystem::remove_all(record.parent_path());
}

TEST(CountersTest, WantTheSecondProgramOfTheSameBuild) {
    if (gpu::platform() != gpu::Platform::emulated) GTEST_SKIP() << "kernels are recorded in the emulator alone";
    const auto folder = folder_of_test();
    std::filesystem::create_directories(folder / "bin");
    const std::string alone = (folder / "bin" / "atrous").string();
    std::filesystem::copy_file(program(), alone);
    const std::string asked =
        "timeout 60 " + alone + " bench kernels --counters --device emulated --op relu --shape 1x4x4x8";
    const Outcome missing = shell(asked);
    EXPECT_EQ(missing.code, 4) << missing.output;
    EXPECT_NE(missing.output.find(alone + "-traced nor "), std::string::npos) << missing.output;
    EXPECT_NE(missing.output.find((folder / "libexec/atrous/atrous-traced").string()), std::string::npos)
        << missing.output;
    std::filesystem::copy_file(program(), alone + "-traced");  // cannot record, and would start itself again
    const Outcome wrong = shell(asked);
    EXPECT_EQ(wrong.code, 4) << wrong.output;
    EXPECT_NE(wrong.output.find("started by " + alone), std::string::npos) << wrong.output;
    std::filesystem::remove_all(folder);
}

TEST(CountersTest, AreTheEmulatorsAlone) {
    const Outcome cpu = shell(program() + " bench kernels --counters --device cpu --op relu --shape 1x4x4x8");
    EXPECT_EQ(cpu.code, 2);
    EXPECT_NE(cpu.output.find("recorded in the emulator; expected --device emulated"), std::string::npos) << cpu.output;
    const Outcome times = shell(program() + " bench kernels --counters --device emulated --all");
    EXPECT_EQ(times.code, 2);
    EXPECT_NE(times.output.find("--all"), std::string::npos) << times.output;
    for (const char* option : {"--list", "--shape 1x4x4x8", "--dilation 2", "--kernel 1"}) {
        const Outcome other = shell(program() + " bench kernels --counters --device emulated " + option);
        EXPECT_EQ(other.code, 2) << option << ": " << other.output;
    }
}

}  // namespace
}  // namespace atrous::test
