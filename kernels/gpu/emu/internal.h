// Shared by the emulator's own files; never seen by kernels.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/gpu/emu/clocks.h"
#include "kernels/gpu/emu/emulator.h"
#include "kernels/gpu/emu/fiber.h"
#include "kernels/gpu/emu/hopper.h"
#include "kernels/gpu/emu/services.h"

namespace atrous::gpu::emu {

#ifdef ATROUS_CHECK_RACES
extern bool checking;  // some object in the program was compiled with -fsanitize=thread
#else
constexpr bool checking = false;
#endif
#ifdef __SANITIZE_ADDRESS__
constexpr bool address_sanitizer = true;
#else
constexpr bool address_sanitizer = false;
#endif

constexpr unsigned max_threads = 1024;  // of a block

// ---- shadow memory: one cell per aligned 4 bytes --------------------------------------------------------------------
struct Slot {           // one access
    uint32_t when = 0;  // clock << 5 | atomic << 4 | byte mask; 0: none
    uint32_t who = 0;   // block serial << 10 | thread
    uint32_t site = 0;
};
struct Cell {
    Slot writers[2], readers[2];  // the latest ones
    uint32_t block;               // shared memory: serial of the block the rest holds for
    // Byte masks. In flight: a copy has not landed. Async: written last by the async proxy.
    uint8_t written, in_flight, async;
};
struct Region {
    enum class Kind { dynamic_shared, static_shared, global } kind;
    uintptr_t low = 0;
    size_t size = 0;
    unsigned id = 0;
    Cell* cells = nullptr;
    int device = 0;  // global memory
    bool holds(uintptr_t a) const { return a - low < size; }
};
Cell* new_cells(size_t bytes);

// ---- what a worker knows of the block it runs -----------------------------------------------------------------------
struct Copy {
    void* to;
    const void* from;
    bool valid;
};

struct alignas(64) Thread {  // what a switch touches is one cache line
    unsigned tid = 0;
    uint3 index{};
    Context* context = nullptr;  // null: not started, or done
    const char* waits_in = nullptr;
    Where where;
    int barrier_result = 0;
    unsigned atomics = 0;        // done so far
    std::vector<Copy> copies;    // cp.async not yet landed
    std::vector<size_t> groups;  // copies.size() at each commit
};

struct Meeting {  // a warp operation in progress
    uint32_t mask = 0, arrived = 0;
    const char* what = nullptr;
    WarpOp op = nullptr;
    Where where;
    void* args[32];
};
struct Warp {
    uint32_t live = 0;                 // lanes that have not returned
    unsigned open = 0;                 // meetings in progress
    std::array<Meeting, 32> meetings;  // by the lowest lane of the mask
};
struct Barrier {
    std::vector<Thread*> waiting;
    const char* what = nullptr;
    Where where;
    int count = 0;
};

// First in, first out or last in, first out; a thread is in it at most once.
class ReadyQueue {
 public:
    bool empty() const { return size_ == 0; }
    void clear() { size_ = 0; }
    void push(Thread* t) { slots_[(first_ + size_++) % max_threads] = t; }
    Thread* pop_front() {
        Thread* t = slots_[first_];
        first_ = (first_ + 1) % max_threads;
        --size_;
        return t;
    }
    Thread* pop_back() { return slots_[(first_ + --size_) % max_threads]; }

 private:
    std::array<Thread*, max_threads> slots_;
    unsigned first_ = 0, size_ = 0;
};

struct ShuffledQueue {
    std::array<std::array<Thread*, 32>, max_threads / 32> lanes;
    std::array<unsigned, max_threads / 32> count{};
    unsigned runnable = 0, favoured = 0;
    uint64_t state = 0;
    uint64_t random();
    void push(Thread* t);
    Thread* pop(unsigned warps);
};

struct Launch {
    Call call;
    int device = 0;
    uint64_t blocks = 0;
    uint32_t first_serial = 0;
    std::atomic<uint64_t> next_block = 0;
    std::atomic<bool> aborted = false;
    std::vector<std::vector<uint32_t>> published;  // per block: what __threadfence and an atomic made visible
    struct Report {
        std::string text;
        uint64_t count;
        uint32_t site, other;
    };
    std::mutex mutex;  // of reports
    std::map<std::string, Report> reports;
};

// One OS thread that runs blocks, one after the other.
struct Worker {
    Launch* launch = nullptr;
    Statistics counts;
    bool in_device = false;  // instrumented accesses are checked only while a CUDA thread runs its own code
    Context main;
    FiberPool fibers;
    std::vector<Thread> threads;
    unsigned block_threads = 0, warp_count = 0;
    Options::Order order = Options::Order::forward;
    unsigned next_fresh = 0, live = 0;
    ReadyQueue ready;
    ShuffledQueue shuffled;
    Thread *current = nullptr, *starting = nullptr;
    std::vector<Warp> warps;
    Barrier barrier;
    Hopper hopper;

