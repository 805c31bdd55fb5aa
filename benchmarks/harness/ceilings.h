// What a machine can do at most: bytes a copy moves, floating-point operations of a matrix product.
#pragma once

#include <string>
#include <vector>

#include "base/dtype.h"
#include "engine/device.h"

namespace atrous::bench {

struct Ceilings {
    double bytes_per_s = 0;  // read and written together
    double flops_per_s = 0;  // of a matrix product in the type that is measured
};

// The least time in which so many bytes and operations can be done.
double floor_s(const Ceilings& ceilings, double bytes, double flops);
bool bound_by_bytes(const Ceilings& ceilings, double bytes, double flops);

// Measured here and now: the faster of the copies at hand, on blocks far larger than the cache; a 1x1 convolution as
// the product. On the emulator, whose times mean nothing, small ones.
Ceilings measure_ceilings(Device device, DType dtype);

// The larger of the two ceilings' relative differences. Above `steady` the machine was not the same all through.
double drift(const Ceilings& first, const Ceilings& last);
constexpr double steady = 0.03;

// A GPU one may ask about without having it.
struct NamedGpu {
    const char* name;
    double bytes_per_s;
    double bf16, f16, f32;  // FLOP/s: dense tensor cores with float sums; f32: the plain cores. 0: it lacks the type
    const char* source;
};
const std::vector<NamedGpu>& named_gpus();
// Of "H200", "rtx 4090", "RTX-4090"; UsageError with the names there are, or where the GPU lacks the type.
Ceilings ceilings_of_named(const std::string& name, DType dtype);
const NamedGpu& named_gpu(const std::string& name);

}  // namespace atrous::bench
