// Where a kernel runs: every kernel is `void f(Queue&, const Args&)`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "kernels/gpu/runtime.h"

namespace atrous {

// Temporary memory on the queue's device. A block stays valid for the kernel that took it: on a GPU until the work that
// the kernel has submitted to the stream is done, on the cpu until the kernel function returns. Contents are undefined.
class Scratch {
 public:
    virtual ~Scratch() = default;
    virtual void* take(size_t bytes) = 0;  // aligned to 256 bytes; never null; throws GpuError or std::bad_alloc
};

// Which implementation runs where a kernel has several (kernels/implementation.h).
struct KernelChoice {
    enum class Rule : uint8_t {
        automatic,  // the first of the list that suits the problem
        own,        // the first of these that is no library's
        named,      // the one of this name where it supports the problem, else as automatic
    };
    Rule rule = Rule::automatic;
    std::string name = {};
    bool operator==(const KernelChoice&) const = default;
};

// How products of f32 tensors are computed on a GPU; the cpu and the reference compute exactly always.
enum class MathMode : uint8_t {
    exact,  // in float
    tf32,   // on tensor cores where an implementation can: factors are rounded to 10 bits of mantissa, sums are float
};

namespace kernels {
class TunedKernels;  // kernels/tuned_kernels.h
}

class Queue {
 public:
    Queue(gpu::StreamView stream, Scratch& scratch, int threads, KernelChoice kernels = {},
          MathMode math = MathMode::exact, const kernels::TunedKernels* tuned = nullptr)
        : stream_(stream),
          scratch_(&scratch),
          threads_(threads),
          kernels_(std::move(kernels)),
          math_(math),
          tuned_(tuned) {}
    gpu::StreamView stream() const { return stream_; }  // GPU only
    int threads() const { return threads_; }            // cpu only: how many OpenMP threads to use, at least 1
    const KernelChoice& kernels() const { return kernels_; }
    MathMode math() const { return math_; }
    const kernels::TunedKernels* tuned() const { return tuned_; }  // null: nothing was timed
    // Which of its ways the implementation that runs takes (kernels/implementation.h); empty: its first.
    const std::string& way() const { return way_; }
    void set_way(std::string way) { way_ = std::move(way); }
    // True where the engine asks what scratch memory a kernel would take: pointers are not to be followed. On a GPU
    // launches do nothing by themselves; kernels on the cpu take their scratch memory and return.
    bool is_dry_run() const { return stream_.is_dry_run(); }
    template <class T>
    T* scratch(size_t count) {
        return static_cast<T*>(scratch_->take(count * sizeof(T)));
    }

 private:
    gpu::StreamView stream_;
    Scratch* scratch_;
    int threads_;
    KernelChoice kernels_;
    MathMode math_;
    const kernels::TunedKernels* tuned_;
    std::string way_ = {};
};

}  // namespace atrous
