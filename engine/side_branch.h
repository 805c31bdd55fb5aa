// Kernels that a GPU may run beside those that follow, in a stream of their own:
//
//   SideBranch beside(device);
//   beside.run({…, k::cuda::conv_backward_weight}, weight_args);  // begins behind all that the compute stream has so far
//   run(device, {…, k::cuda::conv_backward_input}, input_args);   // at the same time
//   beside.join();                                                // what follows waits for both
//
// A captured graph gets two branches there. Results do not change: neither kernel may write what the other one touches.
// Scratch memory of the branch is its own until the join, so that the branch's kernel is submitted first. On the cpu, and
// under a profiler, whose times are those of one kernel after the other, all is done in order.
#pragma once

#include <exception>

#include "engine/context.h"

namespace atrous {

class SideBranch {
 public:
    explicit SideBranch(Device device, bool wanted = true);  // not wanted: all is done in order
    // Joins, where an error has kept join() from being called; what fails then is silent, for the error is on its way.
    ~SideBranch() noexcept(false);
    SideBranch(const SideBranch&) = delete;
    SideBranch& operator=(const SideBranch&) = delete;

    template <class Args>
    void run(const Kernel<std::type_identity_t<Args>>& kernel, const Args& args) {
        if (branches_ && device_.kind == DeviceKind::gpu) {
            forked_ = true;
            return context_of(device_).submit_beside(kernel.cuda, args);
        }
        atrous::run(device_, kernel, args);
    }
    void join();
    bool branches() const { return branches_; }  // false: all is done in order

    // Whether this process has side branches where it can; set between computations. On at first.
    static bool allowed();
    static void allow(bool on);

 private:
    Device device_;
    bool branches_;
    bool forked_ = false;  // else there is nothing to join, and the side stream takes no part in a capture
    int errors_ = std::uncaught_exceptions();
    size_t first_ = 0;  // of the scratch blocks that it keeps
};

}  // namespace atrous
