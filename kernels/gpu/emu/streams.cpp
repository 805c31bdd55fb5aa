// In which order the work of streams is done; streams, copies and events.
#include "kernels/gpu/emu/streams.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>

#include "base/error.h"
#include "kernels/gpu/emu/internal.h"
#include "kernels/gpu/emu/launch.h"

namespace atrous::gpu {
namespace emu {

StreamState& state_of(StreamView stream, const char* call) {
    if (!stream.handle())
        throw GpuError("emulated GPU: " + std::string(call) + " needs a stream, and this StreamView is empty");
    return *static_cast<StreamState*>(stream.handle());
}

StreamState& current_state_of(StreamView stream, const char* call) {
    StreamState& s = state_of(stream, call);
    if (s.device != current_device())
        throw GpuError("emulated GPU: " + std::string(call) + " on a stream of device " + std::to_string(s.device) +
                       " while device " + std::to_string(current_device()) + " is current");
    return s;
}

// ---- order ----------------------------------------------------------------------------------------------------------
static std::vector<StreamState*>& busy_streams() {
    static auto& streams = *new std::vector<StreamState*>;
    return streams;
}

// One that runs ahead of the others for a while: so a wait that is missing shows.
static StreamState* favoured = nullptr;

static StreamState* choose_stream() {
    static std::mt19937_64 random;
    static uint64_t seed = 0;
    if (seed != options().seed + 1) random.seed(seed = options().seed + 1);
    std::vector<StreamState*> able;
    for (StreamState* s : busy_streams())
        if (s->pending.front().ready()) able.push_back(s);
    if (able.empty()) return nullptr;
    const bool stays = std::find(able.begin(), able.end(), favoured) != able.end() && random() % 16 != 0;
    if (!stays) favoured = able[random() % able.size()];
    return favoured;
}

static bool do_one() {
    StreamState* const s = choose_stream();
    if (!s) return false;
    const Work work = std::move(s->pending.front());
    s->pending.pop_front();
    if (s->pending.empty()) std::erase(busy_streams(), s);
    if (work.act) work.act();
    return true;
}

void work_until(const std::function<bool()>& done) {
    while (!done() && do_one()) {
    }
}
void finish_all_streams() {
    work_until([] { return false; });
}

void do_in_order(StreamState& stream, Work work) {
    if (!options().deferred) {
        finish_all_streams();  // of before the option changed
        if (work.act) work.act();
        return;
    }
    if (busy_streams().empty()) favoured = nullptr;
    if (stream.pending.empty()) busy_streams().push_back(&stream);
    stream.pending.push_back(std::move(work));
}

static void finish(StreamState& stream) {
    work_until([&] { return stream.pending.empty(); });
}

}  // namespace emu

// ---- streams --------------------------------------------------------------------------------------------------------
Stream::Stream() : handle_(new emu::StreamState{current_device(), {}, 0, {}}) {}
Stream::~Stream() {
    std::lock_guard lock(emu::device_mutex());
    auto* const s = static_cast<emu::StreamState*>(handle_);
    if (!s) return;
    try {
        emu::finish(*s);
    } catch (const std::exception& error) {
        emu::defer_error(error.what());
        s->pending.clear();
    }
    std::erase(emu::busy_streams(), s);
    delete s;
}

static std::atomic<uint64_t> waits{0};
uint64_t synchronizations() { return waits; }

void StreamView::synchronize() const {
    if (!handle_) return;
    ++waits;
    std::lock_guard lock(emu::device_mutex());
    auto& s = *static_cast<emu::StreamState*>(handle_);
    if (s.recording) throw GpuError("emulated GPU: synchronize of a stream while a graph is captured");
    emu::finish(s);
    emu::throw_deferred_error();
}

void synchronize_device() {
    ++waits;
    emu::refuse_while_capturing("synchronize_device");
    std::lock_guard lock(emu::device_mutex());
    const int device = current_device();
    emu::work_until([&] {
        const auto& busy = emu::busy_streams();
        return std::none_of(busy.begin(), busy.end(), [&](const auto* s) { return s->device == device; });
    });
    emu::throw_deferred_error();
}

// ---- copies and fills -----------------------------------------------------------------------------------------------
template <class F>
static emu::StreamState& submit_to(StreamView stream, const char* call, F work) {
    emu::throw_deferred_error();
    emu::StreamState& s = emu::current_state_of(stream, call);
    if (s.recording)
        s.recording->add(s.lane, std::move(work));
    else
        emu::do_in_order(s, {std::move(work), {}, 0});
    return s;
}

// Pageable memory is read before the call returns, and written before it returns, as CUDA does.
void copy_async(void* to, const void* from, size_t bytes, StreamView stream) {
    std::lock_guard lock(emu::device_mutex());
    const auto copy = [=] { emu::copy_now(to, from, bytes); };
    if (emu::state_of(stream, "copy_async").recording) {
        emu::require_replayable(to, bytes);
        emu::require_replayable(from, bytes);
    } else if (emu::options().deferred && emu::is_pageable(from, bytes)) {
        const auto* const begin = static_cast<const std::byte*>(from);
        emu::StreamState& s = submit_to(stream, "copy_async", [=, read = std::vector<std::byte>(begin, begin + bytes)] {
            emu::copy_now(to, read.data(), bytes);
        });
        if (emu::is_pageable(to, bytes)) emu::finish(s);
        return;
    }
    emu::StreamState& s = submit_to(stream, "copy_async", copy);
    if (!s.recording && emu::is_pageable(to, bytes)) emu::finish(s);
}
void fill_bytes_async(void* to, int byte, size_t bytes, StreamView stream) {
    std::lock_guard lock(emu::device_mutex());
    submit_to(stream, "fill_bytes_async", [=] { emu::fill_now(to, byte, bytes); });
}

// ---- events ---------------------------------------------------------------------------------------------------------
using EventHandle = std::shared_ptr<emu::EventState>;
static const EventHandle& event_of(void* handle) {
    if (!handle) throw GpuError("emulated GPU: an event that was moved from");
    return *static_cast<EventHandle*>(handle);
}

Event::Event() : handle_(new EventHandle(std::make_shared<emu::EventState>())) {
    event_of(handle_)->device = current_device();
}
Event::~Event() { delete static_cast<EventHandle*>(handle_); }

void Event::record(StreamView stream) {
    std::lock_guard lock(emu::device_mutex());
    const EventHandle& e = event_of(handle_);
    emu::StreamState& s = emu::current_state_of(stream, "Event::record");
    if (s.device != e->device)
        throw GpuError("emulated GPU: an event made on device " + std::to_string(e->device) +
                       " is recorded on a stream of device " + std::to_string(s.device));
    e->captured = s.recording;
    if (s.recording) {  // what waits for the event already is not concerned
        e->number = s.recording->record_event(s.lane);
        return;
    }
    const uint64_t turn = ++e->submitted;
    const auto reach = [e, turn] {
        e->reached = std::max(e->reached, turn);  // streams may come to their records in any order
        e->time = std::chrono::steady_clock::now();
    };
    emu::do_in_order(s, {reach, {}, 0});
}
void Event::synchronize() const {
    std::lock_guard lock(emu::device_mutex());
    const EventHandle& e = event_of(handle_);
    if (e->captured) throw GpuError("emulated GPU: synchronize of an event that a graph recorded");
    emu::work_until([&] { return e->reached == e->submitted; });
    emu::throw_deferred_error();
}
// Somebody who asks again and again sees the device get on.
bool Event::done() const {
    std::lock_guard lock(emu::device_mutex());
    const EventHandle& e = event_of(handle_);
    if (e->captured) throw GpuError("emulated GPU: query of an event that a graph recorded");
    if (e->reached < e->submitted) emu::do_one();
    return e->reached == e->submitted;
}
void Event::block(StreamView stream) const {
    std::lock_guard lock(emu::device_mutex());
    const EventHandle& e = event_of(handle_);
    emu::StreamState& s = emu::state_of(stream, "Event::block");
    if (e->captured && e->captured->open() && !s.recording) {  // it takes part in the capture from here on
        s.recording = e->captured;
        s.lane = s.recording->join(s);
    }
    if (e->captured ? e->captured != s.recording : s.recording && e->submitted)
        throw GpuError("emulated GPU: Event::block between a captured stream and another one");
    if (!s.recording)
        emu::do_in_order(s, {{}, e, e->submitted});
    else if (e->captured)
        s.recording->wait(s.lane, e->number);
}
float Event::ms_since(const Event& earlier) const {
    std::lock_guard lock(emu::device_mutex());
    const EventHandle &to = event_of(handle_), &from = event_of(earlier.handle_);
    for (const EventHandle& e : {to, from})
        if (!e->submitted || e->captured || e->reached < e->submitted)
            throw GpuError("emulated GPU: ms_since needs two recorded events that the host has waited for");
    if (to->device != from->device) throw GpuError("emulated GPU: ms_since of events of two devices");
    return std::chrono::duration<float, std::milli>(to->time - from->time).count();
}

}  // namespace atrous::gpu
