// Times one op, forward and backward, and compares it with the reference.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "benchmarks/harness/statistics.h"
#include "benchmarks/harness/workload.h"
#include "engine/kernel_choice.h"

namespace atrous::bench {

struct MeasureOptions {
    Device device;
    DType dtype = DType::f32;
    int repetitions = 20;  // at most, after two that do not count
    double budget_s = 2;   // of an op; once it is spent, five repetitions suffice
    bool check = true;     // compare with the reference
};

// What a pass moves and computes at least.
struct Work {
    double bytes = 0, flops = 0;
};

struct Check {
    double error = 0, tolerance = 0;  // max|a-b| / max|b| over outputs, or over gradients
    std::string shape;                // where it was made: the same op with fewer pixels
    bool ok() const { return error <= tolerance; }
};

struct Pass {
    std::string name;  // forward, backward
    Statistics seconds;
    Work work;
    std::optional<Check> check;
    std::vector<std::string> variants;  // the kernels that ran
};

// Those of them that are one of several implementations: "dnnl", "dnnl+outer"; "" where there is no choice.
std::string implementations_of(const Pass& pass);

struct Measurement {
    Workload wanted;
    std::vector<Pass> passes;  // forward, and backward where there is one
    int sets = 1;              // of operands, used in turn
    bool cold = true;          // they exceed the cache together, or it was swept between repetitions
    bool chosen = true;        // by the process's own choice of kernels, not for comparison
};

// What each pass of the op amounts to, without running it.
std::vector<Pass> passes_of(const Workload& wanted, DType dtype);

bool supported(const Workload& wanted, Device device, DType dtype);
// By the kernels that the process has chosen.
Measurement measure(const Workload& wanted, const MeasureOptions& options);

// Choices by name under which the op runs other kernels than by the process's own choice, each set of kernels once. The
// op is run to see.
std::vector<KernelChoice> other_choices(const Workload& wanted, Device device, DType dtype);

}  // namespace atrous::bench
