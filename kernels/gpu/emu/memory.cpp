// Device memory: blocks between red zones, filled with NaN bytes; in the races build with a shadow that remembers which
// bytes were ever written.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>

#include "base/error.h"
#include "kernels/gpu/emu/launch.h"
#include "kernels/gpu/emu/recorder.h"
#include "kernels/gpu/emu/streams.h"

namespace atrous::gpu {
namespace emu {

constexpr size_t alignment = 256;
// Address sanitizer has red zones of its own around blocks of the exact size.
constexpr size_t zone_bytes = address_sanitizer ? 0 : 4096;
constexpr unsigned char poison = 0xff;  // NaN in every float format, -1 in every integer

static std::map<uintptr_t, Region>& allocations() {
    static std::map<uintptr_t, Region> a;
    return a;
}

std::recursive_mutex& device_mutex() {
    static std::recursive_mutex m;
    return m;
}

Region* nearest_global(uintptr_t a) {
    auto& all = allocations();
    const auto it = all.upper_bound(a);
    if (it == all.begin()) return it == all.end() ? nullptr : &it->second;
    return &std::prev(it)->second;
}
Region* find_global(uintptr_t a) {
    Region* r = nearest_global(a);
    return r && r->holds(a) ? r : nullptr;
}

void reset_shadow() {
    for (auto& [low, r] : allocations())
        for (size_t i = 0; r.cells && i < r.size / 4 + 2; ++i) {
            const uint8_t written = r.cells[i].written;
            r.cells[i] = {};
            r.cells[i].written = written;
        }
}

// ---- guards ---------------------------------------------------------------------------------------------------------
static std::string broken_guard(const Region& r) {
    auto scan = [&](const unsigned char* zone, const char* side, size_t size) -> std::string {
        for (size_t i = 0; i < size; ++i)
            if (zone[i] != poison) {
                const long offset = long(uintptr_t(zone + i) - r.low);
                return "emulated GPU: something wrote " + std::string(side) + " a device block of " +
                       std::to_string(r.size) + " bytes (allocation #" + std::to_string(r.id) + "), at offset " +
                       std::to_string(offset);
            }
        return {};
    };
    if (zone_bytes == 0) return {};
    const auto* block = reinterpret_cast<const unsigned char*>(r.low);
    std::string found = scan(block - zone_bytes, "before", zone_bytes);
    if (found.empty()) found = scan(block + r.size, "past the end of", zone_bytes);
    return found;
}

void verify_guards() {
    std::lock_guard lock(device_mutex());
    throw_deferred_error();
    for (const auto& [low, r] : allocations())
        if (const std::string found = broken_guard(r); !found.empty()) {
            ++statistics().guard_violations;
            throw GpuError(found);
        }
}

size_t live_allocations() {
    std::lock_guard lock(device_mutex());
    return allocations().size();
}

int device_of(const void* p) {
    std::lock_guard lock(device_mutex());
    const Region* r = find_global(uintptr_t(p));
    return r ? r->device : -1;
}

// ---- copies ---------------------------------------------------------------------------------------------------------
static void need_room(const Region& r, uintptr_t a, size_t bytes, const char* what) {
    if (a + bytes > r.low + r.size)
        throw GpuError("emulated GPU: " + std::string(what) + " of " + std::to_string(bytes) + " bytes at offset " +
                       std::to_string(a - r.low) + " of a device block of " + std::to_string(r.size) + " bytes");
}

static void set_written(Region& r, uintptr_t a, size_t bytes) {
    if (!r.cells) return;
    each_cell(r, a, bytes, [](Cell& c, unsigned mask, size_t) {
        const auto written = uint8_t(c.written | mask);
        c = {};  // everything before is done: work is done one after the other
        c.written = written;
    });
}
static size_t unwritten_bytes(Region& r, uintptr_t a, size_t bytes) {
    size_t count = 0;
    if (r.cells)
        each_cell(r, a, bytes, [&](Cell& c, unsigned mask, size_t) { count += std::popcount(mask & ~c.written); });
    return count;
}
// What was never written stays so in the copy.
static void copy_written(Region& to, uintptr_t a, Region& from, uintptr_t b, size_t bytes) {
    if (!to.cells || !from.cells) return;
    for (size_t i = 0; i < bytes; ++i) {
        const size_t source = b + i - from.low, target = a + i - to.low;
        const bool written = from.cells[source / 4].written >> source % 4 & 1;
        Cell& c = to.cells[target / 4];
        if (target % 4 == 0 || i == 0) {
            const uint8_t others = c.written;
            c = {};
            c.written = others;
        }
        c.written = uint8_t((c.written & ~(1u << target % 4)) | unsigned(written) << target % 4);
    }
}

void copy_now(void* to, const void* from, size_t bytes) {
    if (bytes == 0) return;
    const auto a = uintptr_t(to), b = uintptr_t(from);
    Region *target = find_global(a), *source = find_global(b);
    if (target) need_room(*target, a, bytes, "a copy");
    if (source) need_room(*source, b, bytes, "a copy");
    if (source && !target)
        if (const size_t bad = unwritten_bytes(*source, b, bytes))
            throw GpuError("emulated GPU: a copy to the host reads " + std::to_string(bad) + " of " +
                           std::to_string(bytes) + " bytes that no kernel wrote");
    std::memcpy(to, from, bytes);
    if (target && source)
        copy_written(*target, a, *source, b, bytes);
    else if (target)
        set_written(*target, a, bytes);
}

void fill_now(void* to, int byte, size_t bytes) {
    if (bytes == 0) return;
    Region* r = find_global(uintptr_t(to));
    if (!r) throw GpuError("emulated GPU: fill of an address that is not device memory");
    need_room(*r, uintptr_t(to), bytes, "a fill");
    std::memset(to, byte, bytes);
    statistics().filled_bytes += bytes;
    set_written(*r, uintptr_t(to), bytes);
}

// ---- blocks ---------------------------------------------------------------------------------------------------------
static void* aligned_block(size_t bytes) {
    void* p = nullptr;
    if (posix_memalign(&p, alignment, bytes ? bytes : 1))
        throw MemoryError("emulated GPU: no memory for a block of " + std::to_string(bytes) + " bytes");
    return p;
}

void* allocate_now(size_t bytes) {
    static unsigned next_id = 1;
    auto* base = static_cast<char*>(aligned_block(bytes + 2 * zone_bytes));
    std::memset(base, poison, bytes + 2 * zone_bytes);
    char* p = base + zone_bytes;
    Region r{Region::Kind::global, uintptr_t(p), bytes, next_id++, checking ? new_cells(bytes) : nullptr,
             current_device()};
    allocations()[r.low] = r;
    return p;
}

std::string release_now(void* p) {
    auto& all = allocations();
    const auto it = all.find(uintptr_t(p));
    if (it == all.end()) return "emulated GPU: release of an address that allocate() did not return, or twice";
    std::string error = broken_guard(it->second);
    if (!error.empty()) ++statistics().guard_violations;
    if (recorder) recorder->forget(it->second.low, it->second.size);
    std::free(it->second.cells);
    all.erase(it);
    std::free(static_cast<char*>(p) - zone_bytes);
    return error;
}

// As in CUDA, giving back memory waits for whatever may use it.
static void finish_before_release() noexcept {
    try {
        finish_all_streams();
    } catch (const std::exception& error) {
        defer_error(error.what());
    }
}

}  // namespace emu

void* allocate(size_t bytes) {
    std::lock_guard lock(emu::device_mutex());
    emu::refuse_while_capturing("allocate");
    return emu::allocate_now(bytes);
}
void release(void* p) noexcept {
    if (!p) return;
    std::lock_guard lock(emu::device_mutex());
    emu::finish_before_release();
    const std::string error = emu::release_now(p);
    if (!error.empty()) emu::defer_error(error);
}
static std::map<uintptr_t, size_t>& pinned_blocks() {
    static auto& blocks = *new std::map<uintptr_t, size_t>;
    return blocks;
}
void* allocate_pinned(size_t bytes) {
    emu::refuse_while_capturing("allocate_pinned");
    void* const p = emu::aligned_block(bytes);
    std::lock_guard lock(emu::device_mutex());
    pinned_blocks()[uintptr_t(p)] = bytes;
    return p;
}
void release_pinned(void* p) noexcept {
    if (!p) return;
    std::lock_guard lock(emu::device_mutex());
    emu::finish_before_release();
    pinned_blocks().erase(uintptr_t(p));
    std::free(p);
}

bool emu::is_pageable(const void* p, size_t bytes) {
    const auto a = uintptr_t(p);
    if (bytes == 0 || find_global(a)) return false;
    const auto after = pinned_blocks().upper_bound(a);
    return after == pinned_blocks().begin() || std::prev(after)->first + std::prev(after)->second < a + bytes;
}
void emu::require_replayable(const void* p, size_t bytes) {
    if (is_pageable(p, bytes))
        throw GpuError("emulated GPU: a copy from or to pageable host memory while a graph is captured");
}

}  // namespace atrous::gpu
