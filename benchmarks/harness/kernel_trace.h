// Runs one pass of an op in the emulator and records what its kernels do (kernels/gpu/trace.h).
#pragma once

#include <string>
#include <vector>

#include "benchmarks/harness/workload.h"
#include "kernels/gpu/trace.h"

namespace atrous::bench {

struct KernelTrace {
    Workload what;
    std::string pass;  // forward, backward
    DType dtype = DType::f32;
    std::string math;                   // "exact", "tf32"
    std::vector<std::string> variants;  // "conv_forward/simt"
    gpu::Trace trace;                   // operands are named; index i of values: of trace.buffers[i], empty: not kept
    std::vector<std::vector<double>> values;
};

// Whether the op has a backward pass at all.
bool has_backward(const Workload& what);
// Records the kernels of one pass on `device`, an emulated one. Operands hold what cases give them; values of those of
// at most `most_values` elements are kept, inputs' as before and outputs' as behind the pass. GpuError where this program
// cannot record (gpu::can_trace).
KernelTrace trace_pass(const Workload& what, DType dtype, Device device, bool backward,
                       const gpu::TraceOptions& options, size_t most_values = 0);

// The whole trace for a page: one JSON object.
std::string trace_json(const KernelTrace& t);

}  // namespace atrous::bench
