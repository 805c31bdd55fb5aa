// What one kernel does, access by access, recorded in the emulator, and the counters that a profiler would show of it.
//
// A program can record where its kernels were compiled with the recorder's hooks (`atrous-traced`, emulated platform).
// A *request* is one memory instruction of one warp: the k-th execution of the same instruction by the lanes of a warp
// since they last met (at a barrier of the block, or in a warp operation of all live lanes). Lanes that left a loop
// earlier, or took another branch, are not in its mask. Where lanes run an inner loop for different numbers of times
// between two meetings, executions of it are paired by their number, as if they had met at its end.
//
// Instructions are those of the host compiler at -O1 without splitting of vectors: nvcc may keep a value in a register
// that is read again here, and may unroll otherwise. Arguments, constants and a thread's own arrays are not counted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace atrous::gpu {

// ---- counters -------------------------------------------------------------------------------------------------------

// Requests to global memory of one sort: loads, stores, cp.async, atomics. A sector is 32 aligned bytes, what L1 and L2
// move (CUDA C++ best practices guide, "Coalesced access to global memory"; Nsight Compute, "Memory tables").
struct GlobalCounters {
    uint64_t requests = 0;        // l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum (_st, _atom)
    uint64_t sectors = 0;         // l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum
    uint64_t fewest_sectors = 0;  // of each request the fewest that its distinct bytes could lie in
    uint64_t bytes = 0;           // that lanes asked for, each on its own
    uint64_t distinct_bytes = 0;  // of each request; bytes that several lanes share count once
    uint64_t lanes = 0;           // that took part
    double sectors_per_request() const { return requests ? double(sectors) / double(requests) : 0; }
    double useful() const { return sectors ? double(fewest_sectors) / double(sectors) : 1; }  // share of sectors
    void add(const GlobalCounters& other);
};

// Requests to shared memory of one sort: loads, stores, ldmatrix. 32 banks of 4 bytes; lanes that read the same word
// share it, others of the same bank take turns. Accesses of up to 4 bytes are one phase of 32 lanes, of 8 bytes two of
// 16, of 16 bytes four of 8 (CUDA C++ programming guide, "Shared memory" of compute capability 5.x and on), ldmatrix
// one of 8 rows a matrix. A wavefront is one turn.
struct SharedCounters {
    uint64_t requests = 0;           // smsp__inst_executed_op_shared_ld.sum (_st, _op_ldsm)
    uint64_t wavefronts = 0;         // l1tex__data_pipe_lsu_wavefronts_mem_shared_op_ld.sum
    uint64_t fewest_wavefronts = 0;  // phases with a lane in them
    uint64_t worst_ways = 0;         // the most turns of a phase; 1: never a conflict
    uint64_t bytes = 0, lanes = 0;
    uint64_t conflicts() const { return wavefronts - fewest_wavefronts; }  // l1tex__data_bank_conflicts_pipe_lsu_…
    void add(const SharedCounters& other);
};

struct KernelCounters {
    GlobalCounters load, store, async_copy, atomic;  // async_copy: the global side of cp.async (LDGSTS)
    SharedCounters shared_load, shared_store, shared_async_copy, ldmatrix, shared_atomic;
    uint64_t memory_instructions = 0, inactive_lanes = 0;  // of all the requests above: 32 a request less those in it
    uint64_t zero_filled_lanes = 0;                        // of cp.async that read nothing and write zeros
    uint64_t atomics = 0;                                  // of single lanes
    uint64_t most_on_one_address = 0;                      // lanes of a request of atomics, which take turns
    uint64_t block_barriers = 0;                           // once a block
    uint64_t named_barriers = 0, mbarrier_operations = 0, warp_barriers = 0, shuffles = 0, votes = 0;  // once a warp
    uint64_t mma = 0, wgmma = 0;  // once a warp; a wgmma is one instruction of four warps
    uint64_t box_loads = 0, box_load_bytes = 0, box_stores = 0, box_store_bytes = 0;  // of the copy unit (TMA)
    void add(const KernelCounters& other);
    // The single numbers that add up, by name.
    static const std::vector<std::pair<const char*, uint64_t KernelCounters::*>> plain;
};

// ---- the trace ------------------------------------------------------------------------------------------------------

struct TraceSite {  // an instruction's place in the source
    struct Frame {
        std::string file, function;  // "kernels/cuda/norm.cu"
        unsigned line = 0;
    };
    std::vector<Frame> frames;  // innermost first, those of the emulator left out; the last one is the kernel's own
};

