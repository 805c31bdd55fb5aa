// Measures how much of a device's memory a computation would take, by running it on device meta.
//
//   MemorySimulation simulation({DeviceKind::cpu});
//   … make tensors on meta, run ops, run backward …
//   simulation.memory().statistics().peak_bytes
//
// While one lives, tensors that this thread makes on meta take addresses, of no memory, from an allocator with the
// rules of the target's; ops take the paths that they take there; and kernels run as far as it takes to learn what
// scratch memory they ask for (Queue::is_dry_run). So a prediction comes from the code that will run, not from a second
// description of it. It cannot know the scratch memory of kernels on the cpu other than convolutions; theirs is small.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/allocator.h"
#include "engine/device.h"
#include "engine/kernel_choice.h"
#include "engine/math_mode.h"
#include "engine/tensor.h"
#include "kernels/gpu/device_guard.h"
#include "kernels/queue.h"

namespace atrous {

// Every block of memory has one of these uses.
enum class BlockUse {
    weights,  // and buffers
    half_weights,
    gradients,
    optimizer,
    batch,
    activation,
    activation_gradient,
    workspace
};

struct SimulatedBlock {
    BlockUse use = BlockUse::activation;
    std::string module, what;  // path of the layer, and the op or a name: "up4.conv.double_conv.1", "batch_norm"
    Shape shape;
    DType dtype = DType::f32;
    size_t bytes = 0;  // as the allocator counts: rounded
};

class MemorySimulation : private Scratch {
 public:
    // The target need not be here. Throws MemoryError where it would hold more than `limit_bytes`; 0: no limit.
    explicit MemorySimulation(Device target, size_t limit_bytes = 0);
    ~MemorySimulation() override;
    MemorySimulation(const MemorySimulation&) = delete;
    MemorySimulation& operator=(const MemorySimulation&) = delete;

    static MemorySimulation* current();  // the innermost of this thread, or null
    Device target() const { return target_; }
    CachingAllocator& memory() { return *memory_; }
    std::shared_ptr<CachingAllocator> shared_memory() { return memory_; }

    void name(const Tensor& tensor, BlockUse use, const std::string& what);  // of its block
    std::vector<SimulatedBlock> peak_blocks() const;  // in use when the peak was reached, largest first

    void made(const Tensor& tensor);                           // by Tensor::empty
    void filled(const Tensor& tensor, const std::string& op);  // by record: the op and layer whose output it is
    void keep_scratch(bool keep);  // of dry runs, until it is called with false (engine/side_branch.h)
    template <class Args>
    void dry_run(void (*kernel)(Queue&, const Args&), const Args& args) {
        const DryRun dry_run(*this);
        const auto tuned = tuned_kernels();
        Queue queue(gpu::StreamView::dry_run(), *this, threads_, kernel_choice(), math_mode(), tuned.get());
        kernel(queue, args);
    }

 private:
    struct DryRun {
        explicit DryRun(MemorySimulation& simulation)
            : simulation(simulation), current(device_to_ask(simulation.target_)) {}
        ~DryRun() { simulation.end_dry_run(); }
        MemorySimulation& simulation;
        gpu::DeviceGuard current;  // libraries plan for the device that is current
    };
    struct Made {
        std::weak_ptr<Storage> storage;
        SimulatedBlock block;
        size_t filled_bytes = 0;  // of the widest output in it
    };
    static int device_to_ask(Device target);  // its index where it is a GPU that is here
    void* take(size_t bytes) override;
    void end_dry_run();
    void note_peak();

    Device target_;
    int threads_;
    std::shared_ptr<CachingAllocator> memory_;
    MemorySimulation* outer_;
    std::vector<Made> made_;
    std::unordered_map<const Storage*, size_t> index_;  // in made_, of the latest storage at this address
    std::vector<size_t> live_, at_peak_;                // in made_
    size_t peak_bytes_ = 0, peak_scratch_bytes_ = 0;
    std::string peak_scratch_module_;
    std::vector<void*> scratch_;
    size_t scratch_bytes_ = 0;
    bool keeps_scratch_ = false;
};

// Names the use of the tensors that this thread makes while it lives; without a simulation it has no effect.
class UseScope {
 public:
    explicit UseScope(BlockUse use);
    ~UseScope();
    UseScope(const UseScope&) = delete;
    UseScope& operator=(const UseScope&) = delete;

 private:
    BlockUse outer_;
};

// The kind of device whose kernels run for `device`: its own, and for meta under a simulation the target's.
DeviceKind backend_kind(Device device);

}  // namespace atrous
