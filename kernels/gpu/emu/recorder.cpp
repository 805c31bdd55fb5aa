#include "kernels/gpu/emu/recorder.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace atrous::gpu::emu {

Recorder* recorder = nullptr;
bool hooked = false;

constexpr size_t widest_access = 16;

Recorder::Recorder(const std::vector<TraceBuffer>& named, const TraceOptions& options) : options_(options) {
    for (const TraceBuffer& b : named) add_buffer(b);
    const TraceBuffer shared{.role = "shared", .element_bytes = 4};
    dynamic_ = int32_t(trace_.buffers.size());
    statics_ = dynamic_ + 1;
    trace_.buffers.push_back(shared);
    trace_.buffers.push_back(shared);
    trace_.buffers[size_t(dynamic_)].name = "dynamic shared memory";
    trace_.buffers[size_t(statics_)].name = "static shared memory";
    touched_.resize(trace_.buffers.size());
}

// ---- launches and blocks --------------------------------------------------------------------------------------------
void Recorder::start_launch(const Launch& l) {
    trace_.launches.emplace_back();
    launch_ = &trace_.launches.back();
    launch_->kernel = kernel_name(l.call.kernel);
    const auto put = [](unsigned* to, const dim3& d) { to[0] = d.x, to[1] = d.y, to[2] = d.z; };
    put(launch_->grid, l.call.grid);
    put(launch_->block, l.call.block);
    launch_->shared_bytes = l.call.smem_bytes;
    auto& shared = trace_.buffers[size_t(dynamic_)];
    shared.bytes = std::max<uint64_t>(shared.bytes, l.call.smem_bytes);
    warps_.resize((l.call.block.x * l.call.block.y * l.call.block.z + 31) / 32);
    chosen_.clear();
    const uint64_t wanted = std::min<uint64_t>(options_.blocks, l.blocks);
    for (uint64_t i = 0; i < wanted; ++i)  // the first two, then evenly up to the last
        chosen_.push_back(i < 2 || wanted == l.blocks ? i : i * (l.blocks - 1) / (wanted - 1));
    launch_->blocks.reserve(chosen_.size());
}

// The offsets of __shared__ variables begin at this kernel's lowest one, not where those of the whole program do.
void Recorder::rebase_statics() {
    constexpr uint64_t line = banks * bank_bytes;
    uint64_t low = ~uint64_t(0), high = 0;
    const auto each = [&](auto f) {
        for (TraceBlock& b : launch_->blocks)
            for (TraceRow& r : b.rows)
                if (r.buffer == statics_) f(r);
    };
    each([&](TraceRow& r) {
        const auto& offsets = trace_.patterns[r.pattern];
        const int64_t first = std::min(*std::min_element(offsets.begin(), offsets.end()), 0);
        const int64_t last =
            offsets.size() == 1 ? int64_t(offsets[0]) * 31 : *std::max_element(offsets.begin(), offsets.end());
        low = std::min(low, r.base + uint64_t(first));
        high = std::max(high, r.base + uint64_t(std::max<int64_t>(last, 0)) + r.bytes);
    });
    if (high == 0) return;
    low = low / line * line;
    each([&](TraceRow& r) { r.base -= low; });
    static_bytes_ = std::max(static_bytes_, high - low);
}

void Recorder::finish_launch() {
    rebase_statics();
    kept_ = nullptr;
    launch_ = nullptr;
}

void Recorder::start_block(uint64_t block) {
    kept_ = nullptr;
    for (Lanes& lanes : warps_)
        for (auto& events : lanes) events.clear();
    if (std::find(chosen_.begin(), chosen_.end(), block) == chosen_.end()) return;
    const auto& g = launch_->grid;
    launch_->blocks.push_back(
        {unsigned(block % g[0]), unsigned(block / g[0] % g[1]), unsigned(block / g[0] / g[1]), {}});
    kept_ = &launch_->blocks.back();
}

// ---- events ---------------------------------------------------------------------------------------------------------
void Recorder::access(uintptr_t a, size_t bytes, unsigned access, uint32_t site) {
    const Region* const r = find_region(a);
    if (!r) return;  // a constant, or another thread's variables in a warp operation
    const bool global = r->kind == Region::Kind::global;
    const TraceKind kind = access & Atomic  ? (global ? TraceKind::atomic : TraceKind::shared_atomic)
                           : access & Write ? (global ? TraceKind::store : TraceKind::shared_store)
                                            : (global ? TraceKind::load : TraceKind::shared_load);
    for (size_t i = 0; i < bytes; i += widest_access)  // no instruction moves more
        note(kind, site, a + i, uint32_t(std::min(bytes - i, widest_access)));
}

