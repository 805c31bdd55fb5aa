#include "engine/context.h"

#include <omp.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

#include "base/error.h"

namespace atrous {

#if defined(__SANITIZE_ADDRESS__) || defined(ATROUS_CHECK_RACES)
const bool memory_is_cached = false;
#else
const bool memory_is_cached = true;
#endif

static MemoryBackend backend_of(Device device) {
    if (device.kind == DeviceKind::gpu)
        return {[index = device.index](size_t bytes) {
                    const gpu::DeviceGuard current(index);
                    return gpu::allocate(bytes);
                },
                [index = device.index](void* p) {
                    const gpu::DeviceGuard current(index);
                    gpu::release(p);
                },
                memory_is_cached};
    return {[](size_t bytes) {
                void* p = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
                if (!p) throw std::bad_alloc();
                return p;
            },
            [](void* p) { std::free(p); }, memory_is_cached};
}

Context::Context(Device device) : device_(device), memory_(std::make_unique<CachingAllocator>(backend_of(device))) {
    if (device.kind == DeviceKind::gpu) {
        const gpu::DeviceGuard current(device.index);
        stream_ = std::make_unique<gpu::Stream>();
        copy_stream_ = std::make_unique<gpu::Stream>();
        side_stream_ = std::make_unique<gpu::Stream>();
        forked_ = std::make_unique<gpu::Event>();
        joined_ = std::make_unique<gpu::Event>();
    } else {
        threads_ = omp_get_max_threads();
    }
}

void Context::synchronize() {
    if (stream_) stream_->view().synchronize();
}

void Context::copy_async(void* to, const void* from, size_t bytes) {
    const gpu::DeviceGuard current = guard();
    gpu::copy_async(to, from, bytes, stream());
}

void Context::fork() {
    forked_->record(stream());
    forked_->block(side_stream_->view());
}

void Context::join(size_t first_scratch_blocks) {
    const gpu::DeviceGuard current = guard();
    const ScratchScope scope(*this, first_scratch_blocks);  // where the join fails too
    joined_->record(side_stream_->view());
    joined_->block(stream());
}

void* Context::take(size_t bytes) {
    taken_.push_back(memory_->allocate(bytes));
    return taken_.back();
}

void Context::give_back(size_t first) noexcept {
    while (taken_.size() > first) {
        memory_->release(taken_.back());
        taken_.pop_back();
    }
}

CachingAllocator& allocator_for(Device device) {
    if (device.kind != DeviceKind::meta) return context_of(device).memory();
    if (!MemorySimulation::current()) throw Error("device meta has no memory outside a simulation");
    return MemorySimulation::current()->memory();
}

Context& context_of(Device device) {
    if (device.kind == DeviceKind::meta) throw Error("device meta has shapes only; nothing can run on it");
    static std::mutex mutex;
    // Never destroyed: tensors with static lifetime may outlive main.
    static auto& contexts = *new std::map<std::pair<DeviceKind, int>, std::unique_ptr<Context>>;
    std::lock_guard lock(mutex);
    auto& context = contexts[{device.kind, device.index}];
    if (!context) context = std::make_unique<Context>(device);
    return *context;
}

}  // namespace atrous
