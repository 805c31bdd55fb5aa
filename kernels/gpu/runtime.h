// The GPU as this project sees it: devices, memory, streams, events and graphs. One interface, two platforms:
// kernels/gpu/cuda (CUDA toolkit) and kernels/gpu/emu (every CUDA thread a fiber on the host). A binary holds one.
// Every failure throws GpuError with the runtime's own words; destructors never throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace atrous::gpu {

enum class Platform { cuda, emulated };
Platform platform();

struct DeviceInfo {
    std::string name;
    int major = 0, minor = 0;  // compute capability
    int multiprocessors = 0;
    size_t memory_bytes = 0;
    size_t l2_bytes = 0;
};

// Usable devices; 0 leaves the reason in *why (no driver, ...). Of emulated ones there is one unless more are asked for.
int device_count(std::string* why = nullptr);
DeviceInfo device_info(int device);
int capability();        // of the current device, as 10 * major + minor, asked for once; 0: there is no device
std::string versions();  // "CUDA runtime 13.0, driver 13.1", or "emulated"
void set_device(int device);
int current_device();
void synchronize_device();
size_t free_memory_bytes();
// How often the host waited for a stream or the device, since the program began: a steady training step does not.
uint64_t synchronizations();

// A stream someone else owns. Default-constructed: no stream (the cpu).
class StreamView {
 public:
    StreamView() = default;
    explicit StreamView(void* handle) : handle_(handle) {}
    // Work handed to this stream is dropped: a kernel's host part runs, for what it asks of its Queue, and nothing
    // else.
    static StreamView dry_run() { return StreamView(&dry_run_mark_); }
    bool is_dry_run() const { return handle_ == &dry_run_mark_; }
    void* handle() const { return handle_; }
    void synchronize() const;

 private:
    static char dry_run_mark_;  // its address
    void* handle_ = nullptr;
};

class Stream {
 public:
    Stream();  // on the current device; does not synchronize with the default stream
    ~Stream();
    Stream(Stream&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Stream& operator=(Stream&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    StreamView view() const { return StreamView(handle_); }

 private:
    void* handle_ = nullptr;
};

class Event {
 public:
    Event();
    ~Event();
    Event(Event&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Event& operator=(Event&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    void record(StreamView stream);
    void synchronize() const;  // the host waits
    bool done() const;
    void block(StreamView stream) const;  // later work of the stream waits
    float ms_since(const Event& earlier) const;

 private:
    void* handle_ = nullptr;
};

// Raw device memory, aligned to 256 bytes. In the emulated platform every block stands between red zones, is filled with
// NaN bytes, and remembers (in the checking build) which bytes were ever written.
void* allocate(size_t bytes);
void release(void* p) noexcept;
// Host memory that copies can read or write asynchronously.
void* allocate_pinned(size_t bytes);
void release_pinned(void* p) noexcept;

// Between any two of host and device memory; in stream order. Pageable host memory may make the host wait.
void copy_async(void* to, const void* from, size_t bytes, StreamView stream);
void fill_bytes_async(void* to, int byte, size_t bytes, StreamView stream);

// A recorded sequence of launches, copies and fills, replayed as one.
class Graph {
 public:
    // Runs `submit`, whose work on `stream` is recorded and not executed. No allocation or query may happen inside.
    static Graph capture(StreamView stream, const std::function<void()>& submit);
    ~Graph();
    Graph(Graph&&) noexcept;
    Graph& operator=(Graph&&) noexcept;
    void launch(StreamView stream);
    size_t nodes() const;

 private:
    struct Impl;
    explicit Graph(std::unique_ptr<Impl>);
    std::unique_ptr<Impl> impl_;
};

}  // namespace atrous::gpu