void Recorder::note(TraceKind kind, uint32_t site, uintptr_t address, uint32_t bytes, uint32_t extra) {
    const unsigned tid = W->current->tid;
    warps_[tid / 32][tid % 32].push_back({address, site, bytes, extra, kind});
}

void Recorder::block_barrier(uint32_t site) {
    meet_all();
    ++launch_->counters.block_barriers;
    ++launch_->by_site[site_index(site)].block_barriers;
}

void Recorder::meet_all() {
    for (unsigned warp = 0; warp < warps_.size(); ++warp) meet(warp);
}

uint32_t Recorder::site_index(uint32_t site) {
    const auto [at, fresh] = site_of_.try_emplace(site, uint32_t(site_ids_.size()));
    if (fresh) {
        site_ids_.push_back(site);
        pairings_.emplace_back();
    }
    return at->second;
}

// ---- instructions of a warp -----------------------------------------------------------------------------------------
// Requests are a list in an order that every lane agrees with: what a lane does behind a request stands behind it. Entry 0
// is its head.
void Recorder::pair_lane(const std::vector<Event>& events, unsigned lane) {
    uint32_t cursor = 0;
    std::vector<uint32_t> met;  // sites whose executions were counted for this lane
    for (uint32_t i = 0; i < events.size(); ++i) {
        const uint32_t site = site_index(events[i].site);
        Pairing& p = pairings_[site];
        if (p.round != round_) {
            p.round = round_;
            p.requests.clear();
            p.of_round = ~0u;
        }
        if (p.of_round != lane) {
            p.of_round = lane;
            p.executions = 0;
        }
        const uint32_t k = p.executions++;
        if (k == p.requests.size()) {
            Request r;
            r.site = site;
            r.kind = events[i].kind;
            r.next = requests_[cursor].next;
            const auto index = uint32_t(requests_.size());
            requests_[cursor].next = index;
            requests_.push_back(r);
            p.requests.push_back(index);
        }
        cursor = p.requests[k];
        Request& r = requests_[cursor];
        r.mask |= 1u << lane;
        r.event[lane] = i;
    }
}

void Recorder::meet(unsigned warp) {
    Lanes& lanes = warps_[warp];
    ++round_;
    requests_.assign(1, {});
    for (unsigned lane = 0; lane < 32; ++lane) pair_lane(lanes[lane], lane);
    for (uint32_t i = requests_[0].next; i; i = requests_[i].next) finish_request(warp, requests_[i], lanes);
    for (auto& events : lanes) events.clear();
}

void Recorder::finish_request(unsigned warp, const Request& r, const Lanes& lanes) {
    std::vector<LaneAccess> at;
    uint32_t extra = 0, zero_filled = 0;
    for (uint32_t rest = r.mask; rest; rest &= rest - 1) {
        const auto lane = unsigned(std::countr_zero(rest));
        const Event& e = lanes[lane][r.event[lane]];
        at.push_back({e.address, lane, e.bytes});
        extra = e.extra;
        zero_filled += r.kind == TraceKind::async_write && e.extra;
    }
    if (r.kind == TraceKind::async_write) extra = 0;  // the row before it says which lanes read
    if (r.kind == TraceKind::mma) extra = std::exchange(latest_fragments_, 0);
    count(launch_->counters, r, at, zero_filled);
    count(launch_->by_site[r.site], r, at, zero_filled);
    if (r.kind <= TraceKind::atomic || r.kind == TraceKind::async_copy)
        for (const LaneAccess& a : at) touch(a.address, a.bytes);
    if (kept_) keep(warp, r, at, extra);
}

