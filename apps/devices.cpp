#include <fmt/core.h>

#include <cstdio>
#include <set>
#include <sstream>
#include <thread>

#include "apps/options.h"
#include "apps/verbs.h"
#include "base/cpu_info.h"
#include "base/text.h"
#include "engine/context.h"
#include "kernels/gpu/libraries.h"
#include "kernels/gpu/runtime.h"

namespace atrous::app {

static void print_cpu() {
    std::istringstream flags(io::cpu_field("flags"));
    const std::set<std::string> have{std::istream_iterator<std::string>(flags), {}};
    const std::string name = io::cpu_field("model name");
    fmt::print("cpu        {}: {} threads\n", name.empty() ? "unknown" : name, context_of({DeviceKind::cpu}).threads());
    for (const auto& [flag, meaning] : {std::pair{"avx2", "256-bit vectors"},
                                        {"avx512f", "512-bit vectors"},
                                        {"avx512_bf16", "bf16 products"},
                                        {"amx_bf16", "bf16 tiles"}})
        fmt::print("  {:<12} {:<3} {}\n", flag, have.count(flag) ? "yes" : "no", meaning);
    const bool bf16 = have.count("avx512f"), fast = have.count("amx_bf16") || have.count("avx512_bf16");
    fmt::print("  --precision bf16: {}\n", !bf16  ? "not possible here: oneDNN wants AVX-512"
                                           : fast ? "possible"
                                                  : "possible but slower than fp32: no bf16 instructions");
}

static void print_gpu() {
    if (gpu::platform() == gpu::Platform::emulated) {
        fmt::print(
            "cuda       no: this binary was built without CUDA (configure with -DATROUS_PLATFORM=cuda where nvcc "
            "is)\n");
        fmt::print("emulated   yes: GPU kernels run as fibers on the cpu, for tests and study (--device emulated)\n");
        return;
    }
    std::string why;
    const int count = gpu::device_count(&why);
    fmt::print("cuda       {}\n", count ? gpu::versions() : "no usable GPU: " + why);
    for (int i = 0; i < count; ++i) {
        const auto info = gpu::device_info(i);
        fmt::print("  cuda:{}     {}, capability {}.{}, {} multiprocessors, {} memory\n", i, info.name, info.major,
                   info.minor, info.multiprocessors, io::format_bytes(info.memory_bytes));
    }
    fmt::print("emulated   no: this binary runs on real GPUs (configure with -DATROUS_PLATFORM=emulated)\n");
    for (const auto& library : {gpu::cudnn, gpu::cublaslt}) {
        const gpu::FoundLibrary found = gpu::find_library(library);
        fmt::print("{:<10} {}\n", library.title,
                   found.path.empty() ? "not found: " + found.why_not : found.version + ", " + found.path);
    }
    fmt::print("  cuDNN computes convolutions where --kernels auto finds it faster; cuBLASLt is not used\n");
}

int devices(int argc, const char* const* argv) {
    Options o("devices", "Says what this program will use on this machine, and why not what it won't.");
    o.parse(argc, argv);
    print_cpu();
    print_gpu();
    std::string passed_over;
    fmt::print("--device auto chooses {}\n", name_of(parse_device("auto", &passed_over)));
    if (!passed_over.empty()) fmt::print("  {}\n", passed_over);
    std::fflush(stdout);
    return 0;
}

}  // namespace atrous::app
