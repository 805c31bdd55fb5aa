// cuDNN's convolutions on the GPUs of this machine: a handle a device, a plan a problem, both kept.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "kernels/gpu/cudnn/conv_plan.h"
#include "kernels/gpu/runtime.h"

namespace atrous::cudnn {

// Where a problem's tensors lie, each aligned to 16 bytes. In gradients y is dy, and x or w is what is written.
struct ConvPointers {
    const void *x = nullptr, *w = nullptr, *y = nullptr, *bias = nullptr;
};

class Provider {
 public:
    explicit Provider(std::shared_ptr<const Api> api, PlanRules rules = {}) : api_(std::move(api)), rules_(rules) {}
    ~Provider();
    Provider(const Provider&) = delete;
    Provider& operator=(const Provider&) = delete;

    const Api& api() const { return *api_; }
    const PlanRules& rules() const { return rules_; }

    // The first plan for the current device, made when it is first asked for (3 to 10 ms; the first of all .3 to 2 s,
    // for cuDNN loads its engines); null where there is none, and then *why says why. Valid until plans are dropped.
    const ConvPlan* plan(const ConvProblem&, std::string* why = nullptr);
    // The first `most` plans, made anew: what a tuner times.
    ConvPlans candidates(const ConvProblem&, size_t most = most_candidates);
    // The one of these with this name (ConvPlan::name), kept like the first; null where there is none.
    const ConvPlan* plan_named(const ConvProblem&, const std::string& name);
    static constexpr size_t most_candidates = 10;
    // Plans of shapes that were asked for and will not be used; what is asked for again is made anew. Not while a graph
    // lives that was recorded from them.
    void drop_plans();
    // Hands the plan's work to the stream. Allocates nothing and waits for nothing, so that it may be recorded into a
    // graph. The workspace has plan.workspace_bytes on the current device. GpuError where cuDNN refuses.
    void execute(const ConvPlan&, const ConvPointers&, void* workspace, gpu::StreamView);

 private:
    struct Device {
        Handle handle = nullptr;
        std::string why_not;  // there is no handle
        std::mutex mutex;
        std::map<ConvProblem, ConvPlans> plans;
        std::map<std::pair<ConvProblem, std::string>, std::unique_ptr<ConvPlan>> named;  // null: there is none
    };
    Device& device();  // the current one
    ConvPlans plan(const Device&, const ConvProblem&, size_t most) const;
    const std::shared_ptr<const Api> api_;
    const PlanRules rules_;
    std::mutex mutex_;
    std::map<int, Device> devices_;
};

// The process's provider; null where there is none, and then *why says so in one line: the emulator, no GPU, no
// library, a library that is too old or lacks a function. Looked for once. It is never destroyed, because cuDNN may be
// unloaded before it when the program ends.
Provider* provider(std::string* why = nullptr);

}  // namespace atrous::cudnn
