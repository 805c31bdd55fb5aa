// Streams and events of the emulator. Work is done when it is submitted, or, with Options::deferred, waits in its
// stream until somebody waits for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/gpu/emu/recording.h"
#include "kernels/gpu/runtime.h"

namespace atrous::gpu::emu {

struct EventState {
    int device = 0;
    uint64_t submitted = 0, reached = 0;       // how often it was recorded, and which of these the stream has come to
    std::shared_ptr<Recording> captured = {};  // where it was recorded last, if while a graph was captured
    size_t number = 0;                         // of the event there
    std::chrono::steady_clock::time_point time{};
};

struct Work {
    std::function<void()> act;          // empty: it only waits
    std::shared_ptr<EventState> event;  // to wait for, where there is one
    uint64_t turn = 0;                  // of the event
    bool ready() const { return !event || event->reached >= turn; }
};

struct StreamState {
    int device = 0;
    std::shared_ptr<Recording> recording = {};  // while a graph is captured
    size_t lane = 0;                            // there
    std::deque<Work> pending;
};

StreamState& state_of(StreamView stream, const char* call);
// The same, of work that CUDA takes only where the stream's device is current.
StreamState& current_state_of(StreamView stream, const char* call);

// Does it now, or puts it behind what the stream has to do. device_mutex() is held.
void do_in_order(StreamState& stream, Work work);
// Work of the streams, in a random order that they and their events allow, until `done` or until nothing is left.
void work_until(const std::function<bool()>& done);
void finish_all_streams();

}  // namespace atrous::gpu::emu
