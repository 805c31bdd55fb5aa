#include "segmentation/machine.h"

#include <fmt/core.h>
#include <omp.h>

#include <algorithm>
#include <cstdlib>

#include "base/cores.h"
#include "engine/context.h"
#include "engine/kernel_choice.h"

namespace atrous {

void describe_device(Settings& s, Machine& m) {
    s.bind("device", m.device, "auto, cpu, cuda, cuda:N, emulated or reference").when_resumed(Resume::free);
    s.bind("threads", m.threads, "cpu threads; 0: all").min(0).max(1024).when_resumed(Resume::free);
    describe_kernel_choice(s, m);
}

void describe_kernel_choice(Settings& s, Machine& m) {
    std::vector<std::string> words = implementation_names();
    words.insert(words.begin(), {"auto", "own"});
    s.bind("kernels", m.kernels,
           "implementations of convolutions: auto, the first of the list that suits; own, without libraries; or one by "
           "its name, wherever it supports the shape; others round differently")
        .one_of(words);
}

void describe_workers(Settings& s, Machine& m) {
    s.bind("workers", m.workers, "threads that load images").min(0).max(64).when_resumed(Resume::free);
}

void describe_memory_limit(Settings& s, Machine& m) {
    s.bind("memory-limit", m.memory_limit_mib, "most memory that tensors may take on the device; 0: no limit")
        .min(0)
        .max(1 << 30)
        .unit("MiB")
        .when_resumed(Resume::free);
}

Setting<int64_t>& describe_batch_size(Settings& s, int64_t& batch_size) {
    return s.bind("batch-size", batch_size, "images at once")
        .letter('b')
        .min(1)
        .max(max_batch_size)
        .when_resumed(Resume::within_epoch);
}

Device open_device(const Machine& machine, Messages& messages) {
    std::string passed_over;
    const Device device = parse_device(machine.device, &passed_over);
    if (!passed_over.empty()) messages.details("warning: " + passed_over + "; computing on " + name_of(device) + "\n");
    const int cores = usable_cores(), most = omp_get_max_threads();
    const int count = machine.threads > 0              ? int(machine.threads)
                      : std::getenv("OMP_NUM_THREADS") ? most
                                                       : std::min(most, cores);
    if (count > cores)
        messages.details(
            fmt::format("warning: {} threads on {} core{}: they take turns and wait for each other; use `threads` {}\n",
                        count, cores, cores == 1 ? "" : "s", cores));
    omp_set_num_threads(count);
    set_kernel_choice(parse_kernel_choice(machine.kernels));
    context_of({DeviceKind::cpu}).set_threads(count);
    // Current from here on, so that guards find it so and none of them makes a CUDA context on device 0.
    if (device.kind == DeviceKind::gpu) gpu::set_device(device.index);
    context_of(device);
    return device;
}

}  // namespace atrous
