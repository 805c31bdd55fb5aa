// Devices, launches and graphs.
#include "kernels/gpu/runtime.h"

#include <unistd.h>

#include <cstring>
#include <vector>

#include "base/error.h"
#include "kernels/gpu/emu/internal.h"
#include "kernels/gpu/emu/launch.h"
#include "kernels/gpu/emu/streams.h"

namespace atrous::gpu {

static thread_local int captures = 0;

void emu::refuse_while_capturing(const char* call) {
    if (captures) throw GpuError("emulated GPU: " + std::string(call) + " while a graph is captured");
}

void emu::submit(const Call& call, StreamView stream) {
    std::lock_guard lock(device_mutex());
    throw_deferred_error();
    StreamState& s = current_state_of(stream, "launch");
    if (!s.recording && !options().deferred) {
        finish_all_streams();
        return run(call, s.device);
    }
    struct alignas(64) Block {  // a TensorMap inside is aligned so
        unsigned char bytes[64];
    };
    std::vector<Block> args(call.args_bytes / sizeof(Block) + 1);
    std::memcpy(args.data(), call.args, call.args_bytes);
    const auto later = [call, args = std::move(args), device = s.device] {
        Call replay = call;
        replay.args = args.data();
        run(replay, device);
    };
    if (s.recording)
        s.recording->add(s.lane, later);
    else
        do_in_order(s, {later, {}, 0});
}

// ---- devices --------------------------------------------------------------------------------------------------------
static thread_local int current = 0;

Platform platform() { return Platform::emulated; }
int device_count(std::string* why) {
    if (why) why->clear();
    return emu::options().devices;
}
static void require_device(int device) {
    const int count = device_count();
    if (device < 0 || device >= count)
        throw GpuError("emulated GPU: there " +
                       (count == 1 ? "is one device, 0" : "are " + std::to_string(count) + " devices, from 0") + "; " +
                       std::to_string(device) + " was asked for");
}
void set_device(int device) {
    require_device(device);
    current = device;
}
int current_device() { return current; }

static size_t pages(int name) { return size_t(sysconf(name)) * size_t(sysconf(_SC_PAGESIZE)); }
DeviceInfo device_info(int device) {
    require_device(device);
    DeviceInfo d;
    d.name = "emulated GPU";
    d.major = emu::options().capability / 10;
    d.minor = emu::options().capability % 10;
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

// ---- graphs ---------------------------------------------------------------------------------------------------------
struct Graph::Impl {
    std::shared_ptr<emu::Recording> work = std::make_shared<emu::Recording>();
    std::vector<Stream> lanes = {};  // of work that another stream than the one that launches it does
};
Graph::Graph(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

Graph Graph::capture(StreamView stream, const std::function<void()>& submit) {
    emu::StreamState& s = emu::current_state_of(stream, "Graph::capture");
    if (s.recording) throw GpuError("emulated GPU: this stream is being captured already");
    auto impl = std::make_unique<Impl>();
    struct Capturing {
        emu::StreamState& s;
        Capturing(emu::StreamState& s, std::shared_ptr<emu::Recording> into) : s(s) {
            s.recording = std::move(into);
            s.lane = 0;
            ++captures;
        }
        ~Capturing() {
            s.recording->end();
            s.recording.reset();
            --captures;
        }
    } capturing(s, impl->work);
    submit();
    impl->work->close();
    return Graph(std::move(impl));
}
void Graph::launch(StreamView stream) {
    std::lock_guard lock(emu::device_mutex());
    emu::throw_deferred_error();
    emu::StreamState& s = emu::current_state_of(stream, "Graph::launch");
    if (s.recording)
        s.recording->add(s.lane, *impl_->work);
    else if (emu::options().deferred)
        impl_->work->submit(s, impl_->lanes);
    else
        impl_->work->run();
}
size_t Graph::nodes() const { return impl_->work->nodes(); }

}  // namespace atrous::gpu