void Recorder::count(KernelCounters& c, const Request& r, const std::vector<LaneAccess>& at, uint32_t zero_filled) {
    using K = TraceKind;
    const auto memory = [&] {
        ++c.memory_instructions;
        c.inactive_lanes += 32 - at.size();
    };
    const auto global = [&](GlobalCounters& g) { g.add(global_request(at.data(), at.size())), memory(); };
    const auto shared = [&](SharedCounters& s) { s.add(shared_request(at.data(), at.size())), memory(); };
    const auto atomics = [&] {
        c.atomics += at.size();
        c.most_on_one_address = std::max<uint64_t>(c.most_on_one_address, most_on_one_address(at.data(), at.size()));
    };
    switch (r.kind) {
        case K::load:
            return global(c.load);
        case K::store:
            return global(c.store);
        case K::atomic:
            return global(c.atomic), atomics();
        case K::shared_load:
            return shared(c.shared_load);
        case K::shared_store:
            return shared(c.shared_store);
        case K::shared_atomic:
            return shared(c.shared_atomic), atomics();
        case K::async_copy:
            return c.async_copy.add(global_request(at.data(), at.size()));
        case K::async_write:
            return shared(c.shared_async_copy), void(c.zero_filled_lanes += zero_filled);
        case K::ldmatrix:
            return shared(c.ldmatrix);
        case K::mma:
            ++c.mma;
            return;
        case K::wgmma:
            ++c.wgmma;
            return;
        case K::named_barrier:
            ++c.named_barriers;
            return;
        case K::warp_barrier:
            ++c.warp_barriers;
            return;
        case K::shuffle:
            ++c.shuffles;
            return;
        case K::vote:
            ++c.votes;
            return;
        case K::mbarrier_init:
        case K::mbarrier_arrive:
        case K::mbarrier_wait:
            ++c.mbarrier_operations;
            return;
        case K::box_load:
            ++c.box_loads, c.box_load_bytes += at[0].bytes;
            return;
        case K::box_store:
            ++c.box_stores, c.box_store_bytes += at[0].bytes;
            return;
        default:
            return;
    }
}

// ---- what is kept ---------------------------------------------------------------------------------------------------
uint32_t Recorder::pattern(std::vector<int32_t> offsets) {
    const int32_t step = offsets.size() > 1 ? offsets[1] : 0;
    bool even = true;
    for (size_t i = 0; i < offsets.size(); ++i) even = even && offsets[i] == int32_t(i) * step;
    if (even) offsets = {step};
    const auto [at, fresh] = patterns_.try_emplace(std::move(offsets), uint32_t(trace_.patterns.size()));
    if (fresh) trace_.patterns.push_back(at->first);
    return at->second;
}

void Recorder::keep(unsigned warp, const Request& r, const std::vector<LaneAccess>& at, uint32_t extra) {
    if (rows_ >= options_.most_rows) {
        ++launch_->rows_left_out;
        return;
    }
    TraceRow row{r.kind, false, uint16_t(warp), r.site, r.mask, -1, 0, 0, 0, extra};
    if (!at[0].address) {
        ++rows_;
        kept_->rows.push_back(row);
        return;
    }
    for (uint32_t rest = r.mask; rest;) {  // the lanes of one buffer after those of another
        row.mask = 0;
        row.buffer = -1;
        std::vector<int32_t> offsets;
        for (const LaneAccess& a : at) {
            if (!(rest >> a.lane & 1)) continue;
            const int32_t buffer = buffer_of(a.address);
            const uint64_t offset = a.address - trace_.buffers[size_t(buffer)].address;
            if (!row.mask) row.buffer = buffer, row.base = offset, row.bytes = a.bytes;
            if (buffer != row.buffer) continue;
            row.mask |= 1u << a.lane;
            row.bytes = std::max(row.bytes, a.bytes);
            offsets.push_back(int32_t(int64_t(offset) - int64_t(row.base)));
        }
        rest &= ~row.mask;
        row.pattern = pattern(std::move(offsets));
        ++rows_;
        kept_->rows.push_back(row);
        row.joined = true;
    }
}

void Recorder::keep_fragments(TraceFragments&& f) {
    trace_.fragments.push_back(std::move(f));
    latest_fragments_ = uint32_t(trace_.fragments.size());
}

uint32_t Recorder::product(const TraceProduct& p) {
    const std::string key = p.type + " " + std::to_string(p.n) + " " + std::to_string(p.a_offset) + " " +
                            std::to_string(p.b_offset) + " " +
                            std::to_string(p.a_mn_major + 2 * p.b_mn_major + 4 * p.accumulates);
    const auto [at, fresh] = products_.try_emplace(key, uint32_t(trace_.products.size()));
    if (fresh) trace_.products.push_back(p);
    return at->second + 1;
}

