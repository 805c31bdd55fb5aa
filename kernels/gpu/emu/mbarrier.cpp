// mbarriers and named barriers.
#include <cstring>

#include "kernels/gpu/emu/recorder.h"

namespace atrous::gpu::emu {

constexpr int64_t most_bytes = (1 << 20) - 1;  // that an mbarrier counts

static void refuse(std::string why, const Where& where) {
    why.insert(0, W->name() + ": ");
    fatal("mbarrier", std::move(why), site_id(where));
}

static void access(void* b, unsigned kind, const Where& where) {
    need_alignment(b, 8, "an mbarrier", where);
    need_shared(b, "an mbarrier", where);
    check_access(uintptr_t(b), 8, kind, checked_site(where));
}

// ---- the block's mbarriers ------------------------------------------------------------------------------------------
void Hopper::init(void* b, unsigned count, Where where) {
    used_ = true;
    access(b, Write, where);
    if (count == 0 || count >= 1u << 20) refuse("mbarrier_init of " + std::to_string(count) + " arrivals", where);
    MBarrierState& s = barriers_[b];
    if (!s.waiting.empty()) refuse("mbarrier_init while threads wait there", where);
    s = {};
    s.token = 0x6d62617272000000 + barriers_.size();
    s.count = s.pending = count;
    s.initialized_by = W->current->tid;
    std::memcpy(b, &s.token, 8);
}

void Hopper::fence_init(unsigned tid) {
    for (auto& [address, b] : barriers_) b.fenced = b.fenced || b.initialized_by == tid;
}

MBarrierState& Hopper::find(void* b, Where where) {
    access(b, Write | Atomic, where);
    const auto it = barriers_.find(b);
    if (it == barriers_.end()) refuse("the mbarrier was never initialized", where);
    if (std::memcmp(b, &it->second.token, 8) != 0) refuse("the mbarrier was overwritten", where);
    return it->second;
}

void Hopper::complete_if_done(MBarrierState& b) {
    if (b.pending || b.bytes) return;
    ++b.phase;
    b.pending = b.count;
    b.completed.add(b.arriving);
    b.arriving = {};
    for (Thread* t : b.waiting) W->make_ready(t);
    b.waiting.clear();
}

std::string Hopper::waits() const {
    std::string text;
    for (const auto& [address, b] : barriers_)
        if (!b.waiting.empty())
            text += "\n      an mbarrier in its phase " + std::to_string(b.phase) + " still expects " +
                    std::to_string(b.pending) + " arrival(s) and " + std::to_string(b.bytes) + " bytes";
    return text;
}

// ---- instructions ---------------------------------------------------------------------------------------------------
void mbarrier_init(void* b, unsigned count, Where where) {
    Pause pause;
    need_hopper("mbarrier_init", where);
    if (recorder) recorder->note(TraceKind::mbarrier_init, site_id(where), uintptr_t(b), 8, count);
    W->hopper.init(b, count, where);
}

void fence_mbarrier_init() {
    Pause pause;
    W->hopper.fence_init(W->current->tid);
}

void mbarrier_arrive(void* address, unsigned bytes, const char* what, Where where) {
    Pause pause;
    need_hopper(what, where);
    if (recorder) recorder->note(TraceKind::mbarrier_arrive, site_id(where), uintptr_t(address), 8, bytes);
    MBarrierState& b = W->hopper.find(address, where);
    if (b.pending == 0) refuse("more arrivals in one phase than the mbarrier's " + std::to_string(b.count), where);
    b.bytes += bytes;
    if (b.bytes > most_bytes) refuse("more than 1048575 bytes expected in one phase", where);
    if (checking) W->clocks.release(W->current->tid, b.arriving);
    --b.pending;
    W->hopper.complete_if_done(b);
}

static bool completed(const MBarrierState& b, unsigned parity) { return (b.phase & 1) != (parity & 1); }

static bool take(const MBarrierState& b) {
    if (checking) W->clocks.acquire(W->current->tid, b.completed);
    return true;
}

bool mbarrier_try_wait(void* address, unsigned parity, Where where) {
    Pause pause;
    need_hopper("mbarrier_try_wait", where);
    const MBarrierState& b = W->hopper.find(address, where);
    if (completed(b, parity)) return take(b);
    if (++W->current->atomics % 64 == 0) W->hopper.land_one();  // somebody who asks again and again sees copies land
    yield();
    return completed(b, parity) && take(b);
}

void mbarrier_wait(void* address, unsigned parity, Where where) {
    Pause pause;
    need_hopper("mbarrier_wait", where);
    if (recorder) recorder->note(TraceKind::mbarrier_wait, site_id(where), uintptr_t(address), 8, parity);
    MBarrierState& b = W->hopper.find(address, where);
    while (!completed(b, parity)) {
        b.waiting.push_back(W->current);
        W->block_current("mbarrier_wait", where);
    }
    take(b);
}

// ---- named barriers -------------------------------------------------------------------------------------------------
static void check_named(const NamedBarrier& b, unsigned id, unsigned threads, const Where& where) {
    auto refuse = [&](std::string why) {
        why.insert(0, W->name() + ": ");
        fatal("named barrier", std::move(why), site_id(where), b.arrived ? site_id(b.where) : 0);
    };
    if (id < 1 || id > 15) refuse("its id is " + std::to_string(id) + "; 1 to 15 are named barriers");
    if (threads == 0 || threads % 32 || threads > W->block_threads)
        refuse("a barrier of " + std::to_string(threads) + " threads; multiples of 32 up to the block are possible");
    if (b.arrived && b.threads != threads)
        refuse("a barrier of " + std::to_string(threads) + " threads where others expect " + std::to_string(b.threads));
}

void named_barrier(unsigned id, unsigned threads, bool waits, Where where) {
    Pause pause;
    Worker& w = *W;
    NamedBarrier& b = w.hopper.named[id < 16 ? id : 0];
    check_named(b, id, threads, where);
    if (recorder) recorder->note(TraceKind::named_barrier, site_id(where), 0, 0, id);
    w.hopper.of(*w.current);  // the block's state is in use
    b.threads = threads;
    b.where = where;
    if (checking) w.clocks.release(w.current->tid, b.arriving);
    if (waits) b.waiting.push_back(w.current);
    if (++b.arrived < threads) {
        if (waits) w.block_current("a named barrier", where);
        return;
    }
    for (Thread* t : b.waiting) {
        if (checking) w.clocks.acquire(t->tid, b.arriving);
        if (t != w.current) w.make_ready(t);
    }
    b = {};
}

}  // namespace atrous::gpu::emu
