// Who knows of what: clocks of the threads of a block.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace atrous::gpu::emu {

// What one arrives with and another leaves with, at an mbarrier or a named barrier.
struct Knowledge {
    std::vector<uint32_t> clocks;  // by thread; empty: nothing
    bool acquired = false;
    void add(const Knowledge& other);
};

// Happens-before inside a block, and from block to block through __threadfence and an atomic. Only in checked builds.
class Clocks {
 public:
    void start_block(unsigned threads);
    uint32_t now(unsigned thread) const { return threads_[thread].now; }
    // The latest clock of `of` that is ordered before what `reader` does now.
    uint32_t learnt(unsigned reader, unsigned of) const;
    void block_barrier();
    void warp_barrier(unsigned warp, uint32_t mask);
    void fence(unsigned thread);
    // An atomic by `thread`: afterwards it has seen what other blocks published; what its block has fenced and it knows
    // of is added to `published`.
    void atomic(unsigned thread, std::vector<uint32_t>& published);
    bool acquired(unsigned thread) const { return acquired_by_all_ || threads_[thread].acquired; }
    // An arrival hands over what the thread knows; a wait takes it.
    void release(unsigned thread, Knowledge& into);
    void acquire(unsigned thread, const Knowledge& from);
    // What `thread` did until clock `until` becomes known by `into`: a copy that it has started.
    void hand_over(unsigned thread, uint32_t until, Knowledge& into) const;
    void advance(unsigned thread) { ++threads_[thread].now; }
    // fence.proxy.async: the writes that the thread knows of may be read by the async proxy.
    void proxy_fence(unsigned thread);
    bool proxy_fenced(unsigned thread, uint32_t clock) const {
        return thread < proxy_fenced_.size() && clock <= proxy_fenced_[thread];
    }

 private:
    struct PerThread {
        uint32_t now = 1;                 // advances at every release
        std::array<uint32_t, 32> warp{};  // latest clock of each lane of its warp that it has synchronized with
        std::vector<uint32_t> received;  // clocks learnt from mbarriers and named barriers since the last block barrier
        bool acquired = false;
    };
    std::vector<PerThread> threads_;
    std::vector<uint32_t> base_;    // clocks every thread learnt at the last block barrier
    std::vector<uint32_t> fenced_;  // clocks up to which writes are visible to other blocks
    std::vector<uint32_t> proxy_fenced_;
    bool fences_ = false, base_fenced_ = false, acquired_by_all_ = false;
};

}  // namespace atrous::gpu::emu
