#include "benchmarks/harness/ceilings.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <thread>

#include "benchmarks/harness/clock.h"
#include "benchmarks/harness/environment.h"
#include "benchmarks/harness/inputs.h"
#include "benchmarks/harness/statistics.h"
#include "engine/context.h"
#include "engine/math_mode.h"
#include "engine/ops/conv.h"

namespace atrous::bench {

double floor_s(const Ceilings& c, double bytes, double flops) {
    return std::max(bytes / c.bytes_per_s, flops / c.flops_per_s);
}

bool bound_by_bytes(const Ceilings& c, double bytes, double flops) {
    return bytes / c.bytes_per_s >= flops / c.flops_per_s;
}

double drift(const Ceilings& first, const Ceilings& last) {
    return std::max(std::abs(last.bytes_per_s / first.bytes_per_s - 1),
                    std::abs(last.flops_per_s / first.flops_per_s - 1));
}

// The fastest of some repetitions: a ceiling is what was possible, not what was usual.
static double least_s(Device device, int repetitions, const std::function<void()>& work) {
    work();
    std::vector<double> seconds;
    for (int i = 0; i < repetitions; ++i) seconds.push_back(seconds_of(device, work));
    return statistics(seconds).least;
}

static void copy_by_threads(const char* from, char* to, size_t bytes, int threads) {
    std::vector<std::thread> others;
    const size_t share = bytes / size_t(threads) / 64 * 64;
    for (int i = 1; i < threads; ++i)
        others.emplace_back([=] { std::memcpy(to + size_t(i) * share, from + size_t(i) * share, share); });
    std::memcpy(to, from, share);
    for (auto& t : others) t.join();
}

// Twice the cache and more: what is left of one repetition does not help the next.
static double copy_bytes_per_s(Device device, bool emulated) {
    const size_t bytes = emulated ? size_t(64) << 10 : std::max(4 * cache_bytes(device), size_t(128) << 20);
    const Tensor from = random_tensor({1, 1, int64_t(bytes / 256), 64}, DType::f32, device);
    Tensor to = empty_like(from);
    const double ours = least_s(device, 9, [&] { to.copy_from(from); });
    const double theirs = least_s(device, 9, [&] {
        if (device.kind == DeviceKind::gpu)
            context_of(device).copy_async(to.data(), from.data(), from.bytes());
        else
            copy_by_threads(from.as<char>(), to.as<char>(), from.bytes(), context_of(device).threads());
    });
    return 2 * double(from.bytes()) / std::min(ours, theirs);
}

static double product_flops_per_s(Device device, DType dtype, bool emulated) {
    const bool gpu = device.kind == DeviceKind::gpu && !emulated;
    const int64_t rows = emulated ? 64 : gpu ? 8192 : 4096, depth = emulated ? 64 : gpu ? 8192 : 1024;
    const Tensor x = random_tensor({1, 64, rows / 64, depth}, dtype, device),
                 w = random_tensor({depth, 1, 1, depth}, dtype, device);
    const double seconds = least_s(device, emulated ? 1 : 7, [&] { conv2d(x, w, {}, {}); });
    return 2 * double(rows) * double(depth) * double(depth) / seconds;
}

Ceilings measure_ceilings(Device device, DType dtype) {
    const ScopedKernelChoice scope({});  // what the machine can do, whatever is measured
    const bool emulated = device.kind == DeviceKind::gpu && gpu::platform() == gpu::Platform::emulated;
    return {copy_bytes_per_s(device, emulated), product_flops_per_s(device, dtype, emulated)};
}

// Data sheets give what the memory and the units could do at most; real copies reach some 85 to 93 % of it, so that
// floors from them are lower than those from a measurement.
const std::vector<NamedGpu>& named_gpus() {
    constexpr double T = 1e12, G = 1e9;
    static const std::vector<NamedGpu> all{
        {"H200", 4.3 * T, 790 * T, 790 * T, 67 * T, "copy and matrix product measured on one; f32 from the data sheet"},
        {"H100", 3.35 * T, 989.4 * T, 989.4 * T, 66.9 * T, "data sheet, SXM5 80 GB"},
        {"H100-PCIe", 2.0 * T, 756 * T, 756 * T, 51.2 * T, "data sheet, PCIe 80 GB"},
        {"A100", 2039 * G, 312 * T, 312 * T, 19.5 * T, "data sheet, SXM4 80 GB"},
        {"A100-40GB", 1555 * G, 312 * T, 312 * T, 19.5 * T, "data sheet, SXM4 40 GB"},
        {"L40S", 864 * G, 362 * T, 362 * T, 91.6 * T, "data sheet"},
        {"L4", 300 * G, 121 * T, 121 * T, 30.3 * T, "data sheet"},
        {"A10", 600 * G, 125 * T, 125 * T, 31.2 * T, "data sheet"},
        {"V100", 900 * G, 0, 125 * T, 15.7 * T, "data sheet, SXM2"},
        {"T4", 320 * G, 0, 65 * T, 8.1 * T, "data sheet"},
        {"RTX 4090", 1008 * G, 165.2 * T, 165.2 * T, 82.6 * T, "Ada architecture white paper"},
        {"RTX 3090", 936 * G, 71 * T, 71 * T, 35.6 * T, "Ampere GA102 white paper"},
    };
    return all;
}

static std::string plain(const std::string& name) {
    std::string letters;
    for (unsigned char c : name)
        if (std::isalnum(c)) letters += char(std::tolower(c));
    return letters;
}

const NamedGpu& named_gpu(const std::string& name) {
    std::string known;
    for (const NamedGpu& g : named_gpus()) {
        if (plain(g.name) == plain(name)) return g;
        known += (known.empty() ? "" : ", ") + std::string(g.name);
    }
    throw UsageError("GPU '" + name + "' is not known; expected one of " + known);
}

Ceilings ceilings_of_named(const std::string& name, DType dtype) {
    const NamedGpu& g = named_gpu(name);
    const bool tf32 = dtype == DType::f32 && math_mode() == MathMode::tf32;
    const double plain = dtype == DType::bf16 ? g.bf16 : dtype == DType::f16 ? g.f16 : g.f32;
    const double flops = tf32 ? g.bf16 / 2 : plain;  // on all of them
    if (flops == 0 || dtype == DType::f64)
        throw UsageError(std::string(g.name) + " has no " + (tf32 ? "tf32" : name_of(dtype)) +
                         "; try `precision` fp16 or fp32");
    return {g.bytes_per_s, flops};
}

}  // namespace atrous::bench
