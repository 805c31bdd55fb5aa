// The counters of kernels as `atrous bench kernels --counters` shows them: for every op at a usual small shape, each
// kernel that a pass launches.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "benchmarks/harness/kernel_trace.h"
#include "engine/kernel_choice.h"

namespace atrous::bench {

// Counters without those that are zero.
nlohmann::ordered_json counters_json(const gpu::KernelCounters& c);

struct CountedKernel {
    std::string op, shape, pass, type;  // type: fp32, tf32, bf16, fp16
    std::string implementation;         // that was asked for by name; empty: the program's own choice
    std::string kernel;                 // "conv_kernel<float, 64, 64>"
    unsigned blocks = 0, threads = 0;
    gpu::KernelCounters counters;
    std::vector<std::pair<std::string, gpu::KernelCounters>> lines;  // "kernels/cuda/norm.cu:57"
};

// Each kernel of a trace, launches of one name put together.
std::vector<CountedKernel> kernels_of(const KernelTrace& t);

// Every op at its usual small shape, in the types it is trained in, by every implementation that a user can name.
// `each` gets the kernels of one pass as they are known.
void count_usual(Device device, const std::function<void(const std::vector<CountedKernel>&)>& each);
void count_op(const Workload& what, DType dtype, Device device,
              const std::function<void(const std::vector<CountedKernel>&)>& each);

std::string counters_header();
std::string counters_title(const CountedKernel& k);  // "conv2d 1x16x16x32, bf16, forward, by mma"
std::string counters_row(const CountedKernel& k);
std::string counters_json_line(const CountedKernel& k);

}  // namespace atrous::bench
