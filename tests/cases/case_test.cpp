// Every case of every op through every check that applies to it.
#include <gtest/gtest.h>

#include <iostream>

#include "kernels/conv.h"
#include "kernels/gpu/runtime.h"
#include "tests/cases/checks.h"

namespace atrous::cases {

struct Combination {
    Tested tested;
    Check check;
};

static const std::vector<Combination>& combinations() {
    static const auto all = [] {
        std::vector<Combination> list;
        const auto checks = all_checks();
        for (const Tested& c : Family::all_cases())
            for (const Check& check : checks)
                if (check.applies(c)) list.push_back({c, check});
        return list;
    }();
    return all;
}

static std::string name_of(const Combination& c) { return c.tested.op + "_" + c.tested.label + "_" + c.check.name; }

class CaseTest : public testing::TestWithParam<size_t> {};

TEST_P(CaseTest, Holds) {
    const Combination& c = combinations()[GetParam()];
    const bool bf16_on_cpu = c.check.name.find("_cpu_bf16") != std::string::npos;
    if (bf16_on_cpu && c.tested.op.rfind("conv", 0) == 0 && !kernels::cpu::has_bf16_convolutions())
        GTEST_SKIP() << "bf16 convolutions need AVX-512";
    EXPECT_EQ(c.check.find_fault(c.tested), "");
}

INSTANTIATE_TEST_SUITE_P(Ops, CaseTest, testing::Range<size_t>(0, combinations().size()),
                         [](const auto& info) { return name_of(combinations()[info.param]); });

TEST(Cases, AreMany) {
    std::string why;
    const bool gpu = gpu::device_count(&why) > 0;
    std::cout << Family::all_cases().size() << " cases, " << combinations().size() << " combinations of case and check"
              << (gpu ? "" : "; none on a GPU: " + why) << "\n";
    EXPECT_GE(combinations().size(), gpu ? 2000u : 1000u);
}

}  // namespace atrous::cases
