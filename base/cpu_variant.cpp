#include "base/cpu_variant.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace atrous {

namespace {

constexpr const char* names[cpu_variants] = {"x86-64-v3", "x86-64-v4", "x86-64-v4-bf16"};

int most_capable() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi2")) return -1;
    const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    if (!v4) return 0;
    return __builtin_cpu_supports("avx512bf16") ? 2 : 1;
#else
    return -1;
#endif
}

[[noreturn]] void end_with(int code, const std::string& message) {
    std::fprintf(stderr, "atrous: %s\n", message.c_str());
    std::_Exit(code);
}

int choose() {
    const int most = most_capable();
    if (most < 0) end_with(5, "this program needs a processor with AVX2, FMA and BMI2 (x86-64-v3)");
    const char* asked = std::getenv("ATROUS_CPU_ARCH");
    if (!asked || !*asked) return most;
    for (int i = 0; i < cpu_variants; ++i) {
        if (asked != std::string(names[i])) continue;
        if (i > most) end_with(5, std::string("ATROUS_CPU_ARCH is ") + asked + ", which this processor cannot run");
        if (i == 0 && !std::getenv("DNNL_MAX_CPU_ISA"))  // oneDNN reads either as it is first called
            setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 0);
        return i;
    }
    end_with(2, std::string("ATROUS_CPU_ARCH is '") + asked + "'; expected x86-64-v3, x86-64-v4 or x86-64-v4-bf16");
}

}  // namespace

int cpu_variant() {
    static const int chosen = choose();
    return chosen;
}

}  // namespace atrous
