// Which implementation of a kernel family runs in the cases of its ops. What each computes is compared with the reference
// by the checks "by_…" (checks.cpp).
#include <gtest/gtest.h>

#include <algorithm>

#include "base/variant.h"
#include "benchmarks/cases/run.h"
#include "engine/kernel_choice.h"
#include "tests/cases/tested.h"

namespace atrous::cases {
namespace {

constexpr Device cpu{DeviceKind::cpu};
using Rule = KernelChoice::Rule;

std::vector<DType> types_on(Device device) {
    if (device.kind == DeviceKind::gpu) return {DType::bf16, DType::f32};
    if (kernels::cpu::has_bf16_convolutions()) return {DType::f64, DType::bf16, DType::f32};
    return {DType::f64, DType::f32};
}

// What convolutions of all cases run under a choice.
std::vector<std::string> variants_under(const KernelChoice& choice, Device device) {
    const ScopedKernelChoice scope(choice);
    const VariantLog log;
    for (const Tested& c : Family::all_cases())
        for (const DType t : types_on(device))
            if (c.op == "conv2d" || c.op == "conv_transpose2x2")
                run_case(c, {.device = device, .dtype = t, .rounding = t});
    std::vector<std::string> convolutions;
    for (const std::string& name : log.names())
        if (name.starts_with("conv")) convolutions.push_back(name);
    return convolutions;
}

bool any_begins(const std::vector<std::string>& variants, const std::string& beginning) {
    return std::any_of(variants.begin(), variants.end(), [&](const auto& v) { return v.starts_with(beginning); });
}

// By its name every member of every family runs, and its variants in the log begin with that name.
TEST(Implementations, EachRunsByItsName) {
    for (const Device device : {cpu, Device{DeviceKind::gpu}}) {
        if (device.kind == DeviceKind::gpu && gpu::device_count() == 0) continue;
        for (const std::string& name : implementation_names()) {
            const auto variants = variants_under({Rule::named, name}, device);
            for (const auto& family : kernel_families())
                for (const auto& member : family.members)
                    if (member.name == name && (family.device == "cpu") == (device.kind == DeviceKind::cpu)) {
                        if (!member.absent().empty()) continue;
                        if (member.needs == "bf16" && !kernels::cpu::has_bf16_convolutions()) continue;
                        EXPECT_TRUE(any_begins(variants, family.function + "/" + name))
                            << family.function << " on the " << family.device << " never ran " << name;
                    }
        }
    }
}

TEST(Implementations, OwnOnTheCpuNeverCallsOneDnn) {
    const auto by_dnnl = [](const std::string& variant) { return variant.find("/dnnl") != variant.npos; };
    const auto chosen = variants_under({}, cpu), own = variants_under({Rule::own}, cpu);
    EXPECT_GT(std::count_if(chosen.begin(), chosen.end(), by_dnnl), 0) << "or the next line says nothing";
    EXPECT_EQ(std::count_if(own.begin(), own.end(), by_dnnl), 0);
    EXPECT_TRUE(any_begins(own, "conv_forward/im2col")) << "something has to run";
}

// A name that a family does not have leaves that family as it is.
TEST(Implementations, ANameOfOthersChangesNothing) {
    EXPECT_EQ(variants_under({Rule::named, "mma"}, cpu), variants_under({}, cpu));
}

}  // namespace
}  // namespace atrous::cases
