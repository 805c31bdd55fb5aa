#include "engine/allocator.h"

#include <fmt/core.h>

#include <algorithm>
#include <new>

#include "base/error.h"

namespace atrous {

// Sizes are rounded so that blocks of nearly equal size can stand in for each other.
static size_t rounded(size_t bytes) {
    const size_t step = bytes < (size_t(1) << 20) ? 512 : size_t(1) << 18;
    return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
}

CachingAllocator::~CachingAllocator() {
    for (auto& [size, p] : free_) backend_.release(p);
}

// Null where there is no memory.
void* CachingAllocator::try_backend(size_t bytes) {
    if (limit_bytes_ && statistics_.reserved_bytes + bytes > limit_bytes_) return nullptr;
    try {
        return backend_.allocate(bytes);
    } catch (const std::bad_alloc&) {
        return nullptr;
    } catch (const MemoryError&) {
        return nullptr;
    }
}

void* CachingAllocator::from_backend(size_t bytes) {
    ++statistics_.backend_allocations;
    void* p = try_backend(bytes);
    if (!p && !free_.empty()) {
        release_cache_locked();
        p = try_backend(bytes);
    }
    if (!p) {
        const auto mib = [](size_t b) { return double(b) / (1 << 20); };
        throw MemoryError(fmt::format(
            "no memory for a block of {:.2f} MiB beside {:.2f} MiB in use{}", mib(bytes), mib(statistics_.in_use_bytes),
            limit_bytes_ ? fmt::format(", with a limit of {:.2f} MiB", mib(limit_bytes_)) : std::string()));
    }
    sizes_[p] = bytes;
    statistics_.reserved_bytes += bytes;
    return p;
}

// The smallest block that fits and, unless any larger one will do, wastes at most a quarter of what is asked for; null
// if there is none.
void* CachingAllocator::take_free(std::multimap<size_t, void*>& blocks, size_t size, bool any_larger) {
    const auto it = blocks.lower_bound(size);
    if (it == blocks.end() || (!any_larger && it->first > size + size / 4)) return nullptr;
    void* const p = it->second;
    blocks.erase(it);
    return p;
}

void* CachingAllocator::allocate(size_t bytes) {
    std::lock_guard lock(mutex_);
    ++statistics_.requests;
    const size_t size = backend_.caches ? rounded(bytes) : std::max<size_t>(bytes, 1);
    void* p = pool_ ? take_free(pool_->free_, size, any_larger_) : take_free(free_, size);
    if (!p && pool_) {
        if (sealed_) throw Error("memory is asked for while a step is recorded that the step before it did not need");
        p = take_free(free_, size);
        ++pool_growth_;
    }
    if (!p) p = from_backend(size);
    if (pool_) owners_[p] = pool_;
    const size_t got = sizes_.at(p);
    statistics_.in_use_bytes += got;
    statistics_.peak_bytes = std::max(statistics_.peak_bytes, statistics_.in_use_bytes);
    return p;
}

void CachingAllocator::release(void* p) noexcept {
    if (!p) return;
    std::lock_guard lock(mutex_);
    const auto it = sizes_.find(p);
    if (it == sizes_.end()) return;
    statistics_.in_use_bytes -= it->second;
    if (const auto owner = owners_.find(p); owner != owners_.end()) {
        owner->second->free_.emplace(it->second, p);
        return;
    }
    if (backend_.caches) {
        free_.emplace(it->second, p);
        return;
    }
    statistics_.reserved_bytes -= it->second;
    sizes_.erase(it);
    backend_.release(p);
}

void CachingAllocator::release_cache_locked() {
    for (auto& [size, p] : free_) {
        statistics_.reserved_bytes -= size;
        sizes_.erase(p);
        backend_.release(p);
    }
    free_.clear();
}

MemoryPool::~MemoryPool() { allocator_.drop(*this); }

void CachingAllocator::drop(MemoryPool& pool) {
    std::lock_guard lock(mutex_);
    std::erase_if(owners_, [&](const auto& entry) { return entry.second == &pool; });
    for (auto& [size, p] : pool.free_) {
        if (backend_.caches) {
            free_.emplace(size, p);
            continue;
        }
        statistics_.reserved_bytes -= size;
        sizes_.erase(p);
        backend_.release(p);
    }
}

CachingAllocator::PoolScope::PoolScope(CachingAllocator& allocator, MemoryPool& pool, bool any_larger, bool sealed)
    : allocator_(allocator) {
    std::lock_guard lock(allocator.mutex_);
    if (allocator.pool_) throw Error("a step is recorded while another one is");
    allocator.pool_ = &pool;
    allocator.any_larger_ = any_larger;
    allocator.sealed_ = sealed;
}
CachingAllocator::PoolScope::~PoolScope() {
    std::lock_guard lock(allocator_.mutex_);
    allocator_.pool_ = nullptr;
    allocator_.any_larger_ = allocator_.sealed_ = false;
}

void CachingAllocator::release_cache() {
    std::lock_guard lock(mutex_);
    release_cache_locked();
}

MemoryStatistics CachingAllocator::statistics() const {
    std::lock_guard lock(mutex_);
    return statistics_;
}

uint64_t CachingAllocator::pool_growth() const {
    std::lock_guard lock(mutex_);
    return pool_growth_;
}

void CachingAllocator::set_limit(size_t bytes) {
    std::lock_guard lock(mutex_);
    limit_bytes_ = bytes;
}

size_t CachingAllocator::size_of(void* p) const {
    std::lock_guard lock(mutex_);
    return sizes_.at(p);
}

void CachingAllocator::reset_peak() {
    std::lock_guard lock(mutex_);
    statistics_.peak_bytes = statistics_.in_use_bytes;
}

}  // namespace atrous
