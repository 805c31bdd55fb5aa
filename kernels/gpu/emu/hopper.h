// What a block has under way by instructions of capability 9.0: mbarriers, copies of boxes, products of warpgroups. The
// copy unit and wgmma finish as late as the program allows, and what they are to write holds NaNs until then.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/gpu/emu/clocks.h"
#include "kernels/gpu/emu/services.h"

namespace atrous::gpu::emu {

struct Thread;

struct MBarrierState {
    uint64_t token = 0;  // what its 8 bytes hold
    unsigned count = 0, pending = 0, initialized_by = 0;
    int64_t bytes = 0;  // still expected
    uint64_t phase = 0;
    bool fenced = false;  // known to the copy unit
    Knowledge arriving, completed;
    std::vector<Thread*> waiting;
};

struct NamedBarrier {
    unsigned threads = 0, arrived = 0;
    Where where;
    Knowledge arriving;
    std::vector<Thread*> waiting;
};

struct BoxLoad {  // started and not landed
    void* to;
    std::vector<unsigned char> bytes;
    void* barrier;
    uint64_t phase;
    unsigned tid;
    uint32_t clock;
    Where where;
};

struct BoxStore {
    TensorMap map;
    std::array<int, 5> at;
    const void* from;
    std::vector<unsigned char> bytes;
    bool read = false;  // shared memory may be written again
    Where where;
};

struct Accumulators {  // of one thread, in use by products
    float* d;
    std::vector<float> values;
    unsigned users = 0;
};

struct IssuedProduct : Product {
    Where where;
};

struct HopperThread {
    std::vector<BoxStore> stores;
    std::vector<size_t> store_groups;  // stores.size() at each commit
    std::vector<IssuedProduct> products;
    std::vector<size_t> product_groups;
    std::vector<Accumulators> accumulators;
    bool fenced = false;     // wgmma_fence since the last wait
    unsigned registers = 0;  // as setmaxnreg has set them
};

class Hopper {
 public:
    // ---- the scheduler's ----
    void start_block();
    void finish_block();
    void reset();
    void exit_thread(const Thread& t);
    bool land_one();            // the copy unit finishes one load; false: it has none
    std::string waits() const;  // what mbarriers that threads wait for still expect

    // ---- mbarriers ----
    void init(void* b, unsigned count, Where where);
    void fence_init(unsigned tid);
    MBarrierState& find(void* b, Where where);
    void complete_if_done(MBarrierState& b);
    std::array<NamedBarrier, 16> named;

    // ---- copies and products ----
    void start(BoxLoad&& load);
    HopperThread& of(const Thread& t);
    bool has_accumulators() const { return accumulators_ > 0; }
    void count_accumulators(int more) { accumulators_ += more; }
    std::vector<Thread*>& warpgroup(unsigned tid) { return warpgroups_[tid / 128]; }

 private:
    bool used_ = false;
    std::map<void*, MBarrierState> barriers_;
    std::vector<BoxLoad> loads_;
    std::vector<HopperThread> threads_;
    std::array<std::vector<Thread*>, 8> warpgroups_;  // threads that wait for their warpgroup
    int accumulators_ = 0;
};

// The array behind a tensor map, in its own 128 bytes.
struct EncodedMap {
    static constexpr uint64_t mark = 0x70616d20726f736e;
    uint64_t magic, base;
    uint64_t stride_bytes[4];
    uint64_t size[5];
    uint16_t box[5];
    uint8_t step[5];
    uint8_t rank, bytes, swizzled;

    uint32_t extent(int i) const { return (box[i] + step[i] - 1u) / step[i]; }  // elements moved
    size_t row_bytes() const { return size_t(box[0]) * bytes; }
    size_t box_bytes() const;
    // Calls f(offset in the box, address, bytes) for each run of a box's bytes that lies inside of the array.
    template <class F>
    void each_run(const int* at, F f) const;
};
static_assert(sizeof(EncodedMap) <= sizeof(TensorMap));

template <class F>
void EncodedMap::each_run(const int* at, F f) const {
    const int64_t first = at[0] < 0 ? -int64_t(at[0]) : 0;
    const int64_t end = std::min<int64_t>(box[0], int64_t(size[0]) - at[0]);
    const size_t rows = box_bytes() / row_bytes();
    for (size_t row = 0; row < rows && first < end; ++row) {
        size_t rest = row;
        int64_t offset = (at[0] + first) * bytes;
        bool inside = true;
        for (int i = 1; i < rank; ++i) {
            const int64_t index = at[i] + int64_t(rest % extent(i)) * step[i];
            rest /= extent(i);
            inside = inside && index >= 0 && index < int64_t(size[i]);
            offset += index * int64_t(stride_bytes[i - 1]);
        }
        if (inside)
            f(row * row_bytes() + size_t(first) * bytes, reinterpret_cast<unsigned char*>(base + uint64_t(offset)),
              size_t(end - first) * bytes);
    }
}

void need_hopper(const char* what, const Where& where);  // fatal where the device has not capability 9.0
void check_accumulators(const void* p, size_t bytes, unsigned kind, uint32_t site);  // an access to local memory
void finish_stores(HopperThread& t);  // those that have read shared memory, when their thread ends

}  // namespace atrous::gpu::emu
