// Devices, streams, events and graphs. Streams are synchronous: work is done when it is submitted, in the order of
// submission, whichever stream it is on.
#include "kernels/gpu/runtime.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <vector>

#include "base/error.h"
#include "kernels/gpu/emu/internal.h"
#include "kernels/gpu/emu/launch.h"

namespace atrous::gpu {

using Recording = std::vector<std::function<void()>>;

namespace {

struct StreamState {
    Recording* recording = nullptr;  // while a graph is captured
};
struct EventState {
    std::chrono::steady_clock::time_point time{};
    bool recorded = false, captured = false;
};

thread_local int captures = 0;

StreamState& state_of(StreamView stream, const char* call) {
    if (!stream.handle())
        throw GpuError("emulated GPU: " + std::string(call) + " needs a stream, and this StreamView is empty");
    return *static_cast<StreamState*>(stream.handle());
}

template <class F>
void submit_to(StreamView stream, const char* call, F work) {
    std::lock_guard lock(emu::device_mutex());
    emu::throw_deferred_error();
    StreamState& s = state_of(stream, call);
    if (s.recording)
        s.recording->push_back(std::move(work));
    else
        work();
}

EventState& event_of(void* handle) {
    if (!handle) throw GpuError("emulated GPU: an event that was moved from");
    return *static_cast<EventState*>(handle);
}

}  // namespace

void emu::refuse_while_capturing(const char* call) {
    if (captures) throw GpuError("emulated GPU: " + std::string(call) + " while a graph is captured");
}

void emu::submit(const Call& call, StreamView stream) {
    std::lock_guard lock(device_mutex());
    throw_deferred_error();
    StreamState& s = state_of(stream, "launch");
    if (!s.recording) return run(call);
    std::vector<std::max_align_t> args(call.args_bytes / sizeof(std::max_align_t) + 1);
    std::memcpy(args.data(), call.args, call.args_bytes);
    s.recording->push_back([call, args = std::move(args)] {
        Call replay = call;
        replay.args = args.data();
        run(replay);
    });
}

// ---- devices --------------------------------------------------------------------------------------------------------
Platform platform() { return Platform::emulated; }
int device_count(std::string* why) {
    if (why) why->clear();
    return 1;
}
void set_device(int device) {
    if (device != 0)
        throw GpuError("emulated GPU: there is one device, 0; " + std::to_string(device) + " was asked for");
}
int current_device() { return 0; }

static size_t pages(int name) { return size_t(sysconf(name)) * size_t(sysconf(_SC_PAGESIZE)); }
DeviceInfo device_info(int device) {
    set_device(device);
    DeviceInfo d;
    d.name = "emulated GPU";
    d.major = 8;  // has mma, ldmatrix and cp.async
    d.multiprocessors = 4;
    d.memory_bytes = pages(_SC_PHYS_PAGES);
    d.l2_bytes = 1 << 20;
    return d;
}
std::string versions() { return "emulated"; }
size_t free_memory_bytes() {
    emu::refuse_while_capturing("free_memory_bytes");
    return pages(_SC_AVPHYS_PAGES);
}
static std::atomic<uint64_t> waits{0};
uint64_t synchronizations() { return waits; }

void synchronize_device() {
    ++waits;
    emu::refuse_while_capturing("synchronize_device");
    emu::throw_deferred_error();
}

// ---- streams --------------------------------------------------------------------------------------------------------
Stream::Stream() : handle_(new StreamState) {}
Stream::~Stream() { delete static_cast<StreamState*>(handle_); }

void StreamView::synchronize() const {
    if (!handle_) return;
    ++waits;
    if (static_cast<StreamState*>(handle_)->recording)
        throw GpuError("emulated GPU: synchronize of a stream while a graph is captured");
    emu::throw_deferred_error();
}

void copy_async(void* to, const void* from, size_t bytes, StreamView stream) {
    if (state_of(stream, "copy_async").recording) {
        std::lock_guard lock(emu::device_mutex());
        emu::require_replayable(to, bytes);
        emu::require_replayable(from, bytes);
    }
    submit_to(stream, "copy_async", [=] { emu::copy_now(to, from, bytes); });
}
void fill_bytes_async(void* to, int byte, size_t bytes, StreamView stream) {
    submit_to(stream, "fill_bytes_async", [=] { emu::fill_now(to, byte, bytes); });
}

// ---- events ---------------------------------------------------------------------------------------------------------
Event::Event() : handle_(new EventState) {}
Event::~Event() { delete static_cast<EventState*>(handle_); }

void Event::record(StreamView stream) {
    EventState& e = event_of(handle_);
    e.captured = state_of(stream, "Event::record").recording != nullptr;
    e.recorded = true;
    e.time = std::chrono::steady_clock::now();
}
void Event::synchronize() const {
    if (event_of(handle_).captured) throw GpuError("emulated GPU: synchronize of an event that a graph recorded");
    emu::throw_deferred_error();
}
bool Event::done() const {
    if (event_of(handle_).captured) throw GpuError("emulated GPU: query of an event that a graph recorded");
    return true;
}
void Event::block(StreamView stream) const {
    const bool capturing = state_of(stream, "Event::block").recording != nullptr;
    if (event_of(handle_).captured != capturing && event_of(handle_).recorded)
        throw GpuError("emulated GPU: Event::block between a captured stream and another one");
}
float Event::ms_since(const Event& earlier) const {
    const EventState &to = event_of(handle_), &from = event_of(earlier.handle_);
    if (!to.recorded || !from.recorded || to.captured || from.captured)
        throw GpuError("emulated GPU: ms_since needs two recorded events");
    return std::chrono::duration<float, std::milli>(to.time - from.time).count();
}

// ---- graphs ---------------------------------------------------------------------------------------------------------
struct Graph::Impl {
    Recording work;
};
Graph::Graph(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

Graph Graph::capture(StreamView stream, const std::function<void()>& submit) {
    StreamState& s = state_of(stream, "Graph::capture");
    if (s.recording) throw GpuError("emulated GPU: this stream is being captured already");
    auto impl = std::make_unique<Impl>();
    struct Capturing {
        StreamState& s;
        Capturing(StreamState& s, Recording* into) : s(s) {
            s.recording = into;
            ++captures;
        }
        ~Capturing() {
            s.recording = nullptr;
            --captures;
        }
    } capturing(s, &impl->work);
    submit();
    return Graph(std::move(impl));
}
void Graph::launch(StreamView stream) {
    std::lock_guard lock(emu::device_mutex());
    emu::throw_deferred_error();
    StreamState& s = state_of(stream, "Graph::launch");
    if (s.recording)
        s.recording->insert(s.recording->end(), impl_->work.begin(), impl_->work.end());
    else
        for (auto& work : impl_->work) work();
}
size_t Graph::nodes() const { return impl_->work.size(); }

}  // namespace atrous::gpu