uint32_t Recorder::box(const EncodedMap& map, const int* at) {
    map.each_run(at, [&](size_t, const unsigned char* from, size_t n) { touch(uintptr_t(from), n); });
    if (!kept_) return 0;
    TraceBox b{buffer_of(map.base), {}, {}, {}, map.swizzled != 0, uint32_t(map.box_bytes())};
    for (unsigned i = 0; i < map.rank; ++i) {
        b.at.push_back(at[i]);
        b.box.push_back(i ? map.extent(int(i)) : map.box[0]);
        b.step.push_back(i ? map.step[i] : 1);
    }
    trace_.boxes.push_back(std::move(b));
    return uint32_t(trace_.boxes.size());
}

// ---- buffers --------------------------------------------------------------------------------------------------------
int32_t Recorder::add_buffer(TraceBuffer b) {
    const auto index = int32_t(trace_.buffers.size());
    buffers_[b.address] = index;
    trace_.buffers.push_back(std::move(b));
    touched_.resize(trace_.buffers.size());
    return index;
}

int32_t Recorder::buffer_of(uintptr_t a) {
    const auto holds = [&](int32_t i) {
        const TraceBuffer& b = trace_.buffers[size_t(i)];
        return a - b.address < b.bytes;
    };
    if (recent_buffer_ >= 0 && holds(recent_buffer_)) return recent_buffer_;
    if (W->dynamic.holds(a) || W->statics.holds(a)) {
        const bool dynamic = W->dynamic.holds(a);
        TraceBuffer& b = trace_.buffers[size_t(dynamic ? dynamic_ : statics_)];
        b.address = dynamic ? W->dynamic.low : W->statics.low;
        b.bytes = std::max<uint64_t>(b.bytes, dynamic ? W->dynamic.size : W->statics.size);
        return dynamic ? dynamic_ : statics_;
    }
    const auto after = buffers_.upper_bound(a);
    if (after != buffers_.begin() && holds(std::prev(after)->second)) return recent_buffer_ = std::prev(after)->second;
    const Region* const r = find_global(a);
    const size_t number = trace_.buffers.size();
    return recent_buffer_ = add_buffer({.name = "scratch " + std::to_string(number),
                                        .role = "scratch",
                                        .element_bytes = 4,
                                        .bytes = r ? r->size : 1,
                                        .address = r ? r->low : a});
}

void Recorder::touch(uintptr_t a, size_t bytes) {
    const auto index = size_t(buffer_of(a));
    TraceBuffer& b = trace_.buffers[index];
    auto& sectors = touched_[index];
    const uint64_t offset = a - b.address / sector_bytes * sector_bytes;
    for (uint64_t s = offset / sector_bytes; s <= (offset + bytes - 1) / sector_bytes; ++s) {
        if (s >= sectors.size()) sectors.resize(s + 1);
        if (sectors[s]) continue;
        sectors[s] = true;
        ++b.touched_sectors;
    }
}

Trace Recorder::finish() {
    trace_.buffers[size_t(statics_)].bytes = static_bytes_;
    trace_.sites = places_of(site_ids_);
    trace_.sources = sources_of(trace_.sites);
    return std::move(trace_);
}

}  // namespace atrous::gpu::emu

namespace atrous::gpu {

bool can_trace(std::string* why) {
    const bool can = emu::hooked && !emu::checking;
    if (why) *why = can ? "" : "this program's kernels were compiled without the hooks of the recorder";
    return can;
}

Trace record_kernels(const std::vector<TraceBuffer>& named, const TraceOptions& options,
                     const std::function<void()>& work) {
    std::string why;
    if (!can_trace(&why)) throw GpuError("emulated GPU: " + why);
    if (emu::recorder) throw GpuError("emulated GPU: a recording within a recording");
    synchronize_device();
    emu::ScopedOptions emulated;
    emulated->deferred = false;
    emu::Recorder mine(named, options);
    struct Scope {
        ~Scope() { emu::recorder = nullptr; }
    } scope;
    emu::recorder = &mine;
    work();
    synchronize_device();
    return mine.finish();
}

}  // namespace atrous::gpu
