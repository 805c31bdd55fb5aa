// Block barriers, warp operations, atomics and fences.
#include <bit>
#include <cstring>

#include "kernels/gpu/emu/recorder.h"

namespace atrous::gpu::emu {

static bool same_place(const Where& a, const Where& b) {
    return a.line == b.line && (a.file == b.file || !std::strcmp(a.file, b.file));
}

// ---- barriers -------------------------------------------------------------------------------------------------------
void Worker::release_barrier() {
    ++counts.barriers;
    if (live < block_threads && options().strict_exit)
        report("early exit", std::to_string(block_threads - live) + " threads had returned before the barrier",
               site_id(barrier.where));
    if (checking) clocks.block_barrier();
    if (recorder) recorder->block_barrier(site_id(barrier.where));
    for (Thread* t : barrier.waiting) {
        t->barrier_result = barrier.count;
        if (t != current) make_ready(t);
    }
    barrier.waiting.clear();
    barrier.count = 0;
}

int block_barrier(int predicate, const char* what, Where where) {
    Pause pause;
    Worker& w = *W;
    Thread* t = w.current;
    Barrier& b = w.barrier;
    if (b.waiting.empty()) {
        b.what = what;
        b.where = where;
    } else if (!same_place(b.where, where)) {
        report("divergent barrier",
               w.name() + " meets " + what + " at " + site_name(site_id(where)) + " while " + w.name(*b.waiting[0]) +
                   " waits in " + b.what + " at " + site_name(site_id(b.where)),
               site_id(where), site_id(b.where));
    }
    if (recorder) recorder->note(TraceKind::block_barrier, site_id(where));
    b.count += predicate != 0;
    b.waiting.push_back(t);
    if (b.waiting.size() == w.live)
        w.release_barrier();
    else
        w.block_current(what, where);
    return t->barrier_result;
}

// ---- warp operations ------------------------------------------------------------------------------------------------
// Those that move matrices have said more of themselves.
static void note_meeting(const char* what, const Where& where) {
    if (!std::strncmp(what, "__shfl", 6))
        recorder->note(TraceKind::shuffle, site_id(where));
    else if (!std::strcmp(what, "__syncwarp"))
        recorder->note(TraceKind::warp_barrier, site_id(where));
    else if (!std::strncmp(what, "__", 2))
        recorder->note(TraceKind::vote, site_id(where));
}

void warp_collective(uint32_t mask, const char* what, void* args, WarpOp op, bool orders, Where where) {
    Pause pause;
    Worker& w = *W;
    Thread* t = w.current;
    const unsigned lane = t->tid % 32;
    Warp& warp = w.warps[t->tid / 32];
    auto refuse = [&](const char* kind, std::string why, uint32_t other = 0) {
        why.insert(0, w.name() + ", " + what + ": ");
        fatal(kind, std::move(why), site_id(where), other);
    };
    if (!(mask >> lane & 1)) refuse("warp mask", "the calling lane is not in its mask");
    if (mask & ~warp.live) refuse("warp mask", "the mask names lanes that have exited or do not exist");
    Meeting& m = warp.meetings[std::countr_zero(mask)];
    if (!m.arrived) {
        m.mask = mask;
        m.op = op;
        m.what = what;
        m.where = where;
        ++warp.open;
    } else if (m.mask != mask || m.op != op || !same_place(m.where, where)) {
        refuse("divergent warp", std::string("other lanes are in ") + m.what, site_id(m.where));
    }
    m.args[lane] = args;
    m.arrived |= 1u << lane;
    if (recorder) note_meeting(what, where);
    if (m.arrived != mask) return w.block_current(what, where);
    m.arrived = 0;
    --warp.open;
    ++w.counts.collectives;
    if (op) op(m.args, mask);
    if (recorder && mask == warp.live) recorder->meet(t->tid / 32);
    if (orders && checking) w.clocks.warp_barrier(t->tid / 32, mask);
    for (unsigned i = 0; i < 32; ++i)
        if (mask >> i & 1 && i != lane) w.make_ready(&w.threads[t->tid / 32 * 32 + i]);
}

void require_lane(bool in_mask, const char* contract) {
    if (!in_mask) fatal("warp mask", W->name() + ": " + contract, 0);
}

unsigned lane() { return W->current->tid % 32; }

uint32_t vote(uint32_t mask, bool predicate, const char* what, Where where) {
    struct Vote {
        bool in;
        uint32_t out;
    } mine{predicate, 0};
    warp_collective(
        mask, what, &mine,
        [](void* const* args, uint32_t m) {
            uint32_t bits = 0;
            for (int i = 0; i < 32; ++i)
                if (m >> i & 1) bits |= uint32_t(static_cast<Vote*>(args[i])->in) << i;
            for (int i = 0; i < 32; ++i)
                if (m >> i & 1) static_cast<Vote*>(args[i])->out = bits;
        },
        false, where);
    return mine.out;
}

// ---- atomics, fences, shared memory ---------------------------------------------------------------------------------
void atomic_access(void* p, size_t bytes, Where where) {
    Pause pause;
    Worker& w = *W;
    if (++w.current->atomics % 64 == 0) yield();  // so that spin loops make progress
    if (recorder) recorder->access(uintptr_t(p), bytes, Write | Atomic, site_id(where));
    if (!checking) return;
    check_access(uintptr_t(p), bytes, Write | Atomic, site_id(where));
    if (!is_shared(p)) w.clocks.atomic(w.current->tid, w.launch->published[w.serial - w.launch->first_serial]);
}

void thread_fence() {
    if (checking) {
        Pause pause;
        W->clocks.fence(W->current->tid);
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

void* dynamic_shared() { return W->smem; }

}  // namespace atrous::gpu::emu
