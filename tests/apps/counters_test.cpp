// `bench kernels --counters`: the table and its record, and what is refused.
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/gpu/runtime.h"
#include "tests/apps/program.h"

namespace atrous::test {
namespace {

TEST(CountersTest, AreShownByKernelAndBySourceLine) {
    if (gpu::platform() != gpu::Platform::emulated || !std::filesystem::exists(program() + "-traced"))
        GTEST_SKIP() << "this build has no kernels that can be recorded";
    const std::string record = (std::filesystem::temp_directory_path() / "atrous-counters-test.jsonl").string();
    const Outcome found =
        shell(program() + " bench kernels --counters --device emulated --op relu --shape 1x4x4x8 --overwrite --json " +
              record);
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
    std::filesystem::remove(record);
}

TEST(CountersTest, AreTheEmulatorsAlone) {
    const Outcome cpu = shell(program() + " bench kernels --counters --device cpu --op relu --shape 1x4x4x8");
    EXPECT_EQ(cpu.code, 2);
    EXPECT_NE(cpu.output.find("recorded in the emulator; expected --device emulated"), std::string::npos) << cpu.output;
    const Outcome times = shell(program() + " bench kernels --counters --device emulated --all");
    EXPECT_EQ(times.code, 2);
    EXPECT_NE(times.output.find("--all"), std::string::npos) << times.output;
}

}  // namespace
}  // namespace atrous::test
