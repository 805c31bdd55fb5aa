// A caching, stream-ordered allocator: a block freed by the host may be handed out again at once, because later work on
// the device's compute stream runs after the work that used it. Keeps what it gets until release_cache().
//
// Another stream may use a block only in between: it waits for an event that the compute stream records after the block
// was taken, and the compute stream waits for its work before the block is given back (engine/train/staging.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

namespace atrous {

struct MemoryBackend {
    std::function<void*(size_t)> allocate;  // throws MemoryError or std::bad_alloc when there is no memory
    std::function<void(void*)> release;
    bool caches = true;  // false: every block is allocated and freed for itself (checked builds)
};

struct MemoryStatistics {
    size_t in_use_bytes = 0, peak_bytes = 0;  // handed out now, and the most since reset_peak
    size_t reserved_bytes = 0;                // got from the backend
    uint64_t backend_allocations = 0;         // calls of the backend; constant in a steady training step
    uint64_t requests = 0;
};

class CachingAllocator;

// Blocks set apart for recorded steps, which use them at every replay. Between replays they may hold anything, another
// recorded step's tensors among it: all work in the order of one stream.
class MemoryPool {
 public:
    explicit MemoryPool(CachingAllocator& allocator) : allocator_(allocator) {}
    ~MemoryPool();  // its blocks go back to the allocator
    MemoryPool(const MemoryPool&) = delete;
    MemoryPool& operator=(const MemoryPool&) = delete;

 private:
    friend class CachingAllocator;
    CachingAllocator& allocator_;
    std::multimap<size_t, void*> free_;
};

class CachingAllocator {
 public:
    explicit CachingAllocator(MemoryBackend backend) : backend_(std::move(backend)) {}
    ~CachingAllocator();
    CachingAllocator(const CachingAllocator&) = delete;
    CachingAllocator& operator=(const CachingAllocator&) = delete;

    // Returns a block, never null; a block of 0 bytes is a block of 1. Throws MemoryError where there is no memory, or
    // the allocator would hold more than the limit even without its cache.
    void* allocate(size_t bytes);
    void release(void* p) noexcept;
    void release_cache();
    void set_limit(size_t bytes);   // on reserved_bytes; 0: none
    size_t size_of(void* p) const;  // of a block in use, as it counts in in_use_bytes
    MemoryStatistics statistics() const;
    uint64_t pool_growth() const;  // blocks that pools ever took, from the cache or the backend
    void reset_peak();

    // While one lives, blocks come from the pool, which takes more where it has none that fits; and whatever is
    // released to the pool stays there. `any_larger`: a block of the pool may be larger than is asked for by more than
    // a quarter, for a step whose tensors are all smaller than those that the pool was filled for. `sealed`: the pool
    // must suffice (while a graph is captured nothing may be taken from the device); Error where it does not.
    class PoolScope {
     public:
        PoolScope(CachingAllocator& allocator, MemoryPool& pool, bool any_larger, bool sealed);
        ~PoolScope();
        PoolScope(const PoolScope&) = delete;
        PoolScope& operator=(const PoolScope&) = delete;

     private:
        CachingAllocator& allocator_;
    };

 private:
    friend class MemoryPool;
    void* take_free(std::multimap<size_t, void*>& blocks, size_t size, bool any_larger = false);
    void drop(MemoryPool& pool);
    void* from_backend(size_t bytes);
    void* try_backend(size_t bytes);
    void release_cache_locked();

    MemoryBackend backend_;
    mutable std::mutex mutex_;
    std::multimap<size_t, void*> free_;
    std::unordered_map<void*, size_t> sizes_;        // of every block from the backend
    std::unordered_map<void*, MemoryPool*> owners_;  // of the blocks of pools
    MemoryPool* pool_ = nullptr;                     // of the live PoolScope
    bool any_larger_ = false, sealed_ = false;       // likewise
    uint64_t pool_growth_ = 0;
    MemoryStatistics statistics_;
    size_t limit_bytes_ = 0;
};

}  // namespace atrous
