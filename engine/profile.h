// A profile shows where a training step's time goes: spans by op, pass and layer, and the kernels inside them. While a
// Profiler lives, its thread's ops, backward passes and ProfileScopes are timed; without one each costs a test of a
// pointer.
//
// On the cpu a span is what its kernels and the code between them take. On a GPU kernels run after the call that
// launches them: spans there have times of both, the host's and the device's, the latter between two events on the
// stream.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/gpu/runtime.h"

namespace atrous {

class Context;

struct Span {
    std::string name = {};  // of the op, phase or kernel variant
    // forward, backward, optimizer, loader, upload, wait, …; step; kernel for what is inside
    std::string category = {};
    std::string module = {};                          // the layer's path
    std::string shapes = {};                          // "4x128x128x32, 64x3x3x32 -> 4x128x128x64"
    double bytes = 0;                                 // its values and their gradients, each read or written once
    double begin_us = 0, end_us = 0;                  // of the host, from the profiler's beginning
    double device_begin_us = -1, device_end_us = -1;  // -1: it ran nothing on a GPU
    size_t first = 0, last = 0;                       // the spans inside it: [first, last)
    bool inner = false;                               // inside another span than a step
};

class Profiler {
 public:
    Profiler();
    ~Profiler();
    Profiler(const Profiler&) = delete;
    Profiler& operator=(const Profiler&) = delete;
    static Profiler* current() { return current_; }  // of this thread, or null

    void finish_step();  // waits for the device and reads its times; call it where a step ends
    int64_t steps() const { return steps_; }
    const std::vector<Span>& spans() const { return spans_; }  // device times of finished steps

    // Chrome's trace format, which Perfetto opens: the host's track, and the GPU's where there is one.
    std::string chrome_trace() const;
    // Tabulates calls, milliseconds, share of the time until the last finished step, and GB/s by op and pass.
    std::string summary() const;

    // A forward op that has just been recorded: the kernels since the last op or scope are its own.
    void op_done(Span op);

 private:
    friend class KernelSpan;
    friend class ProfileScope;
    struct Pending {  // a kernel whose device time is not known yet
        size_t span;
        gpu::Event before, after;
    };
    double now_us() const;
    size_t open(Span span);
    void close(size_t span);
    void start_device_clock(gpu::StreamView stream);

    static inline thread_local Profiler* current_ = nullptr;
    double began_us_ = 0, finished_us_ = 0;
    int64_t steps_ = 0;
    std::vector<Span> spans_;
    std::vector<size_t> open_;  // scopes, the innermost last
    size_t unclaimed_ = 0;      // kernels from here on belong to the next op
    size_t resolved_ = 0;       // spans before have their device times
    std::vector<Pending> pending_;
    std::optional<gpu::Event> zero_;  // an event, and when the host saw it done
    double zero_us_ = 0;
};

// A kernel from its launch to the launch's return; Context::submit makes one.
class KernelSpan {
 public:
    explicit KernelSpan(Context& context) {
        if (Profiler::current()) begin(context);
    }
    ~KernelSpan() {
        if (state_) end();
    }
    KernelSpan(const KernelSpan&) = delete;
    KernelSpan& operator=(const KernelSpan&) = delete;

 private:
    struct State;
    void begin(Context& context);
    void end() noexcept;
    State* state_ = nullptr;
};

// Times what happens while it lives. `describe` gives name, category and what else is known; it runs under a profiler
// alone.
class ProfileScope {
 public:
    template <class F>
    explicit ProfileScope(const F& describe) {
        if ((profiler_ = Profiler::current())) span_ = profiler_->open(describe());
    }
    ProfileScope(const char* name, const char* category)
        : ProfileScope([=] { return Span{.name = name, .category = category}; }) {}
    ~ProfileScope() {
        if (profiler_) profiler_->close(span_);
    }
    ProfileScope(const ProfileScope&) = delete;
    ProfileScope& operator=(const ProfileScope&) = delete;

 private:
    Profiler* profiler_;
    size_t span_ = 0;
};

}  // namespace atrous
