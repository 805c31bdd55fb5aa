#include "kernels/gpu/cudnn/provider.h"

#include <utility>
#include <vector>

namespace atrous::cudnn {

Provider::~Provider() {
    for (auto& [id, device] : devices_) {
        device.plans.clear(), device.named.clear();
        if (device.handle) api_->destroy(device.handle);
    }
}

Provider::Device& Provider::device() {
    const int id = gpu::current_device();
    const std::lock_guard lock(mutex_);
    const auto [found, is_new] = devices_.try_emplace(id);
    Device& d = found->second;
    if (is_new)
        if (const Status s = api_->create(&d.handle)) {
            d.handle = nullptr;
            d.why_not = Failure(*api_, "cudnnCreate", s).what();
        }
    return d;
}

ConvPlans Provider::candidates(const ConvProblem& problem, size_t most) {
    Device& d = device();
    const std::lock_guard lock(d.mutex);
    return plan(d, problem, most);
}

// Under the device's mutex.
ConvPlans Provider::plan(const Device& d, const ConvProblem& problem, size_t most) const {
    if (!d.handle) return {{}, d.why_not};
    return plan_convolution(*api_, {d.handle, nullptr}, problem, rules_, most);
}

const ConvPlan* Provider::plan(const ConvProblem& problem, std::string* why) {
    Device& d = device();
    const std::lock_guard lock(d.mutex);
    auto found = d.plans.find(problem);
    if (found == d.plans.end()) found = d.plans.emplace(problem, plan(d, problem, 1)).first;
    const ConvPlans& plans = found->second;
    if (!plans.list.empty()) return &plans.list.front();
    if (why) *why = plans.why_not;
    return nullptr;
}

const ConvPlan* Provider::plan_named(const ConvProblem& problem, const std::string& name) {
    Device& d = device();
    const std::lock_guard lock(d.mutex);
    const auto [found, is_new] = d.named.try_emplace({problem, name});
    if (is_new)
        for (ConvPlan& plan : this->plan(d, problem, most_candidates).list)
            if (!found->second && plan.name() == name) found->second = std::make_unique<ConvPlan>(std::move(plan));
    return found->second.get();
}

void Provider::drop_plans() {
    const std::lock_guard lock(mutex_);
    for (auto& [id, d] : devices_) {
        const std::lock_guard of_device(d.mutex);
        d.plans.clear(), d.named.clear();
    }
}

void Provider::execute(const ConvPlan& plan, const ConvPointers& at, void* workspace, gpu::StreamView stream) {
    std::vector<int64_t> ids{ConvGraph::x, ConvGraph::w, ConvGraph::y};
    std::vector<const void*> pointers{at.x, at.w, at.y};
    if (at.bias) ids.push_back(ConvGraph::bias), pointers.push_back(at.bias);
    Object pack(*api_, Kind::variant_pack);
    pack.set(Attribute::pack_ids, Type::int64, int64_t(ids.size()), ids.data());
    pack.set(Attribute::pack_pointers, Type::pointer, int64_t(pointers.size()), pointers.data());
    pack.set(Attribute::pack_workspace, Type::pointer, 1, &workspace);
    pack.finalize();

    Device& d = device();
    const std::lock_guard lock(d.mutex);  // the stream belongs to the handle
    check(*api_, "cudnnSetStream", api_->set_stream(d.handle, stream.handle()));
    check(*api_, "cudnnBackendExecute", api_->execute(d.handle, plan.plan.descriptor(), pack.descriptor()));
}

static std::pair<Provider*, std::string> find_provider() {
    if (gpu::platform() == gpu::Platform::emulated) return {nullptr, "cuDNN is absent: this binary runs the emulator"};
    std::string why;
    if (gpu::device_count(&why) == 0) return {nullptr, "cuDNN is absent: " + why};
    OpenedApi opened = open_api();
    if (!opened.api) return {nullptr, opened.why_not};
    return {new Provider(std::move(opened.api)), ""};
}

Provider* provider(std::string* why) {
    static const auto found = find_provider();
    if (why) *why = found.second;
    return found.first;
}

}  // namespace atrous::cudnn
