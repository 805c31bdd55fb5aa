// A program may hold its vectorized code several times, for newer processors each time (ATROUS_CPU_ARCH=dispatch,
// cmake/AtrousCpuArch.cmake). This says which one runs.
#pragma once

namespace atrous {

// 0: x86-64-v3 (AVX2), 1: x86-64-v4 (AVX-512), 2: that with products of bf16. It is the last one that the processor can
// run, or the one that the environment's ATROUS_CPU_ARCH names; x86-64-v3 then holds oneDNN back too. Called before main:
// what cannot be, a name that is none or a processor without AVX2, ends the program with one line on stderr and exit code
// 2 or 5.
int cpu_variant();
inline constexpr int cpu_variants = 3;

}  // namespace atrous