    uint32_t serial = 0;  // of the running block, unique across launches
    Clocks clocks;
    Region dynamic{Region::Kind::dynamic_shared}, statics{Region::Kind::static_shared};
    void* smem = nullptr;
    size_t smem_capacity = 0;

    Worker();
    ~Worker();
    void run(Launch& l);
    void run_thread(Thread* t);
    Thread* pick(bool yields = false);
    void make_ready(Thread* t);
    void block_current(const char* what, Where where, bool yields = false);
    void release_barrier();
    void exit_thread(Thread* t);
    [[noreturn]] void abandon();
    std::string name(const Thread& t) const;
    std::string name() const { return name(*current); }

 private:
    void prepare_threads();
    void prepare_shared_memory();
    void run_block(uint64_t block);
    void check_shared_guard();
    void reset_after_abort();
    void report_deadlock();
};
extern thread_local Worker* W;

struct Pause {  // the emulator's own code is not device code
#ifdef ATROUS_CHECK_RACES
    bool was = W->in_device;
    Pause() { W->in_device = false; }
    ~Pause() { W->in_device = was; }
#else
    Pause() {}
#endif
};

// ---- diagnostics ----------------------------------------------------------------------------------------------------
uint32_t site_id(const Where& where);
std::string site_name(uint32_t site);
bool is_named_place(uint32_t site);  // one that a Where was given for, not a program counter
Where named_place(uint32_t site);
std::string function_name(const void* function);
void report(const std::string& kind, const std::string& text, uint32_t site, uint32_t other = 0);
[[noreturn]] void fatal(std::string&& kind, std::string&& text, uint32_t site, uint32_t other = 0);
std::string describe(const Launch& l);
// An error found where nothing can be thrown: printed now, thrown by the next call that can.
void defer_error(const std::string& message);
void throw_deferred_error();

// ---- memory ---------------------------------------------------------------------------------------------------------
std::recursive_mutex& device_mutex();  // held by every launch, copy and allocation
Region* find_region(uintptr_t a);
Region* find_global(uintptr_t a);     // null if no live allocation holds it
Region* nearest_global(uintptr_t a);  // the allocation at or below a, or else the first one
bool is_shared(const void* p);
void reset_shadow();
void forget_recent_regions();
void find_static_shared(Region& r);

constexpr size_t max_shared_bytes = 227 * 1024;  // of a block
void check_shared_limit();                       // static memory included; in checked builds

enum Access : unsigned { Read = 0, Write = 1, Atomic = 2, AsyncProxy = 4 };
void check_access(uintptr_t a, size_t bytes, unsigned kind, uint32_t site);
// `proxy`: AsyncProxy for the copy unit, 0 for cp.async.
void mark_in_flight(void* to, size_t bytes, Where where, unsigned proxy = 0);
void mark_landed(void* to, size_t bytes, unsigned tid, uint32_t clock, uint32_t site, unsigned proxy = 0);
void need_alignment(const void* p, size_t bytes, const char* what, const Where& where);
void need_shared(const void* p, const char* what, const Where& where);
inline uint32_t checked_site(const Where& where) { return checking ? site_id(where) : 0; }

// Calls f(cell, byte mask, offset of the cell) for the cells of [a, a + bytes).
template <class F>
void each_cell(Region& r, uintptr_t a, size_t bytes, F f) {
    const size_t from = a - r.low, to = from + bytes;
    for (size_t c = from / 4; c * 4 < to; ++c) {
        unsigned mask = 15;
        if (c * 4 < from) mask &= 15u << (from - c * 4);
        if (c * 4 + 4 > to) mask &= 15u >> (c * 4 + 4 - to);
        f(r.cells[c], mask, c * 4);
    }
}

}  // namespace atrous::gpu::emu
