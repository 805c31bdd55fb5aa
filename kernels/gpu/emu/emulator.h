// Control of the emulated GPU, for tests: scheduling, statistics, checks.
//
// Every build reports barrier and warp-operation misuse, deadlock, a cp.async that nobody waits for, stores next to an
// allocation or past dynamic shared memory; what was never written reads as NaN. The asan build adds addresses to the
// byte. The races build adds races inside a block and between blocks, uninitialized and misaligned accesses, and any
// address that is not device memory.
//
// Of capability 9.0 there are mbarriers, TMA in tile mode, wgmma with operands in dynamic shared memory, named barriers
// and setmaxnreg. Every build reports a missing fence_mbarrier_init or wgmma_fence, bytes that were not expected, what
// nobody waited for, and misaligned tiles and tensor maps; the races build adds a missing fence_proxy_async,
// accumulators touched before the wait, and tiles read too early or written too early.
//
// Not modelled: work of two streams that runs at the same moment (see Options::deferred); warps that run in lock step; an
// overrun from one array into the next inside one allocation or one block of dynamic shared memory; a class object loaded
// to be an argument of a function that is not inlined; memcpy and memset in kernels; registers, occupancy, speed; the PTX
// itself; clusters and multicast, TMA's other modes, wgmma with A in registers; the rounding of tensor cores (sums are
// float, in the order of k).
#pragma once

#include <cstddef>
#include <cstdint>

namespace atrous::gpu::emu {

// Initialized from the environment: ATROUS_EMU_ORDER=forward|reverse|shuffled, ATROUS_EMU_SEED (implies shuffled),
// ATROUS_EMU_WORKERS, ATROUS_EMU_STRICT=1, ATROUS_EMU_DEFERRED=1, ATROUS_EMULATED_DEVICES,
// ATROUS_EMULATED_CAPABILITY=80|90. Change them only while no kernel runs.
struct Options {
    // forward: threads in order, each until it blocks; those that can go on do so in turns. reverse: the last thread
    // first, and the latest one that can goes on. shuffled: a random warp runs ahead in random lane order.
    enum class Order { forward, reverse, shuffled } order = Order::forward;
    uint64_t seed = 1;
    int workers = 1;           // OS threads over blocks; one in checked builds. Results do not depend on it.
    bool strict_exit = false;  // a thread that returns while others of its block meet a barrier is an error
    size_t max_reports = 8;    // diagnostics in one message
    // Work waits in its stream until the host waits for it (or releases memory), and is then done in a random order
    // that streams and events allow: one that lacks a wait for an event sees values of too early or too late. The seed
    // is that of shuffled threads. False: work is done when it is submitted.
    bool deferred = false;
    // Like CUDA, each refuses launches, copies and events on its streams while another one is current; reading another
    // one's memory in a kernel is reported by the races build.
    int devices = 1;
    // 80: mma, ldmatrix, cp.async. 90: also mbarriers, TMA and wgmma, which 80 refuses.
    int capability = 80;
};
Options& options();

// Restores the options when it goes out of scope.
class ScopedOptions {
 public:
    ScopedOptions() : saved_(options()) {}
    ~ScopedOptions() { options() = saved_; }
    ScopedOptions(const ScopedOptions&) = delete;
    ScopedOptions& operator=(const ScopedOptions&) = delete;
    Options* operator->() { return &options(); }

 private:
    Options saved_;
};

// Summed over launches until the caller sets it to {}.
struct Statistics {
    uint64_t launches = 0, threads = 0;
    uint64_t switches = 0;        // between fibers
    uint64_t barriers = 0;        // __syncthreads, once a block
    uint64_t collectives = 0;     // warp operations, once a warp
    uint64_t accesses = 0;        // checked ones, in the races build
    uint64_t bank_conflicts = 0;  // extra passes of ldmatrix
    uint64_t guard_violations = 0;
    uint64_t filled_bytes = 0;  // by fill_bytes_async
};
Statistics& statistics();

bool checks_races();      // some kernel in this program was compiled for the races build
bool checks_addresses();  // address sanitizer

// Throws GpuError if a byte next to a live allocation has changed. release() checks its own block and reports at the
// next launch, copy or synchronization.
void verify_guards();
size_t live_allocations();
int device_of(const void* p);  // where the block was allocated that holds p; -1: in none

}  // namespace atrous::gpu::emu
