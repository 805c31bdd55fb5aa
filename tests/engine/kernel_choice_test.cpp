#include "engine/kernel_choice.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous {
namespace {

TEST(KernelChoice, WordsAreAutoOwnOrAName) {
    EXPECT_EQ(parse_kernel_choice("auto"), KernelChoice{});
    EXPECT_EQ(parse_kernel_choice("own").rule, KernelChoice::Rule::own);
    std::set<std::string> here;
    for (const auto& family : kernel_families())
        for (const auto& member : family.members)
            if (member.absent().empty()) here.insert(member.name);
    EXPECT_TRUE(here.contains("mma") && here.contains("dnnl"));
    for (const std::string& name : here)
        EXPECT_EQ(parse_kernel_choice(name), (KernelChoice{KernelChoice::Rule::named, name}));
}

TEST(KernelChoice, AnUnknownNameIsOneLineWithWhatThereIs) {
    try {
        parse_kernel_choice("sinmt");
        FAIL();
    } catch (const UsageError& e) {
        const std::string text = e.what();
        EXPECT_NE(text.find("`kernels` 'sinmt' is unknown; expected auto, own, cudnn, dnnl, "), text.npos) << text;
        EXPECT_NE(text.find("did you mean simt?"), text.npos) << text;
        EXPECT_EQ(text.find('\n'), text.npos);
    }
}

#ifdef ATROUS_EMULATED
TEST(KernelChoice, ALibraryThatIsAbsentIsRefusedWithTheReason) {
    try {
        parse_kernel_choice("cudnn");
        FAIL();
    } catch (const UsageError& e) {
        EXPECT_NE(std::string(e.what()).find("`kernels` cudnn cannot run here: cuDNN is absent"), std::string::npos)
            << e.what();
    }
}

TEST(KernelChoice, KernelsOfAnotherCapabilityAreRefusedWithTheReason) {
    gpu::emu::ScopedOptions options;
    options->capability = 90;
    EXPECT_EQ(parse_kernel_choice("wgmma").name, "wgmma");
    options->capability = 80;
    try {
        parse_kernel_choice("wgmma");
        FAIL();
    } catch (const UsageError& e) {
        EXPECT_STREQ(e.what(), "`kernels` wgmma cannot run here: the GPU's capability is 8.0; expected 9.0; take mma");
    }
}
#endif

TEST(KernelChoice, AScopeGivesBackWhatWasThere) {
    {
        const ScopedKernelChoice outer({KernelChoice::Rule::own});
        { const ScopedKernelChoice inner({KernelChoice::Rule::named, "simt"}); }
        EXPECT_EQ(kernel_choice().rule, KernelChoice::Rule::own);
    }
    EXPECT_EQ(kernel_choice(), KernelChoice{});
}

// Every family ends with what takes any problem, so that each choice finds something; and no function is there twice.
TEST(KernelChoice, FamiliesAreDistinctAndEndWithAnImplementationOfOurOwn) {
    std::vector<std::string> functions;
    for (const auto& family : kernel_families()) {
        const std::string name = family.device + " " + family.function;
        EXPECT_EQ(std::count(functions.begin(), functions.end(), name), 0) << name;
        functions.push_back(name);
        ASSERT_FALSE(family.members.empty()) << name;
        EXPECT_EQ(family.members.back().provider, "own") << name;
        EXPECT_EQ(family.members.back().needs, "") << name;
    }
    EXPECT_EQ(functions.size(), 12u);
}

}  // namespace
}  // namespace atrous
