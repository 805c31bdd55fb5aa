// wgmma. A product is computed when its warpgroup waits for it; operands are looked at where it is issued and again
// there, for they must not change in between.
#include <cstring>

#include "base/half.h"
#include "kernels/gpu/emu/recorder.h"

namespace atrous::gpu::emu {

constexpr int rows = 64, depth = 16;
constexpr unsigned warpgroup_threads = 128;

static void refuse(std::string why, const Where& where) {
    why.insert(0, W->name() + ": ");
    fatal("wgmma", std::move(why), site_id(where));
}

// ---- operands -------------------------------------------------------------------------------------------------------
// PTX ISA, matrix descriptor: bits 0-13 the address, 16-29 the leading and 32-45 the stride byte offset, each / 16;
// 62-63 the swizzle, where 1 is that of 128 bytes.
uint64_t wgmma_operand(const void* tile, bool mn_major, unsigned stride_bytes, Where where) {
    Pause pause;
    const uintptr_t address = uintptr_t(tile) - W->dynamic.low;
    if (!W->dynamic.holds(uintptr_t(tile)))
        refuse("an operand of wgmma is not in dynamic shared memory, the only one that is emulated", where);
    const uint64_t leading = mn_major ? (stride_bytes >> 4) & 0x3fff : 1;
    return (address & 0x3ffff) >> 4 | leading << 16 | uint64_t(1024 >> 4) << 32 | uint64_t(1) << 62;
}

namespace {
struct Operand {
    size_t start, leading, stride;
    bool mn_major;
    int extent;  // rows of A or columns of B

    Operand(uint64_t descriptor, bool mn_major, int extent)
        : start((descriptor & 0x3fff) << 4),
          leading((descriptor >> 16 & 0x3fff) << 4),
          stride((descriptor >> 32 & 0x3fff) << 4),
          mn_major(mn_major),
          extent(extent) {}

