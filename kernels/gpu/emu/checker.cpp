// The checker. Every load and store of device code calls check_access (through hooks.cpp in the races build; always for
// cp.async, ldmatrix and atomics). The address is looked up among this thread's stack (ignored), shared memory, live
// allocations and constants of the program; anything else is out of bounds or a host pointer. For shared and global
// memory a cell per 4 bytes remembers the last accesses, and clocks decide whether a barrier separates them.
#include <link.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/gpu/emu/internal.h"

extern "C" char __executable_start[], _end[];

namespace atrous::gpu::emu {

#ifdef ATROUS_CHECK_RACES
bool checking = false;
#endif

constexpr size_t near = 4096;  // an address this close to a block is called an overrun of it

Cell* new_cells(size_t bytes) { return static_cast<Cell*>(std::calloc(bytes / 4 + 2, sizeof(Cell))); }

static thread_local Region* recent[4];
void forget_recent_regions() {
    for (Region*& r : recent) r = nullptr;
}
Region* find_region(uintptr_t a) {
    if (W->dynamic.holds(a)) return &W->dynamic;
    for (Region* r : recent)
        if (r && r->holds(a)) return r;
    if (W->statics.holds(a)) return &W->statics;
    Region* r = find_global(a);
    if (!r) return nullptr;
    static thread_local unsigned turn = 0;
    return recent[turn++ % 4] = r;
}
bool is_shared(const void* p) { return W->dynamic.holds(uintptr_t(p)) || W->statics.holds(uintptr_t(p)); }

// __shared__ variables: thread-local ones of the executable, or its ordinary statics under address sanitizer.
void find_static_shared(Region& r) {
    if (address_sanitizer) {
        r.low = uintptr_t(__executable_start);
        r.size = size_t(_end - __executable_start);
        return;
    }
    auto find = [](dl_phdr_info* module, size_t, void* out) {
        for (int k = 0; k < module->dlpi_phnum; ++k)
            if (module->dlpi_phdr[k].p_type == PT_TLS && module->dlpi_tls_data) {
                auto& region = *static_cast<Region*>(out);
                region.low = uintptr_t(module->dlpi_tls_data) & ~uintptr_t(3);
                region.size = module->dlpi_phdr[k].p_memsz;
            }
        return 1;  // the first module is the executable
    };
    dl_iterate_phdr(find, &r);
}

// ---- messages -------------------------------------------------------------------------------------------------------
static std::string place(const Region& r, uintptr_t a) {
    const std::string offset = std::to_string(long(a - r.low));
    if (r.kind == Region::Kind::global)
        return "global buffer #" + std::to_string(r.id) + " (" + std::to_string(r.size) + " bytes) offset " + offset;
    return (r.kind == Region::Kind::dynamic_shared ? "dynamic" : "static") + std::string(" shared memory offset ") +
           offset;
}
static const char* verb(unsigned kind) { return kind & Atomic ? "atomic" : kind & Write ? "write" : "read"; }
static std::string hex(uintptr_t a) {
    char text[32];
    std::snprintf(text, sizeof text, "%#zx", size_t(a));
    return text;
}

[[gnu::cold]] static void out_of_bounds(uintptr_t a, size_t n, unsigned kind, uint32_t site) {
    std::string access = W->name() + ": " + verb(kind) + " of " + std::to_string(n) + " bytes ";
    if (W->fibers.holds(reinterpret_cast<void*>(a)))
        fatal("address space", std::move(access) + "in another thread's local memory", site);
    Region* r = nearest_global(a);
    if (r && r->low <= a && a - r->low < r->size + near)
        fatal("out of bounds", std::move(access) + "past the end of " + place(*r, a), site);
    r = nearest_global(a + near);
    if (r && r->low > a && r->low - a <= near)
        fatal("out of bounds", std::move(access) + "before " + place(*r, a), site);
    const Region& d = W->dynamic;
    if (d.size && a - d.low + near < d.size + 2 * near)
        fatal("out of bounds",
              std::move(access) + "outside dynamic shared memory (" + std::to_string(d.size) + " bytes), offset " +
                  std::to_string(long(a - d.low)),
              site);
    fatal("address space",
          std::move(access) + "at " + hex(a) +
              ", which is not device memory (a host pointer, freed, or far out of bounds)",
          site);
}

[[gnu::cold]] static void race(const Region& r, uintptr_t a, const Slot& s, bool wrote, unsigned kind, uint32_t site) {
    const dim3& d = W->launch->call.block;
    const unsigned t = s.who & 1023, block = s.who >> 10;
    std::string other = block == W->serial ? "" : "block #" + std::to_string(block - W->launch->first_serial) + " ";
    other += "thread (" + std::to_string(t % d.x) + "," + std::to_string(t / d.x % d.y) + "," +
             std::to_string(t / d.x / d.y) + ")";
    report("race",
           W->name() + ": " + verb(kind) + " of " + place(r, a) + " is not ordered after the " +
               (s.when & 16 ? "atomic"
                : wrote     ? "write"
                            : "read") +
               " by " + other,
           site, s.site);
}

// ---- one access -----------------------------------------------------------------------------------------------------
static bool conflicts(const Slot& s, unsigned mask, unsigned kind, uint32_t me, bool global) {
    if (!(s.when & mask) || s.who == me) return false;
    if ((s.when & 16) && (kind & Atomic)) return false;
    const uint32_t block = s.who >> 10, clock = s.when >> 5, thread = s.who & 1023;
    if (block == W->serial) return clock > W->clocks.learnt(W->current->tid, thread);
    if (!global || block < W->launch->first_serial) return false;
    const auto& published = W->launch->published[block - W->launch->first_serial];
    return !W->clocks.acquired(W->current->tid) || published.empty() || clock > published[thread];
}

static void drop(Slot& s, unsigned mask) {
    if (s.when & 15 & ~mask)
        s.when &= ~mask;
    else
        s = {};
}

// Ordinary stores are seen by the copy unit and by wgmma only behind a fence.
static void check_proxy(const Region& r, const Cell& c, unsigned mask, uintptr_t at, uint32_t site) {
    for (const Slot& s : c.writers) {
        const unsigned thread = s.who & 1023;
        if (!(s.when & mask & ~c.async & 15) || s.who >> 10 != W->serial) continue;
        if (!W->clocks.proxy_fenced(thread, s.when >> 5))
            report(
                "proxy",
                W->name() + ": asynchronous access to " + place(r, at) + " without a fence_proxy_async after the write",
                site, s.site);
    }
}

static void remember(Cell& c, const Slot& mine, unsigned mask, bool write) {
    if (!write) {  // the first reader since the last write, and the latest other one
        if (!c.readers[0].when || c.readers[0].who == mine.who)
            c.readers[0] = mine;
        else
            c.readers[1] = mine;
        return;
    }
    Slot* w = c.writers;
    const bool first = w[0].who == mine.who || !(w[0].when & 15 & ~mask);
    w[first ? 0 : 1] = mine;
    drop(w[first ? 1 : 0], mask);
    for (Slot& r : c.readers) drop(r, mask);
    c.written |= mask;
    c.async &= ~mask;
}

static void check_cell(Region& r, Cell& c, unsigned mask, uintptr_t at, unsigned kind, uint32_t me, uint32_t site) {
    const bool global = r.kind == Region::Kind::global;
    if (!global && c.block != W->serial) {
        c = {};
        c.block = W->serial;
    }
    for (const Slot& s : c.writers)
        if (conflicts(s, mask, kind, me, global)) race(r, at, s, true, kind, site);
    if (kind & Write)
        for (const Slot& s : c.readers)
            if (conflicts(s, mask, kind, me, global)) race(r, at, s, false, kind, site);
    if (kind & AsyncProxy) check_proxy(r, c, mask, at, site);
    const bool reads = !(kind & Write) || (kind & Atomic);
    if (reads && (c.in_flight & mask))
        report("in flight", W->name() + ": read of " + place(r, at) + " before the wait for its asynchronous copy",
               site);
    else if (reads && (mask & ~c.written))
        report("uninitialized", W->name() + ": " + verb(kind) + " of " + place(r, at) + ", never written", site);
    const uint32_t now = W->clocks.now(W->current->tid) << 5 | (kind & Atomic ? 16 : 0);
    remember(c, {now | mask, me, site}, mask, kind & Write);
}

static bool in_image(uintptr_t a) { return a - uintptr_t(__executable_start) < size_t(_end - __executable_start); }

void check_access(uintptr_t a, size_t n, unsigned kind, uint32_t site) {
    Pause pause;
    const Thread& t = *W->current;
    if (a - uintptr_t(t.context->stack) < t.context->size) return;  // local memory
    Region* r = find_region(a);
    if (!r) {
        if (in_image(a) && !(kind & Write)) return;  // a constant
        out_of_bounds(a, n, kind, site);
    }
    if (a + n > r->low + r->size) out_of_bounds(a, n, kind, site);
    if (r->kind == Region::Kind::global && r->device != W->launch->device)
        fatal("address space",
              W->name() + ": " + verb(kind) + " of " + place(*r, a) + " of device " + std::to_string(r->device) +
                  " by a kernel on device " + std::to_string(W->launch->device),
              site);
    if (!(kind & AsyncProxy) && (n == 2 || n == 4 || n == 8 || n == 16) && a % n)
        fatal("misaligned", W->name() + ": " + verb(kind) + " of " + std::to_string(n) + " bytes at " + place(*r, a),
              site);
    if (!r->cells) return;
    ++W->counts.accesses;
    const uint32_t me = W->serial << 10 | t.tid;
    each_cell(*r, a, n,
              [&](Cell& c, unsigned mask, size_t at) { check_cell(*r, c, mask, r->low + at, kind, me, site); });
}

// CUDA gives a block its kernel's __shared__ variables and the dynamic memory from one limit. Which variables are the
// kernel's is not known here, so those count that were touched.
void check_shared_limit() {
    if (W->dynamic.size + W->statics.size <= max_shared_bytes) return;
    const Cell* const cells = W->statics.cells;
    const auto touched =
        std::count_if(cells, cells + W->statics.size / 4, [](const Cell& c) { return c.block == W->serial; });
    const size_t bytes = size_t(touched) * 4;
    if (bytes + W->dynamic.size > max_shared_bytes)
        report("shared memory",
               std::to_string(W->dynamic.size) + " bytes of dynamic and at least " + std::to_string(bytes) +
                   " of static shared memory; a block has " + std::to_string(max_shared_bytes),
               0);
}

// ---- asynchronous copies --------------------------------------------------------------------------------------------
void mark_in_flight(void* to, size_t n, Where where, unsigned proxy) {
    const auto a = uintptr_t(to);
    check_access(a, n, Write | proxy, checked_site(where));  // readers of the previous contents must be done
    std::memset(to, 0xff, n);
    Region* r = find_region(a);
    if (r && r->cells)
        each_cell(*r, a, n, [proxy](Cell& c, unsigned m, size_t) {
            c.written &= ~m;
            c.in_flight |= m;
            if (proxy) c.async |= m;
        });
}
void mark_landed(void* to, size_t n, unsigned tid, uint32_t clock, uint32_t site, unsigned proxy) {
    Region* r = find_region(uintptr_t(to));
    if (!r || !r->cells) return;
    each_cell(*r, uintptr_t(to), n, [&](Cell& c, unsigned m, size_t) {
        c.writers[0] = {clock << 5 | m, W->serial << 10 | tid, site};
        c.written |= m;
        c.in_flight &= ~m;
        c.async = uint8_t(proxy ? c.async | m : c.async & ~m);
    });
}

}  // namespace atrous::gpu::emu
