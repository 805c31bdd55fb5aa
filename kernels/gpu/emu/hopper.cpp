// The life of a block's Hopper state, and its end: nothing may be left under way.
#include "kernels/gpu/emu/hopper.h"

#include <cstring>

#include "kernels/gpu/emu/internal.h"

namespace atrous::gpu::emu {

void need_hopper(const char* what, const Where& where) {
    const int has = options().capability;
    if (has < 90)
        fatal("capability",
              W->name() + ": " + what + " needs capability 9.0, and this device has " + std::to_string(has / 10) + "." +
                  std::to_string(has % 10),
              site_id(where));
}

void Hopper::start_block() {
    if (used_) reset();
}

void Hopper::reset() {
    used_ = false;
    barriers_.clear();
    loads_.clear();
    threads_.clear();
    named = {};
    for (auto& waiting : warpgroups_) waiting.clear();
    accumulators_ = 0;
}

HopperThread& Hopper::of(const Thread& t) {
    used_ = true;
    if (threads_.empty()) threads_.resize(W->block_threads);
    return threads_[t.tid];
}

void Hopper::exit_thread(const Thread& t) {
    if (threads_.empty()) return;
    HopperThread& mine = threads_[t.tid];
    if (!mine.products.empty())
        report("wgmma", W->name(t) + " ends with products it never waited for", site_id(mine.products[0].where));
    for (const BoxStore& s : mine.stores)
        if (!s.read) report("tma", W->name(t) + " ends with a tma_store it never waited for", site_id(s.where));
    finish_stores(mine);
    accumulators_ -= int(mine.accumulators.size());
    const unsigned registers = mine.registers;
    mine = {};
    mine.registers = registers;
}

static constexpr unsigned registers_of_a_block = 65536;

void Hopper::finish_block() {
    while (!loads_.empty()) {
        report("tma", "a tma_load was not waited for when its block ended", site_id(loads_.back().where));
        land_one();
    }
    unsigned registers = 0;
    for (size_t i = 0; i < threads_.size(); ++i) {
        registers += threads_[i].registers;
        const size_t first = i / 128 * 128;
        const bool whole = first + 128 <= threads_.size() || !threads_[i].registers;
        if (!whole || threads_[i].registers != threads_[first].registers)
            report("setmaxnreg", "the four warps of a warpgroup do not all ask for one number of registers", 0);
    }
    if (registers > registers_of_a_block)
        report("setmaxnreg",
               "the block's threads ask for " + std::to_string(registers) + " registers, and there are " +
                   std::to_string(registers_of_a_block),
               0);
}

void set_max_registers(unsigned count, Where where) {
    Pause pause;
    need_hopper("setmaxnreg", where);
    W->hopper.of(*W->current).registers = count;
}

void fence_proxy_async() {
    Pause pause;
    need_hopper("fence_proxy_async", {});
    if (checking) W->clocks.proxy_fence(W->current->tid);
}

}  // namespace atrous::gpu::emu