    // CUTLASS, make_gmma_desc: the canonical layouts of the swizzle of 128 bytes.
    size_t offset(int mn, int k) const {
        const size_t at = mn_major ? start + size_t(mn / 64) * leading + size_t(mn % 64) * 2 + size_t(k / 8) * stride +
                                         size_t(k % 8) * 128
                                   : start + size_t(mn / 8) * stride + size_t(mn % 8) * 128 + size_t(k) * 2;
        return at ^ (at >> 7 & 7) << 4;
    }
    // Calls f(mn, k, offset) for every 16 bytes: eight neighbours along the major index.
    template <class F>
    void each_piece(F f) const {
        for (int mn = 0; mn < extent; mn += mn_major ? 8 : 1)
            for (int k = 0; k < depth; k += mn_major ? 1 : 8) f(mn, k, offset(mn, k));
    }
};
}  // namespace

static Operand operand_a(const IssuedProduct& p) { return {p.a, p.a_mn_major, rows}; }
static Operand operand_b(const IssuedProduct& p) { return {p.b, p.b_mn_major, p.columns}; }

static void check_descriptor(uint64_t descriptor, bool mn_major, int extent, const Where& where) {
    if (descriptor >> 62 != 1) refuse("an operand without the swizzle of 128 bytes is not emulated", where);
    const Operand o(descriptor, mn_major, extent);
    if (o.start >> 7 & 7)
        fatal("misaligned", W->name() + ": an operand of wgmma begins within eight rows; 1024-byte alignment is needed",
              site_id(where));
    o.each_piece([&](int, int, size_t offset) {
        if (offset + 16 > W->dynamic.size)
            fatal("out of bounds",
                  W->name() + ": an operand of wgmma reads outside dynamic shared memory (" +
                      std::to_string(W->dynamic.size) + " bytes), offset " + std::to_string(offset),
                  site_id(where));
    });
}

// The current thread reads both operands.
static void check_operands(const IssuedProduct& p) {
    const auto read = [&](int, int, size_t offset) {
        check_access(W->dynamic.low + offset, 16, Read | AsyncProxy, site_id(p.where));
    };
    operand_a(p).each_piece(read);
    operand_b(p).each_piece(read);
}

// ---- accumulators ---------------------------------------------------------------------------------------------------
static Accumulators* find(HopperThread& t, const float* d) {
    for (Accumulators& a : t.accumulators)
        if (a.d == d) return &a;
    return nullptr;
}

static Accumulators& take(HopperThread& t, float* d, size_t count) {
    std::vector<float> values(d, d + count);
    std::memset(d, 0xff, count * sizeof(float));  // NaN until the wait
    t.accumulators.push_back({d, std::move(values), 0});
    W->hopper.count_accumulators(1);
    return t.accumulators.back();
}

static void give_back(HopperThread& t, const Accumulators& a, const Where& where) {
    const size_t bytes = a.values.size() * sizeof(float);
    const auto* now = reinterpret_cast<const unsigned char*>(a.d);
    if (std::any_of(now, now + bytes, [](unsigned char c) { return c != 0xff; }))
        report("wgmma", W->name() + ": accumulators were written before wgmma_wait", site_id(where));
    std::memcpy(a.d, a.values.data(), bytes);
    t.accumulators.erase(t.accumulators.begin() + (&a - t.accumulators.data()));
    W->hopper.count_accumulators(-1);
}

void check_accumulators(const void* p, size_t bytes, unsigned kind, uint32_t site) {
    Pause pause;
    for (const Accumulators& a : W->hopper.of(*W->current).accumulators) {
        const uintptr_t low = uintptr_t(a.d), end = low + a.values.size() * sizeof(float);
        if (uintptr_t(p) < end && uintptr_t(p) + bytes > low)
            report("wgmma", W->name() + ": " + (kind & Write ? "write" : "read") + " of accumulators before wgmma_wait",
                   site);
    }
}

// ---- issuing --------------------------------------------------------------------------------------------------------
void wgmma_fence() {
    Pause pause;
    need_hopper("wgmma_fence", {});
    W->hopper.of(*W->current).fenced = true;
}

void wgmma(const Product& product, Where where) {
    Pause pause;
    need_hopper("wgmma", where);
    const unsigned tid = W->current->tid;
    if (tid / warpgroup_threads * warpgroup_threads + warpgroup_threads > W->block_threads)
        refuse("wgmma needs a warpgroup of 128 threads", where);
    const IssuedProduct p{product, where};
    check_descriptor(p.a, p.a_mn_major, rows, where);
    check_descriptor(p.b, p.b_mn_major, p.columns, where);
    if (checking && tid % 32 == 0) check_operands(p);
    if (recorder)
        recorder->note(
            TraceKind::wgmma, site_id(where), 0, 0,
            recorder->product({p.type == MmaType::bf16 ? "bf16" : "f16", p.columns, p.a_mn_major, p.b_mn_major,
                               p.accumulates, uint32_t(operand_a(p).start), uint32_t(operand_b(p).start)}));
    HopperThread& t = W->hopper.of(*W->current);
    Accumulators* d = find(t, p.d);
    if (!d && !t.fenced)
        report("wgmma", W->name() + ": accumulators are taken without a wgmma_fence since the last wait",
               site_id(where));
    if (!d) d = &take(t, p.d, size_t(p.columns) / 2);
    if (d->values.size() != size_t(p.columns) / 2)
        refuse("products of several shapes use the same accumulators without a wait between them", where);
    ++d->users;
    t.products.push_back(p);
}

void wgmma_commit() {
    Pause pause;
    HopperThread& t = W->hopper.of(*W->current);
    t.product_groups.push_back(t.products.size());
}

// ---- computing ------------------------------------------------------------------------------------------------------
template <class T>
static void load(const Operand& o, std::vector<float>& values) {  // [k][mn]
    o.each_piece([&](int mn, int k, size_t offset) {
        const auto* from = reinterpret_cast<const uint16_t*>(W->dynamic.low + offset);
        for (int i = 0; i < 8; ++i) {
            const int row = o.mn_major ? mn + i : mn, depth_index = o.mn_major ? k : k + i;
            values[size_t(depth_index) * o.extent + row] = to_float(T{from[i]});
        }
    });
}

// Value i of thread t is of this element.
static size_t element(unsigned t, size_t i, int columns) {
    const size_t row = t / 32 * 16 + t % 32 / 4 + 8 * (i / 2 % 2), column = i / 4 * 8 + t % 4 * 2 + i % 2;
    return row * size_t(columns) + column;
}

static void compute(const IssuedProduct& p, const std::array<Accumulators*, warpgroup_threads>& d) {
    std::vector<float> a(rows * depth), b(size_t(depth) * p.columns), sum(size_t(rows) * p.columns);
    const auto load_both = [&]<class T>(T) {
        load<T>(operand_a(p), a);
        load<T>(operand_b(p), b);
    };
    p.type == MmaType::bf16 ? load_both(bf16{}) : load_both(f16{});
    const size_t count = size_t(p.columns) / 2;
    for (unsigned t = 0; t < warpgroup_threads && p.accumulates; ++t)
        for (size_t i = 0; i < count; ++i) sum[element(t, i, p.columns)] = d[t]->values[i];
    for (int row = 0; row < rows; ++row)
        for (int k = 0; k < depth; ++k)
            for (int c = 0; c < p.columns; ++c)
                sum[size_t(row) * p.columns + c] += a[k * rows + row] * b[size_t(k) * p.columns + c];
    for (unsigned t = 0; t < warpgroup_threads; ++t)
        for (size_t i = 0; i < count; ++i) d[t]->values[i] = sum[element(t, i, p.columns)];
}

static bool same(const IssuedProduct& p, const IssuedProduct& q) {
    return p.a == q.a && p.b == q.b && p.columns == q.columns && p.type == q.type && p.a_mn_major == q.a_mn_major &&
           p.b_mn_major == q.b_mn_major && p.accumulates == q.accumulates;
}

// Runs the products of the warpgroup from thread `first` on that are older than the latest `pending` groups.
static void finish(unsigned first, unsigned pending) {
    Thread* const me = W->current;
    HopperThread& leader = W->hopper.of(W->threads[first]);
    if (leader.product_groups.size() <= pending) return;
    const size_t n = leader.product_groups[leader.product_groups.size() - 1 - pending];
    for (unsigned t = 0; t < warpgroup_threads; ++t) {
        const HopperThread& other = W->hopper.of(W->threads[first + t]);
        if (other.product_groups != leader.product_groups || other.products.size() != leader.products.size())
            refuse("the threads of a warpgroup wait for different numbers of products", me->where);
    }
    for (size_t i = 0; i < n; ++i) {
        const IssuedProduct p = leader.products[i];
        std::array<Accumulators*, warpgroup_threads> d;
        for (unsigned t = 0; t < warpgroup_threads; ++t) {
            HopperThread& other = W->hopper.of(W->threads[first + t]);
            if (!same(p, other.products[i])) refuse("threads of a warpgroup issued different products", p.where);
            d[t] = find(other, other.products[i].d);
        }
        for (unsigned warp = 0; checking && warp < warpgroup_threads; warp += 32) {
            W->current = &W->threads[first + warp];
            check_operands(p);
        }
        W->current = me;
        compute(p, d);
        for (Accumulators* a : d) --a->users;
    }
    for (unsigned t = 0; t < warpgroup_threads; ++t) {
        HopperThread& other = W->hopper.of(W->threads[first + t]);
        other.products.erase(other.products.begin(), other.products.begin() + long(n));
        other.product_groups.erase(other.product_groups.begin(), other.product_groups.end() - long(pending));
        for (size_t& g : other.product_groups) g -= n;
        for (size_t i = other.accumulators.size(); i-- > 0;)
            if (other.accumulators[i].users == 0) give_back(other, other.accumulators[i], me->where);
    }
}

void wgmma_wait(unsigned pending, Where where) {
    Pause pause;
    need_hopper("wgmma_wait", where);
    Thread* const t = W->current;
    W->hopper.of(*t).fenced = false;
    if (recorder) recorder->note(TraceKind::wgmma_wait, site_id(where), 0, 0, pending);
    auto& waiting = W->hopper.warpgroup(t->tid);
    waiting.push_back(t);
    if (waiting.size() < warpgroup_threads) return W->block_current("wgmma_wait", where);
    t->where = where;
    finish(t->tid / warpgroup_threads * warpgroup_threads, pending);
    for (Thread* other : waiting)
        if (other != t) W->make_ready(other);
    waiting.clear();
}

}  // namespace atrous::gpu::emu
