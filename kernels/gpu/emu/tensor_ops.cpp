// cp.async, ldmatrix and mma. A cp.async lands as late as the program allows: at the wait.
#include <bit>
#include <cstring>

#include "base/half.h"
#include "kernels/gpu/emu/recorder.h"

namespace atrous::gpu::emu {

void need_alignment(const void* p, size_t n, const char* what, const Where& where) {
    if (uintptr_t(p) % n)
        fatal("misaligned", W->name() + ": " + what + " needs " + std::to_string(n) + "-byte alignment",
              site_id(where));
}
void need_shared(const void* p, const char* what, const Where& where) {
    if (!is_shared(p)) fatal("address space", W->name() + ": " + what + " is not in shared memory", site_id(where));
}

// ---- cp.async -------------------------------------------------------------------------------------------------------
constexpr size_t copy_bytes = 16;

void copy_async(void* to, const void* from, bool valid, Where where) {
    Pause pause;
    need_alignment(to, copy_bytes, "cp.async destination", where);
    need_shared(to, "cp.async destination", where);
    if (valid) {
        need_alignment(from, copy_bytes, "cp.async source", where);
        check_access(uintptr_t(from), copy_bytes, Read, checked_site(where));
    }
    if (recorder) {
        if (valid) recorder->note(TraceKind::async_copy, site_id(where), uintptr_t(from), copy_bytes);
        recorder->note(TraceKind::async_write, second_site(site_id(where)), uintptr_t(to), copy_bytes, !valid);
    }
    mark_in_flight(to, copy_bytes, where);
    W->current->copies.push_back({to, from, valid});
}

void copy_async_commit() { W->current->groups.push_back(W->current->copies.size()); }

void copy_async_wait(unsigned pending, Where where) {
    Pause pause;
    Thread& t = *W->current;
    if (recorder) recorder->note(TraceKind::async_wait, site_id(where), 0, 0, pending);
    if (t.groups.size() <= pending) return;
    const size_t n = t.groups[t.groups.size() - 1 - pending];  // copies in the groups that must be complete
    for (size_t i = 0; i < n; ++i) {
        const Copy& c = t.copies[i];
        if (c.valid)
            std::memcpy(c.to, c.from, copy_bytes);
        else
            std::memset(c.to, 0, copy_bytes);
        if (checking) mark_landed(c.to, copy_bytes, t.tid, W->clocks.now(t.tid), site_id(where));
    }
    t.copies.erase(t.copies.begin(), t.copies.begin() + long(n));
    t.groups.erase(t.groups.begin(), t.groups.end() - pending);
    for (size_t& g : t.groups) g -= n;
}

// ---- ldmatrix -------------------------------------------------------------------------------------------------------
namespace {
struct Load {
    uint32_t* r;
    const void* row;
    bool transposed;
    Where where;
};
}  // namespace

static void load_matrices(void* const* args, uint32_t) {
    auto lane = [&](int i) -> const Load& { return *static_cast<const Load*>(args[i]); };
    Thread* me = W->current;
    const bool transposed = lane(0).transposed;
    for (int m = 0; m < 4; ++m) {
        const uint16_t* rows[8];
        unsigned banks = 0;
        for (int i = 0; i < 8; ++i) {
            const Load& a = lane(m * 8 + i);
            W->current = &W->threads[me->tid / 32 * 32 + m * 8 + i];  // the lane that names the row reads it
            need_alignment(a.row, 16, "an ldmatrix row", a.where);
            need_shared(a.row, "an ldmatrix row", a.where);
            check_access(uintptr_t(a.row), 16, Read, checked_site(a.where));
            rows[i] = static_cast<const uint16_t*>(a.row);
            banks |= 1u << (uintptr_t(a.row) >> 4 & 7);
        }
        W->counts.bank_conflicts += 8 - std::popcount(banks);
        for (int l = 0; l < 32; ++l) {
            const int i = l / 4, j = l % 4 * 2;
            const uint32_t low = transposed ? rows[j][i] : rows[i][j];
            const uint32_t high = transposed ? rows[j + 1][i] : rows[i][j + 1];
            lane(l).r[m] = low | high << 16;
        }
    }
    W->current = me;
}

void ldmatrix_x4(uint32_t* r, const void* row, bool transposed, Where where) {
    Load mine{r, row, transposed, where};
    if (recorder) recorder->note(TraceKind::ldmatrix, site_id(where), uintptr_t(row), 16, transposed);
    warp_collective(~0u, transposed ? "ldmatrix.trans" : "ldmatrix", &mine, load_matrices, false, where);
}

// ---- mma.sync -------------------------------------------------------------------------------------------------------
namespace {
struct Mma {
    float* d;
    const uint32_t *a, *b;
    Where where = {};
};
}  // namespace

template <size_t R, size_t C>
static std::vector<float> flat(const float (&m)[R][C]) {
    return {&m[0][0], &m[0][0] + R * C};
}

// PTX ISA, fragments of mma.m16n8k16; g = lane / 4, t = 2 (lane % 4):
//   A: register r holds row g + 8 (r & 1), columns t, t + 1 (+ 8 if r & 2)
//   B: register r holds rows t, t + 1 (+ 8 r), column g
//   D: values 0, 1 are row g, columns t, t + 1; values 2, 3 the same of row g + 8
template <class T>
static void multiply(void* const* args, uint32_t) {
    auto element = [](uint32_t word, int half) { return to_float(T{uint16_t(word >> 16 * half)}); };
    float a[16][16], b[16][8], d[16][8];
    for (int lane = 0; lane < 32; ++lane) {
        const Mma& m = *static_cast<const Mma*>(args[lane]);
        const int g = lane / 4, t = lane % 4 * 2;
        for (int r = 0; r < 4; ++r)
            for (int h = 0; h < 2; ++h) a[g + 8 * (r & 1)][t + h + 8 * (r >> 1)] = element(m.a[r], h);
        for (int r = 0; r < 2; ++r)
            for (int h = 0; h < 2; ++h) b[t + h + 8 * r][g] = element(m.b[r], h);
        for (int i = 0; i < 4; ++i) d[g + 8 * (i >> 1)][t + (i & 1)] = m.d[i];
    }
    const bool kept = recorder && recorder->keeps_fragments();
    TraceFragments fragments;
    if (kept) fragments = {std::is_same_v<T, bf16> ? "bf16" : "f16", 16, 8, 16, flat(a), flat(b), flat(d), {}};
    for (int i = 0; i < 16; ++i)
        for (int k = 0; k < 16; ++k)
            for (int j = 0; j < 8; ++j) d[i][j] += a[i][k] * b[k][j];
    if (kept) {
        fragments.after = flat(d);
        recorder->keep_fragments(std::move(fragments));
    }
    for (int lane = 0; lane < 32; ++lane) {
        const Mma& m = *static_cast<const Mma*>(args[lane]);
        for (int i = 0; i < 4; ++i) m.d[i] = d[lane / 4 + 8 * (i >> 1)][lane % 4 * 2 + (i & 1)];
    }
}

void mma_m16n8k16(MmaType type, float* d, const uint32_t* a, const uint32_t* b, Where where) {
    Mma mine{d, a, b};
    if (recorder) recorder->note(TraceKind::mma, site_id(where));
    warp_collective(~0u, "mma", &mine, type == MmaType::bf16 ? multiply<bf16> : multiply<f16>, false, where);
}

// ---- TF32 -----------------------------------------------------------------------------------------------------------
// cvt.rna.tf32.f32: half of the last place is added to the magnitude, which may make it infinite; NaN is canonical.
static constexpr uint32_t tf32_dropped = 0x1fff, canonical_nan = 0x7fffffff;

uint32_t round_tf32(uint32_t x) {
    const uint32_t magnitude = x & 0x7fffffff;
    if (magnitude > 0x7f800000) return canonical_nan;
    return magnitude == 0x7f800000 ? x : (x + (tf32_dropped + 1) / 2) & ~tf32_dropped;
}

static float tf32_operand(uint32_t bits, const Where& where) {
    if ((bits & tf32_dropped) && bits != canonical_nan)
        fatal("tf32", W->name() + ": an operand of mma.tf32 was not rounded; round_tf32 does that", site_id(where));
    return std::bit_cast<float>(bits);
}

// PTX ISA, fragments of mma.m16n8k8 (.tf32); g = lane / 4, t = lane % 4:
//   A: register r holds row g + 8 (r & 1), column t + 4 (r >> 1)
//   B: register r holds row t + 4 r, column g
//   D: as of m16n8k16
static void multiply_tf32(void* const* args, uint32_t) {
    float a[16][8], b[8][8], d[16][8];
    for (int lane = 0; lane < 32; ++lane) {
        const Mma& m = *static_cast<const Mma*>(args[lane]);
        const int g = lane / 4, t = lane % 4;
        for (int r = 0; r < 4; ++r) a[g + 8 * (r & 1)][t + 4 * (r >> 1)] = tf32_operand(m.a[r], m.where);
        for (int r = 0; r < 2; ++r) b[t + 4 * r][g] = tf32_operand(m.b[r], m.where);
        for (int i = 0; i < 4; ++i) d[g + 8 * (i >> 1)][2 * t + (i & 1)] = m.d[i];
    }
    const bool kept = recorder && recorder->keeps_fragments();
    TraceFragments fragments;
    if (kept) fragments = {"tf32", 16, 8, 8, flat(a), flat(b), flat(d), {}};
    for (int i = 0; i < 16; ++i)
        for (int k = 0; k < 8; ++k)
            for (int j = 0; j < 8; ++j) d[i][j] += a[i][k] * b[k][j];
    if (kept) {
        fragments.after = flat(d);
        recorder->keep_fragments(std::move(fragments));
    }
    for (int lane = 0; lane < 32; ++lane) {
        const Mma& m = *static_cast<const Mma*>(args[lane]);
        for (int i = 0; i < 4; ++i) m.d[i] = d[lane / 4 + 8 * (i >> 1)][lane % 4 * 2 + (i & 1)];
    }
}

void mma_m16n8k8_tf32(float* d, const uint32_t* a, const uint32_t* b, Where where) {
    Mma mine{d, a, b, where};
    if (recorder) recorder->note(TraceKind::mma, site_id(where));
    warp_collective(~0u, "mma.tf32", &mine, multiply_tf32, false, where);
}

}  // namespace atrous::gpu::emu