// An array that accesses are resolved to. Of unnamed memory (scratch, what an op allocates) role is "scratch".
struct TraceBuffer {
    std::string name = {}, role = {};     // role: input, weight, parameter, labels, output, gradient, scratch, shared
    std::string dtype = {}, layout = {};  // "f32", "NHWC"; layout empty: an array of numbers
    std::vector<int64_t> shape = {};
    int64_t element_bytes = 0, pitch = 0;  // pitch: elements from one pixel to the next
    uint64_t bytes = 0;
    uint64_t touched_sectors = 0;  // distinct ones, by all recorded launches: what must be moved at least once
    uintptr_t address = 0;
};

enum class TraceKind : uint8_t {
    load,
    store,
    atomic,  // global memory
    shared_load,
    shared_store,
    shared_atomic,
    async_copy,   // cp.async: global side; the row behind it is async_write, of the same line
    async_write,  // its shared side; lanes missing above and present here write zeros
    async_commit,
    async_wait,
    ldmatrix,  // offsets of the rows, lane i names row i % 8 of matrix i / 8; extra 1: transposed
    mma,       // extra: index of fragments + 1, 0: not kept
    wgmma,     // extra: index of products + 1
    block_barrier,
    named_barrier,
    warp_barrier,
    shuffle,
    vote,
    mbarrier_init,
    mbarrier_arrive,
    mbarrier_wait,  // buffer, base: the mbarrier; bytes: expected ones
    box_load,
    box_store,  // TMA; buffer, base: in shared memory; extra: index of boxes + 1
    wgmma_wait,
    count
};
const char* name_of(TraceKind kind);

// One instruction of one warp. Lane j of those in `mask`, in ascending order, accesses `bytes` bytes at
// base + patterns[pattern][j] of the buffer. A request whose lanes lie in several buffers has a row for each; `joined`
// marks those behind the first.
struct TraceRow {
    TraceKind kind;
    bool joined = false;
    uint16_t warp = 0;
    uint32_t site = 0, mask = 0;
    int32_t buffer = -1;
    uint32_t bytes = 0;
    uint64_t base = 0;
    uint32_t pattern = 0, extra = 0;
};

struct TraceBlock {
    unsigned x = 0, y = 0, z = 0;
    std::vector<TraceRow> rows;  // an order that the block could have run in; a warp's rows are in its own order
};

struct TraceLaunch {
    std::string kernel;  // "conv_kernel<float, 64, 64>"
    unsigned grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
    uint64_t shared_bytes = 0;  // dynamic
    KernelCounters counters;
    std::map<uint32_t, KernelCounters> by_site;
    std::vector<TraceBlock> blocks;  // the chosen ones
    uint64_t rows_left_out = 0;      // of chosen blocks, past the limit
};

// A product on tensor cores: A and B as they lie in registers, row-major, and D before and behind it.
struct TraceFragments {
    std::string type;  // "bf16", "f16", "tf32"
    int m = 16, n = 8, k = 16;
    std::vector<float> a, b, before, after;  // m x k, k x n, m x n
};
struct TraceProduct {  // wgmma: operands in shared memory
    std::string type;
    int n = 0;
    bool a_mn_major = false, b_mn_major = false, accumulates = false;
    uint32_t a_offset = 0, b_offset = 0;  // in dynamic shared memory
};
struct TraceBox {  // of a tensor map
    int32_t buffer = -1;
    std::vector<int64_t> at, box, step;  // innermost first, in elements
    bool swizzled = false;
    uint32_t bytes = 0;
};

struct Trace {
    std::vector<TraceBuffer> buffers;
    std::vector<TraceSite> sites;
    std::vector<std::vector<int32_t>> patterns;
    std::vector<TraceFragments> fragments;
    std::vector<TraceProduct> products;
    std::vector<TraceBox> boxes;
    std::vector<TraceLaunch> launches;
    std::map<std::string, std::string> sources;  // text of each file that a site lies in
};

// ---- recording ------------------------------------------------------------------------------------------------------

// Counters are of every block. Memory: 48 bytes a row that is kept, and 32 bytes an access of the running block for as
// long as the lanes of its warp have not met.
struct TraceOptions {
    // Of each launch the rows of these blocks are kept: the first ones, some in the middle, the last. 0: counters alone.
    unsigned blocks = 4;
    size_t most_rows = 200000;  // of all launches together; accesses beyond are counted and not kept
    size_t most_fragments = 64;
};

// Whether this program's kernels can be recorded; if not, *why says so.
bool can_trace(std::string* why = nullptr);
// Runs `work` and records every kernel that it launches on the current device. GpuError where it cannot be recorded.
Trace record_kernels(const std::vector<TraceBuffer>& named, const TraceOptions& options,
                     const std::function<void()>& work);

}  // namespace atrous::gpu
