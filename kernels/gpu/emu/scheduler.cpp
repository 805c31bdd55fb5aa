// Blocks over workers, and the fibers of a block. A context runs CUDA threads one after the other for as long as they
// do not block, so a kernel without barriers is a plain loop on one stack; a blocked thread keeps its context and the
// next one gets another.
#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "kernels/gpu/emu/internal.h"
#include "kernels/gpu/emu/launch.h"
#include "kernels/gpu/emu/recorder.h"

// The built-in variables: writable here, const for kernels. blockDim and gridDim have the layout of uint3.
__thread uint3 own_thread_idx __asm__("atrous_emu_threadIdx");
__thread uint3 own_block_idx __asm__("atrous_emu_blockIdx");
__thread uint3 own_block_dim __asm__("atrous_emu_blockDim");
__thread uint3 own_grid_dim __asm__("atrous_emu_gridDim");

namespace atrous::gpu::emu {

thread_local Worker* W = nullptr;

// ---- choosing the next thread ---------------------------------------------------------------------------------------
uint64_t ShuffledQueue::random() {  // splitmix64
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
void ShuffledQueue::push(Thread* t) {
    const unsigned warp = t->tid / 32;
    lanes[warp][count[warp]++] = t;
    ++runnable;
}
// The favoured warp changes when it cannot run, and now and then at random: deep preemptions at few places find more
// than a fair order does.
Thread* ShuffledQueue::pop(unsigned warps) {
    if (count[favoured] == 0 || random() % 128 == 0) {
        do favoured = unsigned(random() % warps);
        while (count[favoured] == 0);
    }
    auto& q = lanes[favoured];
    unsigned& n = count[favoured];
    std::swap(q[random() % n], q[n - 1]);
    --runnable;
    return q[--n];
}

// Threads that have started go on before others start, so that few stacks are in use at a time; one that yields lets
// every other one go first.
Thread* Worker::pick(bool yields) {
    const bool fresh = next_fresh < block_threads;
    if (order == Options::Order::shuffled) {
        if (shuffled.runnable) return shuffled.pop(warp_count);
    } else if (fresh && (yields || ready.empty())) {
        const unsigned i = next_fresh++;
        return &threads[order == Options::Order::forward ? i : block_threads - 1 - i];
    } else if (!ready.empty()) {
        return yields || order == Options::Order::forward ? ready.pop_front() : ready.pop_back();
    }
    if (live && hopper.land_one()) return pick(yields);  // copies take as long as they may
    if (live) report_deadlock();
    return nullptr;
}

void Worker::make_ready(Thread* t) {
    if (order == Options::Order::shuffled)
        shuffled.push(t);
    else
        ready.push(t);
}

void Worker::report_deadlock() {
    struct Wait {
        unsigned count = 0;
        const Thread* first = nullptr;
    };
    std::map<std::string, Wait> waits;
    for (unsigned i = 0; i < block_threads; ++i) {
        const Thread& t = threads[i];
        if (!t.waits_in) continue;
        Wait& w = waits[std::string(t.waits_in) + " at " + site_name(site_id(t.where))];
        if (w.count++ == 0) w.first = &t;
    }
    std::string text = "no thread can run; waiting:";
    for (auto& [place, w] : waits)
        text += "\n      " + std::to_string(w.count) + " thread(s) in " + place + ", first " + name(*w.first);
    report("deadlock", text + hopper.waits(), 0);
}

// ---- fibers ---------------------------------------------------------------------------------------------------------
void fiber_main() {
    entered_context();
    Worker& w = *W;
    Context* self = w.starting->context;
    for (;;) {
        Thread* t = w.starting;
        t->context = self;
        w.run_thread(t);
        w.exit_thread(t);
        Thread* next = w.pick();
        if (next && !next->context) {
            w.starting = next;
            continue;
        }
        if (!next && w.live) w.abandon();
        w.fibers.put(self);
        ++w.counts.switches;
        switch_context(self, next ? next->context : &w.main);
        // Here again when another thread starts on this context.
    }
}

void Worker::run_thread(Thread* t) {
    current = t;
    t->atomics = 0;  // an order depends on nothing that ran before
    own_thread_idx = t->index;
    in_device = true;
    launch->call.thread(launch->call.kernel, launch->call.args);
    in_device = false;
}

void Worker::abandon() {  // leaves every fiber where it is and ends the launch
    launch->aborted = true;
    in_device = false;
    Context dead;
    switch_context(&dead, &main);
    __builtin_unreachable();
}

void Worker::block_current(const char* what, Where where, bool yields) {
    Thread* t = current;
    t->waits_in = what;
    t->where = where;
    Thread* next = pick(yields);
    if (!next) abandon();
    if (next != t) {
        if (!next->context) {
            next->context = fibers.take();
            starting = next;
        }
        ++counts.switches;
        switch_context(t->context, next->context);
    }
    t->waits_in = nullptr;
    current = t;
    own_thread_idx = t->index;
    if (recorder) in_device = true;  // another thread may have returned meanwhile
}

void yield() {
    Pause pause;
    W->make_ready(W->current);
    W->block_current("yield", {}, true);
}

void Worker::exit_thread(Thread* t) {
    if (!t->copies.empty()) {
        report("cp.async", name(*t) + " ends with copies it never waited for", 0);
        t->copies.clear();
    }
    t->groups.clear();
    hopper.exit_thread(*t);
    t->context = nullptr;
    --live;
    Warp& warp = warps[t->tid / 32];
    warp.live &= ~(1u << t->tid % 32);
    if (warp.open)
        for (const Meeting& m : warp.meetings)
            if (m.arrived && m.mask >> t->tid % 32 & 1)
                report("warp mask", name(*t) + " has exited but is in the mask of " + m.what, site_id(m.where));
    if (live && barrier.waiting.size() == live) {
        current = nullptr;
        release_barrier();
    }
}

// ---- blocks ---------------------------------------------------------------------------------------------------------
std::string Worker::name(const Thread& t) const {
    auto list = [](uint3 v) {
        return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
    };
    return "block " + list(own_block_idx) + " thread " + list(t.index);
}

Worker::Worker() {
    use_own_stack(main);
    find_static_shared(statics);
}
Worker::~Worker() {
    std::free(smem);
    std::free(dynamic.cells);
    std::free(statics.cells);
}

void Worker::prepare_threads() {
    const dim3 d = launch->call.block;
    block_threads = d.x * d.y * d.z;
    warp_count = (block_threads + 31) / 32;
    if (threads.size() < block_threads) threads.resize(block_threads);
    if (warps.size() < warp_count) warps.resize(warp_count);
    for (unsigned i = 0; i < block_threads; ++i) {
        threads[i].tid = i;
        threads[i].index = {i % d.x, i / d.x % d.y, i / d.x / d.y};
    }
    own_block_dim = launch->call.block;
    own_grid_dim = launch->call.grid;
    order = options().order;
}

// Address sanitizer has red zones of its own around blocks of the exact size.
constexpr size_t smem_guard = address_sanitizer ? 0 : 64;

void Worker::prepare_shared_memory() {
    const size_t bytes = launch->call.smem_bytes;
    if (address_sanitizer) {
        std::free(smem);
        smem = nullptr;
        if (bytes && posix_memalign(&smem, 1024, bytes)) throw std::bad_alloc();
    } else if (smem_capacity < bytes + smem_guard) {
        std::free(smem);
        smem_capacity = (bytes + smem_guard + 1023) & ~size_t(1023);
        smem = std::aligned_alloc(1024, smem_capacity);
        if (!smem) throw std::bad_alloc();
    }
    dynamic.low = uintptr_t(smem);
    dynamic.size = bytes;
    if (checking) {
        std::free(dynamic.cells);
        dynamic.cells = new_cells(bytes);
        if (!statics.cells) statics.cells = new_cells(statics.size);
    }
}

void Worker::check_shared_guard() {
    const auto* guard = static_cast<const unsigned char*>(smem) + dynamic.size;
    if (std::all_of(guard, guard + smem_guard, [](unsigned char c) { return c == 0xff; })) return;
    report("out of bounds",
           "something wrote past the " + std::to_string(dynamic.size) + " bytes of dynamic shared memory", 0);
}

void Worker::run_block(uint64_t b) {
    const dim3 g = launch->call.grid;
    own_block_idx = {unsigned(b % g.x), unsigned(b / g.x % g.y), unsigned(b / g.x / g.y)};
    serial = launch->first_serial + uint32_t(b);
    next_fresh = 0;
    live = block_threads;
    for (unsigned w = 0; w < warp_count; ++w)
        warps[w].live = block_threads - 32 * w >= 32 ? ~0u : (1u << (block_threads - 32 * w)) - 1;
    if (order == Options::Order::shuffled) {
        shuffled.state = options().seed * 0x9e3779b97f4a7c15u + b;
        shuffled.favoured = 0;
        for (unsigned i = 0; i < block_threads; ++i) shuffled.push(&threads[i]);
    }
    if (checking) clocks.start_block(block_threads);
    if (recorder) recorder->start_block(b);
    hopper.start_block();
    if (dynamic.size) std::memset(smem, 0xff, dynamic.size + smem_guard);  // NaN in every float format

    starting = pick();
    starting->context = fibers.take();
    switch_context(&main, starting->context);
    counts.threads += block_threads;
    if (dynamic.size) check_shared_guard();
    if (checking) check_shared_limit();
    if (recorder && !launch->aborted) recorder->finish_block();
    if (!launch->aborted) hopper.finish_block();
    if (launch->aborted) reset_after_abort();
}

void Worker::reset_after_abort() {
    fibers.reset();
    for (Thread& t : threads) {
        t.context = nullptr;
        t.waits_in = nullptr;
        t.copies.clear();
        t.groups.clear();
    }
    for (Warp& w : warps) {
        w.open = 0;
        for (Meeting& m : w.meetings) m.arrived = 0;
    }
    ready.clear();
    shuffled.count = {};
    shuffled.runnable = 0;
    barrier.waiting.clear();
    barrier.count = 0;
    hopper.reset();
}

void Worker::run(Launch& l) {
    W = this;
    launch = &l;
    forget_recent_regions();  // blocks may have been released since
    prepare_threads();
    prepare_shared_memory();
    counts = {};
    if (recorder) recorder->start_launch(l);
    for (uint64_t b; !l.aborted && (b = l.next_block++) < l.blocks;) run_block(b);
    if (recorder) recorder->finish_launch();
    launch = nullptr;
    std::lock_guard lock(l.mutex);
    Statistics& sum = statistics();
    sum.threads += counts.threads;
    sum.switches += counts.switches;
    sum.barriers += counts.barriers;
    sum.collectives += counts.collectives;
    sum.accesses += counts.accesses;
    sum.bank_conflicts += counts.bank_conflicts;
}

static Worker& this_worker() {
    static thread_local std::unique_ptr<Worker> mine;
    if (!mine) mine = std::make_unique<Worker>();
    return *mine;
}

// ---- workers --------------------------------------------------------------------------------------------------------
namespace {

// Helpers of the thread that launches. They live as long as the process: the pool is never destroyed.
class Helpers {
 public:
    // Runs l on the caller and `count` helpers.
    void run(Launch& l, int count) {
        while (int(threads_) < count) start_one();
        {
            std::lock_guard lock(mutex_);
            launch_ = &l;
            wanted_ = running_ = count;
        }
        wake_.notify_all();
        this_worker().run(l);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [&] { return running_ == 0; });
        launch_ = nullptr;
    }

 private:
    void start_one() {
        std::thread([this] { serve(); }).detach();
        ++threads_;
    }
    void serve() {
        std::unique_lock lock(mutex_);
        for (;;) {
            wake_.wait(lock, [&] { return wanted_ > 0; });
            --wanted_;
            Launch* l = launch_;
            lock.unlock();
            this_worker().run(*l);
            lock.lock();
            if (--running_ == 0) done_.notify_one();
        }
    }
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    Launch* launch_ = nullptr;
    int wanted_ = 0, running_ = 0;
    unsigned threads_ = 0;
};

}  // namespace

static void check_configuration(const Launch& l) {
    const dim3 &g = l.call.grid, &b = l.call.block;
    auto need = [&](bool ok, const char* why) {
        if (!ok) throw GpuError("emulated GPU: launch of " + function_name(l.call.kernel) + ": " + why);
    };
    need(l.blocks > 0, "the grid is empty");
    need(uint64_t(b.x) * b.y * b.z > 0, "the block is empty");
    need(uint64_t(b.x) * b.y * b.z <= max_threads && b.z <= 64, "more than 1024 threads in a block, or z above 64");
    need(g.y <= 65535 && g.z <= 65535 && g.x <= 0x7fffffff, "the grid is too large");
    need(l.call.smem_bytes <= max_shared_bytes, "more than 227 KiB of dynamic shared memory");
    need(!checking || l.blocks < (1u << 21), "too many blocks for a checked build");
}

void run(const Call& call, int device) {
    if (W && W->launch) throw GpuError("emulated GPU: a launch from device code");
    static uint32_t next_serial = 1;
    Launch l;
    l.call = call;
    l.device = device;
    l.blocks = uint64_t(call.grid.x) * call.grid.y * call.grid.z;
    check_configuration(l);
    if (checking) {
        if (next_serial + l.blocks >= (1u << 22)) {
            reset_shadow();
            next_serial = 1;
        }
        l.first_serial = next_serial;
        next_serial += uint32_t(l.blocks);
        l.published.resize(l.blocks);
    }
    ++statistics().launches;
    constexpr uint64_t worth_waking = 2048;  // CUDA threads
    const bool alone = checking || address_sanitizer || recorder ||
                       l.blocks * call.block.x * call.block.y * call.block.z < worth_waking;
    const int helpers = alone ? 0 : int(std::min<uint64_t>(options().workers, l.blocks)) - 1;
    if (helpers > 0) {
        static auto* pool = new Helpers;
        pool->run(l, helpers);
    } else {
        this_worker().run(l);
    }
    if (!l.reports.empty()) throw GpuError(describe(l));
}

}  // namespace atrous::gpu::emu
