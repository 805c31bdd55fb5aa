#include "kernels/gpu/trace.h"

#include <algorithm>
#include <array>

namespace atrous::gpu {

void GlobalCounters::add(const GlobalCounters& other) {
    requests += other.requests, sectors += other.sectors, fewest_sectors += other.fewest_sectors;
    bytes += other.bytes, distinct_bytes += other.distinct_bytes, lanes += other.lanes;
}

void SharedCounters::add(const SharedCounters& other) {
    requests += other.requests, wavefronts += other.wavefronts, fewest_wavefronts += other.fewest_wavefronts;
    worst_ways = std::max(worst_ways, other.worst_ways);
    bytes += other.bytes, lanes += other.lanes;
}

void KernelCounters::add(const KernelCounters& other) {
    for (const auto member :
         {&KernelCounters::load, &KernelCounters::store, &KernelCounters::async_copy, &KernelCounters::atomic})
        (this->*member).add(other.*member);
    for (const auto member :
         {&KernelCounters::shared_load, &KernelCounters::shared_store, &KernelCounters::shared_async_copy,
          &KernelCounters::ldmatrix, &KernelCounters::shared_atomic})
        (this->*member).add(other.*member);
    for (const auto& [name, member] : plain) this->*member += other.*member;
    most_on_one_address = std::max(most_on_one_address, other.most_on_one_address);
}

const std::vector<std::pair<const char*, uint64_t KernelCounters::*>> KernelCounters::plain{
    {"memory_instructions", &KernelCounters::memory_instructions},
    {"inactive_lanes", &KernelCounters::inactive_lanes},
    {"zero_filled_lanes", &KernelCounters::zero_filled_lanes},
    {"atomics", &KernelCounters::atomics},
    {"block_barriers", &KernelCounters::block_barriers},
    {"named_barriers", &KernelCounters::named_barriers},
    {"mbarrier_operations", &KernelCounters::mbarrier_operations},
    {"warp_barriers", &KernelCounters::warp_barriers},
    {"shuffles", &KernelCounters::shuffles},
    {"votes", &KernelCounters::votes},
    {"mma", &KernelCounters::mma},
    {"wgmma", &KernelCounters::wgmma},
    {"box_loads", &KernelCounters::box_loads},
    {"box_load_bytes", &KernelCounters::box_load_bytes},
    {"box_stores", &KernelCounters::box_stores},
    {"box_store_bytes", &KernelCounters::box_store_bytes}};

const char* name_of(TraceKind kind) {
    static constexpr std::array<const char*, size_t(TraceKind::count)> names{
        "load",          "store",           "atomic",        "shared_load",  "shared_store", "shared_atomic",
        "async_copy",    "async_write",     "async_commit",  "async_wait",   "ldmatrix",     "mma",
        "wgmma",         "block_barrier",   "named_barrier", "warp_barrier", "shuffle",      "vote",
        "mbarrier_init", "mbarrier_arrive", "mbarrier_wait", "box_load",     "box_store",    "wgmma_wait"};
    return names[size_t(kind)];
}

}  // namespace atrous::gpu
