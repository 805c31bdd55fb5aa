#include "engine/simulation.h"

#include <algorithm>

#include "engine/context.h"
#include "engine/module_scope.h"

namespace atrous {

static thread_local MemorySimulation* innermost = nullptr;
static thread_local BlockUse current_use = BlockUse::activation;

UseScope::UseScope(BlockUse use) : outer_(current_use) { current_use = use; }
UseScope::~UseScope() { current_use = outer_; }

// Until an op or a caller gives a block its name.
static const char* first_name(BlockUse use) {
    switch (use) {
        case BlockUse::optimizer:
            return "bookkeeping";
        case BlockUse::batch:
            return "images, labels";
        case BlockUse::activation_gradient:
            return "gradient";
        default:
            return "";
    }
}

// Addresses that nobody follows, aligned as real ones are: kernels choose their variants by alignment.
static MemoryBackend imaginary_memory() {
    auto next = std::make_shared<uintptr_t>(uintptr_t(1) << 40);
    return {[next](size_t bytes) {
                const uintptr_t at = *next;
                *next += (bytes + 511) / 256 * 256;
                return reinterpret_cast<void*>(at);
            },
            [](void*) {}, memory_is_cached};
}

MemorySimulation::MemorySimulation(Device target, size_t limit_bytes)
    : target_(target),
      threads_(target.kind == DeviceKind::cpu ? context_of(target).threads() : 1),
      memory_(std::make_shared<CachingAllocator>(imaginary_memory())),
      outer_(innermost) {
    memory_->set_limit(limit_bytes);
    innermost = this;
}
MemorySimulation::~MemorySimulation() { innermost = outer_; }
MemorySimulation* MemorySimulation::current() { return innermost; }

DeviceKind backend_kind(Device device) {
    return device.kind == DeviceKind::meta && innermost ? innermost->target().kind : device.kind;
}

void MemorySimulation::made(const Tensor& t) {
    const size_t bytes = memory_->size_of(t.storage()->data());
    index_[t.storage().get()] = made_.size();
    live_.push_back(made_.size());
    made_.push_back(
        {t.storage(), {current_use, ModuleScope::path(), first_name(current_use), t.shape(), t.dtype(), bytes}, 0});
    note_peak();
}

void MemorySimulation::filled(const Tensor& t, const std::string& op) {
    const auto it = index_.find(t.storage().get());
    if (it == index_.end() || t.bytes() <= made_[it->second].filled_bytes) return;
    Made& m = made_[it->second];
    if (m.block.use != BlockUse::activation) return;
    // The parts of a concatenation come first, then the whole.
    m.block.module = ModuleScope::path();
    m.block.what = op;
    m.filled_bytes = t.bytes();
}

void MemorySimulation::name(const Tensor& t, BlockUse use, const std::string& what) {
    if (!t.defined()) return;
    SimulatedBlock& block = made_[index_.at(t.storage().get())].block;
    block.use = use;
    block.what = what;
}

int MemorySimulation::device_to_ask(Device target) {
    const bool here = target.kind == DeviceKind::gpu && target.index < gpu::device_count();
    return here ? target.index : gpu::DeviceGuard::none;
}

void* MemorySimulation::take(size_t bytes) {
    scratch_.push_back(memory_->allocate(bytes));
    scratch_bytes_ += memory_->size_of(scratch_.back());
    return scratch_.back();
}

void MemorySimulation::keep_scratch(bool keep) {
    keeps_scratch_ = keep;
    if (!keep) end_dry_run();
}

void MemorySimulation::end_dry_run() {
    note_peak();
    if (keeps_scratch_) return;
    for (auto it = scratch_.rbegin(); it != scratch_.rend(); ++it) memory_->release(*it);
    scratch_.clear();
    scratch_bytes_ = 0;
}

void MemorySimulation::note_peak() {
    const size_t peak = memory_->statistics().peak_bytes;
    if (peak <= peak_bytes_) return;
    peak_bytes_ = peak;
    live_.erase(std::remove_if(live_.begin(), live_.end(), [&](size_t i) { return made_[i].storage.expired(); }),
                live_.end());
    at_peak_ = live_;
    peak_scratch_bytes_ = scratch_bytes_;
    peak_scratch_module_ = ModuleScope::path();
}

std::vector<SimulatedBlock> MemorySimulation::peak_blocks() const {
    std::vector<SimulatedBlock> blocks;
    for (size_t i : at_peak_) blocks.push_back(made_[i].block);
    if (peak_scratch_bytes_ > 0)
        blocks.push_back({BlockUse::workspace,
                          peak_scratch_module_,
                          "scratch",
                          {int64_t(peak_scratch_bytes_)},
                          DType::u8,
                          peak_scratch_bytes_});
    std::stable_sort(blocks.begin(), blocks.end(),
                     [](const SimulatedBlock& a, const SimulatedBlock& b) { return a.bytes > b.bytes; });
    return blocks;
}

}  // namespace atrous
