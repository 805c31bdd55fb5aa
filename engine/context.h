// A context holds a device's streams, memory and threads; there is one a device, alive for the whole process. `run`
// hands a kernel to the backend that the device calls for.
//
// Kernels run on the compute stream. The copy stream of a GPU brings what they will need next from the host, and its
// side stream runs kernels beside others (engine/side_branch.h). What the context submits, takes or gives back, it does
// with its device current; others who call gpu:: for a device hold a guard().
#pragma once

#include <memory>
#include <type_traits>
#include <vector>

#include "engine/allocator.h"
#include "engine/device.h"
#include "engine/kernel_choice.h"
#include "engine/math_mode.h"
#include "engine/profile.h"
#include "engine/simulation.h"
#include "kernels/gpu/device_guard.h"
#include "kernels/queue.h"

namespace atrous {

class Context : private Scratch {
 public:
    explicit Context(Device device);
    Device device() const { return device_; }
    CachingAllocator& memory() { return *memory_; }
    gpu::StreamView stream() const { return stream_ ? stream_->view() : gpu::StreamView(); }
    gpu::StreamView copy_stream() const { return copy_stream_ ? copy_stream_->view() : gpu::StreamView(); }
    // Makes the GPU current for this thread while it lives; on the host nothing.
    gpu::DeviceGuard guard() const {
        return gpu::DeviceGuard(device_.kind == DeviceKind::gpu ? device_.index : gpu::DeviceGuard::none);
    }
    int threads() const { return threads_; }
    void set_threads(int threads) { threads_ = threads; }
    void synchronize();                                         // waits for the compute stream
    void copy_async(void* to, const void* from, size_t bytes);  // on the compute stream

    // Runs a kernel and gives back the scratch memory it took (in stream order).
    template <class Args>
    void submit(void (*kernel)(Queue&, const Args&), const Args& args) {
        const gpu::DeviceGuard current = guard();
        const auto tuned = tuned_kernels();
        Queue queue(stream(), *this, threads_, kernel_choice(), math_mode(), tuned.get());
        const ScratchScope scope(*this, scratch_blocks());
        const KernelSpan span(*this);
        kernel(queue, args);
    }

    // Asks what a kernel would do. The question submits no work and takes no scratch memory, and a profiler sees no kernel.
    template <class Args>
    void ask(void (*question)(Queue&, const Args&), const Args& args) {
        const gpu::DeviceGuard current = guard();
        const auto tuned = tuned_kernels();
        Queue queue(stream(), *this, threads_, kernel_choice(), math_mode(), tuned.get());
        question(queue, args);
    }

    // Runs a kernel on the side stream, behind all that the compute stream was given so far. It keeps its scratch memory
    // until join(), which makes the compute stream wait for it and gives back all blocks but the first ones.
    template <class Args>
    void submit_beside(void (*kernel)(Queue&, const Args&), const Args& args) {
        const gpu::DeviceGuard current = guard();
        const auto tuned = tuned_kernels();
        fork();
        Queue queue(side_stream_->view(), *this, threads_, kernel_choice(), math_mode(), tuned.get());
        kernel(queue, args);
    }
    void join(size_t first_scratch_blocks);
    size_t scratch_blocks() const { return taken_.size(); }  // in use

 private:
    void fork();
    struct ScratchScope {
        ScratchScope(Context& context, size_t first) : context(context), first(first) {}
        ~ScratchScope() { context.give_back(first); }
        Context& context;
        size_t first;  // of the blocks that are given back
    };
    void* take(size_t bytes) override;
    void give_back(size_t first) noexcept;

    Device device_;
    std::unique_ptr<CachingAllocator> memory_;
    std::unique_ptr<gpu::Stream> stream_, copy_stream_, side_stream_;
    std::unique_ptr<gpu::Event> forked_, joined_;
    std::vector<void*> taken_;
    int threads_ = 1;
};

// Creates the context on first use. Must not be called for meta, which has no context.
Context& context_of(Device device);

CachingAllocator& allocator_for(Device device);  // the context's, and on meta the simulation's

// False in the checked builds, where every tensor is a block of its own between red zones.
extern const bool memory_is_cached;

// The implementations of one contract function.
template <class Args>
struct Kernel {
    using Function = void (*)(Queue&, const Args&);
    Function reference, cpu, cuda;
    // The cpu's kernel heeds Queue::is_dry_run; worth it where it takes much scratch memory.
    bool cpu_has_dry_run = false;
};
constexpr bool cpu_has_dry_run = true;

template <class Args>
void run(Device device, const Kernel<std::type_identity_t<Args>>& kernel, const Args& args) {
    switch (device.kind) {
        case DeviceKind::meta:
            if (auto* simulation = MemorySimulation::current()) {
                const DeviceKind target = simulation->target().kind;
                if (target == DeviceKind::gpu) simulation->dry_run(kernel.cuda, args);
                if (target == DeviceKind::cpu && kernel.cpu_has_dry_run) simulation->dry_run(kernel.cpu, args);
            }
            return;
        case DeviceKind::reference:
            return context_of(device).submit(kernel.reference, args);
        case DeviceKind::cpu:
            return context_of(device).submit(kernel.cpu, args);
        case DeviceKind::gpu:
            return context_of(device).submit(kernel.cuda, args);
    }
}

// Asks the GPU's implementation what it would do there, or on the GPU that a simulation on meta plans for.
template <class Args>
void ask_gpu(Device device, void (*question)(Queue&, const Args&), const std::type_identity_t<Args>& args) {
    if (device.kind == DeviceKind::meta)
        MemorySimulation::current()->dry_run(question, args);
    else
        context_of(device).ask(question, args);
}

}  // namespace atrous
