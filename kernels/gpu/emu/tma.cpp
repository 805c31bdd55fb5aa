// Tensor maps and copies of boxes. A load reads global memory where it is issued and lands when no thread can go on; a
// store reads shared memory there, and again at the wait, where it is done.
#include <cstring>

#include "kernels/gpu/emu/recorder.h"

namespace atrous::gpu {

TensorMap encode_tensor_map(const TensorMapDescription& d) {
    check_tensor_map(d);
    emu::EncodedMap e{};
    e.magic = emu::EncodedMap::mark;
    e.base = uint64_t(uintptr_t(d.base));
    e.rank = uint8_t(d.rank);
    e.bytes = uint8_t(element_bytes(d.element));
    e.swizzled = d.swizzle == TensorSwizzle::bytes128;
    for (size_t i = 0; i < size_t(d.rank); ++i) {
        if (i > 0) e.stride_bytes[i - 1] = d.stride_bytes[i];
        e.size[i] = d.size[i];
        e.box[i] = uint16_t(d.box[i]);
        e.step[i] = uint8_t(d.step[i]);
    }
    TensorMap map{};
    std::memcpy(&map, &e, sizeof e);
    return map;
}

namespace emu {

size_t EncodedMap::box_bytes() const {
    size_t n = row_bytes();
    for (int i = 1; i < rank; ++i) n *= extent(i);
    return n;
}

static EncodedMap decode(const TensorMap& map, int rank, const Where& where) {
    need_alignment(&map, 64, "a tensor map", where);
    EncodedMap e;
    std::memcpy(&e, &map, sizeof e);
    auto refuse = [&](std::string why) {
        why.insert(0, W->name() + ": ");
        fatal("tma", std::move(why), site_id(where));
    };
    if (e.magic != EncodedMap::mark) refuse("this is no tensor map; encode_tensor_map makes one");
    if (e.rank != rank)
        refuse(std::to_string(rank) + " indices for a tensor map of rank " + std::to_string(int(e.rank)));
    return e;
}

static void need_tile(const EncodedMap& e, const void* smem, const Where& where) {
    need_alignment(smem, e.swizzled ? 1024 : 128, e.swizzled ? "a swizzled box" : "a box", where);
    need_shared(smem, "a box", where);
}

// Pieces of 16 bytes change places within each 128 bytes, by the row among eight.
static size_t swizzled(const EncodedMap& e, size_t offset) {
    return e.swizzled ? offset ^ (offset >> 7 & 7) << 4 : offset;
}

// ---- loads ----------------------------------------------------------------------------------------------------------
void tma_load(const TensorMap& map, int rank, const int* at, void* smem, void* barrier, Where where) {
    Pause pause;
    need_hopper("tma_load", where);
    const EncodedMap e = decode(map, rank, where);
    need_tile(e, smem, where);
    MBarrierState& b = W->hopper.find(barrier, where);
    if (!b.fenced)
        fatal("mbarrier", W->name() + ": tma_load at an mbarrier that lacks a fence_mbarrier_init", site_id(where));
    if (recorder)
        recorder->note(TraceKind::box_load, site_id(where), uintptr_t(smem), uint32_t(e.box_bytes()),
                       recorder->box(e, at));
    // What is wrong ends this fiber where it stands, so nothing is allocated before all is known to be right.
    e.each_run(at, [&](size_t, const unsigned char* from, size_t n) {
        check_access(uintptr_t(from), n, Read | AsyncProxy, checked_site(where));
    });
    mark_in_flight(smem, e.box_bytes(), where, AsyncProxy);
    std::vector<unsigned char> box(e.box_bytes()), tile(box.size());
    e.each_run(at, [&](size_t offset, const unsigned char* from, size_t n) { std::memcpy(&box[offset], from, n); });
    for (size_t i = 0; i < box.size(); i += 16) std::memcpy(&tile[swizzled(e, i)], &box[i], 16);
    const unsigned tid = W->current->tid;
    W->hopper.start({smem, std::move(tile), barrier, b.phase, tid, checking ? W->clocks.now(tid) : 0, where});
    if (checking) W->clocks.advance(tid);
}

void Hopper::start(BoxLoad&& load) { loads_.push_back(std::move(load)); }

bool Hopper::land_one() {
    if (loads_.empty()) return false;
    const bool any = W->order == Options::Order::shuffled;
    const auto next = loads_.begin() + long(any ? W->shuffled.random() % loads_.size() : 0);
    const BoxLoad load = std::move(*next);
    loads_.erase(next);
    std::memcpy(load.to, load.bytes.data(), load.bytes.size());
    if (checking) mark_landed(load.to, load.bytes.size(), load.tid, load.clock, site_id(load.where), AsyncProxy);
    MBarrierState& b = barriers_.at(load.barrier);
    if (b.phase != load.phase) {
        report("mbarrier",
               "a tma_load of " + std::to_string(load.bytes.size()) +
                   " bytes ended after its phase had completed: fewer bytes were expected than were copied",
               site_id(load.where));
        return true;
    }
    b.bytes -= int64_t(load.bytes.size());
    if (checking) W->clocks.hand_over(load.tid, load.clock, b.arriving);
    complete_if_done(b);
    return true;
}

// ---- stores ---------------------------------------------------------------------------------------------------------
void tma_store(const TensorMap& map, int rank, const int* at, const void* smem, Where where) {
    Pause pause;
    need_hopper("tma_store", where);
    const EncodedMap e = decode(map, rank, where);
    need_tile(e, smem, where);
    check_access(uintptr_t(smem), e.box_bytes(), Read | AsyncProxy, checked_site(where));
    const auto* from = static_cast<const unsigned char*>(smem);
    if (recorder)
        recorder->note(TraceKind::box_store, site_id(where), uintptr_t(smem), uint32_t(e.box_bytes()),
                       recorder->box(e, at));
    BoxStore s{map, {}, smem, {from, from + e.box_bytes()}, false, where};
    std::copy(at, at + rank, s.at.begin());
    W->hopper.of(*W->current).stores.push_back(std::move(s));
}

void tma_store_commit() {
    Pause pause;
    HopperThread& t = W->hopper.of(*W->current);
    t.store_groups.push_back(t.stores.size());
}

static void read_again(BoxStore& s) {
    if (s.read) return;
    s.read = true;
    check_access(uintptr_t(s.from), s.bytes.size(), Read | AsyncProxy, checked_site(s.where));
    if (std::memcmp(s.from, s.bytes.data(), s.bytes.size()) != 0)
        report("tma", W->name() + ": shared memory changed while a tma_store was reading it", site_id(s.where));
}

static void write(const BoxStore& s) {
    EncodedMap e;
    std::memcpy(&e, &s.map, sizeof e);
    e.each_run(s.at.data(), [&](size_t, unsigned char* to, size_t n) {
        check_access(uintptr_t(to), n, Write | AsyncProxy, checked_site(s.where));
    });
    std::vector<unsigned char> box(s.bytes.size());
    for (size_t i = 0; i < box.size(); i += 16) std::memcpy(&box[i], &s.bytes[swizzled(e, i)], 16);
    e.each_run(s.at.data(), [&](size_t offset, unsigned char* to, size_t n) { std::memcpy(to, &box[offset], n); });
}

void tma_store_wait(unsigned pending, bool read_only, Where where) {
    Pause pause;
    need_hopper("tma_store_wait", where);
    HopperThread& t = W->hopper.of(*W->current);
    if (t.store_groups.size() <= pending) return;
    const size_t n = t.store_groups[t.store_groups.size() - 1 - pending];
    for (size_t i = 0; i < n; ++i) read_again(t.stores[i]);
    if (read_only) return;
    for (size_t i = 0; i < n; ++i) write(t.stores[i]);
    t.stores.erase(t.stores.begin(), t.stores.begin() + long(n));
    t.store_groups.erase(t.store_groups.begin(), t.store_groups.end() - long(pending));
    for (size_t& g : t.store_groups) g -= n;
}

void finish_stores(HopperThread& t) {
    for (const BoxStore& s : t.stores)
        if (s.read) write(s);
    t.stores.clear();
}

}  // namespace emu
}  // namespace atrous::gpu
