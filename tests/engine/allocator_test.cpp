// The caching allocator on a backend that counts, and fails when told to.
#include "engine/allocator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <set>
#include <vector>

#include "base/error.h"

namespace atrous {
namespace {

constexpr size_t kilobyte = 1024, megabyte = 1024 * kilobyte;

struct FakeMemory {
    std::set<void*> live;
    std::vector<size_t> requests;
    size_t held_bytes = 0, capacity_bytes = ~size_t(0);
    std::vector<std::pair<void*, size_t>> sizes;

    MemoryBackend backend(bool caches = true) {
        return {[this](size_t bytes) { return take(bytes); }, [this](void* p) { give(p); }, caches};
    }
    void* take(size_t bytes) {
        if (held_bytes + bytes > capacity_bytes) throw std::bad_alloc();
        void* p = std::malloc(16);  // addresses alone matter
        live.insert(p);
        requests.push_back(bytes);
        sizes.emplace_back(p, bytes);
        held_bytes += bytes;
        return p;
    }
    void give(void* p) {
        EXPECT_EQ(live.erase(p), 1u) << "released twice, or never allocated";
        for (auto it = sizes.begin(); it != sizes.end(); ++it)
            if (it->first == p) {
                held_bytes -= it->second;
                sizes.erase(it);
                break;
            }
        std::free(p);
    }
};

TEST(Allocator, ReusesABlockOfNearlyTheSameSize) {
    FakeMemory memory;
    CachingAllocator allocator(memory.backend());
    void* a = allocator.allocate(1000);
    allocator.release(a);
    EXPECT_EQ(allocator.allocate(900), a);
    EXPECT_EQ(memory.requests.size(), 1u);
    void* b = allocator.allocate(900);
    EXPECT_NE(a, b) << "a block that is in use was handed out";
    EXPECT_EQ(memory.requests.size(), 2u);
    allocator.release(a);
    allocator.release(b);
}

TEST(Allocator, AsksForAtLeastWhatIsWanted) {
    FakeMemory memory;
    CachingAllocator allocator(memory.backend());
    for (size_t bytes : {size_t(0), size_t(1), size_t(511), size_t(512), size_t(513), megabyte - 1, megabyte,
                         megabyte + 1, 300 * megabyte + 7}) {
        void* p = allocator.allocate(bytes);
        EXPECT_NE(p, nullptr);
        EXPECT_GE(memory.requests.back(), std::max<size_t>(bytes, 1)) << bytes;
        EXPECT_LE(memory.requests.back(), bytes + bytes / 4 + 512) << bytes;
        allocator.release(p);
        allocator.release_cache();
    }
}

TEST(Allocator, WastesAtMostAQuarterOfARequest) {
    FakeMemory memory;
    CachingAllocator allocator(memory.backend());
    allocator.release(allocator.allocate(100 * megabyte));
    void* small = allocator.allocate(79 * megabyte);
    EXPECT_EQ(memory.requests.size(), 2u) << "100 MB for 79 would waste more than a quarter";
    void* near = allocator.allocate(81 * megabyte);
    EXPECT_EQ(memory.requests.size(), 2u) << "100 MB for 81 is near enough";
    EXPECT_EQ(allocator.statistics().in_use_bytes, 179 * megabyte);
    allocator.release(small);
    allocator.release(near);
}

TEST(Allocator, TakesTheSmallestBlockThatFits) {
    FakeMemory memory;
    CachingAllocator allocator(memory.backend());
    void* large = allocator.allocate(12 * kilobyte);
    void* fitting = allocator.allocate(10 * kilobyte);
    allocator.release(large);
    allocator.release(fitting);
    EXPECT_EQ(allocator.allocate(10 * kilobyte), fitting);
    EXPECT_EQ(allocator.allocate(10 * kilobyte), large);
    allocator.release(large);
    allocator.release(fitting);
}

TEST(Allocator, GivesItsCacheBackAndTriesAgain) {
    FakeMemory memory;
    memory.capacity_bytes = 10 * megabyte;
    CachingAllocator allocator(memory.backend());
    void* kept = allocator.allocate(2 * megabyte);
    allocator.release(allocator.allocate(6 * megabyte));
    void* p = allocator.allocate(3 * megabyte);  // fits only after the free 6 MB went back
    EXPECT_NE(p, nullptr);
    EXPECT_EQ(memory.held_bytes, 5 * megabyte);
    EXPECT_THROW(allocator.allocate(9 * megabyte), MemoryError);
    const auto s = allocator.statistics();
    EXPECT_EQ(s.in_use_bytes, 5 * megabyte) << "a failed request must not count";
    EXPECT_EQ(s.reserved_bytes, 5 * megabyte);
    allocator.release(kept);
    allocator.release(p);
}

TEST(Allocator, HoldsNoMoreThanItsLimit) {
    FakeMemory memory;
    CachingAllocator allocator(memory.backend());
    allocator.set_limit(10 * megabyte);
    void* kept = allocator.allocate(4 * megabyte);
    allocator.release(allocator.allocate(6 * megabyte));
    void* p = allocator.allocate(3 * megabyte);  // only after the free 6 MB went back
    EXPECT_EQ(memory.held_bytes, 7 * megabyte);
    try {
        allocator.allocate(4 * megabyte);
        ADD_FAILURE() << "11 MB were handed out under a limit of 10";
    } catch (const MemoryError& e) {
        for (const char* words : {"4.00 MiB", "7.00 MiB", "10.00 MiB"})
            EXPECT_NE(std::string(e.what()).find(words), std::string::npos) << e.what();
    }
    EXPECT_EQ(allocator.statistics().in_use_bytes, 7 * megabyte);
    allocator.set_limit(0);
    void* more = allocator.allocate(4 * megabyte);
    EXPECT_EQ(allocator.size_of(more), 4 * megabyte);
    for (void* block : {kept, p, more}) allocator.release(block);
}

TEST(Allocator, Counts) {
    FakeMemory memory;
    CachingAllocator allocator(memory.backend());
    void* a = allocator.allocate(4 * kilobyte);
    void* b = allocator.allocate(8 * kilobyte);
    allocator.release(a);
    auto s = allocator.statistics();
    EXPECT_EQ(s.in_use_bytes, 8 * kilobyte);
    EXPECT_EQ(s.peak_bytes, 12 * kilobyte);
    EXPECT_EQ(s.reserved_bytes, 12 * kilobyte);
    EXPECT_EQ(s.backend_allocations, 2u);
    EXPECT_EQ(s.requests, 2u);
    allocator.reset_peak();
    EXPECT_EQ(allocator.statistics().peak_bytes, 8 * kilobyte);
    allocator.release_cache();
    EXPECT_EQ(allocator.statistics().reserved_bytes, 8 * kilobyte);
    allocator.release(b);
}

TEST(Allocator, IsQuietInASteadyStep) {
    FakeMemory memory;
    CachingAllocator allocator(memory.backend());
    uint64_t after_first = 0;
    for (int step = 0; step < 50; ++step) {
        std::vector<void*> held;
        for (size_t i = 1; i < 40; ++i) {
            held.push_back(allocator.allocate(i * i * 1000));
            if (i % 3 == 0) {
                allocator.release(held[i / 2]);
                held[i / 2] = nullptr;
            }
        }
        for (void* p : held) allocator.release(p);
        if (step == 0) after_first = allocator.statistics().backend_allocations;
    }
    EXPECT_EQ(allocator.statistics().backend_allocations, after_first);
    EXPECT_EQ(allocator.statistics().in_use_bytes, 0u);
}

TEST(Allocator, KeepsNothingWithoutCaching) {
    FakeMemory memory;
    CachingAllocator allocator(memory.backend(false));
    void* a = allocator.allocate(1000);
    EXPECT_EQ(memory.requests.back(), 1000u) << "blocks are exact, so that an overrun leaves them";
    allocator.release(a);
    EXPECT_TRUE(memory.live.empty());
    EXPECT_EQ(allocator.statistics().reserved_bytes, 0u);
    allocator.release(allocator.allocate(1000));
    EXPECT_EQ(allocator.statistics().backend_allocations, 2u);
}

TEST(Allocator, ReturnsEverythingAtItsEnd) {
    FakeMemory memory;
    {
        CachingAllocator allocator(memory.backend());
        for (size_t i = 1; i < 10; ++i) allocator.release(allocator.allocate(i * 5000));
        EXPECT_FALSE(memory.live.empty());
    }
    EXPECT_TRUE(memory.live.empty());
}

TEST(Allocator, IgnoresNull) {
    FakeMemory memory;
    CachingAllocator allocator(memory.backend());
    allocator.release(nullptr);
    EXPECT_EQ(allocator.statistics().requests, 0u);
}

}  // namespace
}  // namespace atrous
