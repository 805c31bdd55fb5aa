#include "engine/allocator.h"

#include <algorithm>
#include <exception>

namespace atrous {

// Sizes are rounded so that blocks of nearly equal size can stand in for each other.
static size_t rounded(size_t bytes) {
    const size_t step = bytes < (size_t(1) << 20) ? 512 : size_t(1) << 18;
    return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
}

CachingAllocator::~CachingAllocator() {
    for (auto& [size, p] : free_) backend_.release(p);
}

void* CachingAllocator::from_backend(size_t bytes) {
    ++statistics_.backend_allocations;
    void* p = nullptr;
    try {
        p = backend_.allocate(bytes);
    } catch (const std::exception&) {
        if (free_.empty()) throw;
        release_cache_locked();
        p = backend_.allocate(bytes);
    }
    sizes_[p] = bytes;
    statistics_.reserved_bytes += bytes;
    return p;
}

void* CachingAllocator::allocate(size_t bytes) {
    std::lock_guard lock(mutex_);
    ++statistics_.requests;
    const size_t size = backend_.caches ? rounded(bytes) : std::max<size_t>(bytes, 1);
    void* p = nullptr;
    size_t got = size;
    if (auto it = free_.lower_bound(size); it != free_.end() && it->first <= size + size / 4) {
        got = it->first;
        p = it->second;
        free_.erase(it);
    } else {
        p = from_backend(size);
    }
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

void CachingAllocator::release_cache() {
    std::lock_guard lock(mutex_);
    release_cache_locked();
}

MemoryStatistics CachingAllocator::statistics() const {
    std::lock_guard lock(mutex_);
    return statistics_;
}

void CachingAllocator::reset_peak() {
    std::lock_guard lock(mutex_);
    statistics_.peak_bytes = statistics_.in_use_bytes;
}

}  // namespace atrous
