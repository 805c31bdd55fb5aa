#include "engine/profile.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/variant.h"
#include "engine/context.h"

namespace atrous {

static double steady_us() {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Profiler::Profiler() : began_us_(steady_us()) {
    if (current_) throw Error("a profiler runs already on this thread");
    current_ = this;
}
Profiler::~Profiler() { current_ = nullptr; }

double Profiler::now_us() const { return steady_us() - began_us_; }

size_t Profiler::open(Span span) {
    span.begin_us = span.end_us = now_us();
    span.first = span.last = spans_.size() + 1;
    span.inner = std::any_of(open_.begin(), open_.end(), [&](size_t i) { return spans_[i].category != "step"; });
    spans_.push_back(std::move(span));
    open_.push_back(spans_.size() - 1);
    unclaimed_ = spans_.size();
    return spans_.size() - 1;
}

void Profiler::close(size_t span) {
    spans_[span].end_us = now_us();
    spans_[span].last = unclaimed_ = spans_.size();
    if (spans_[span].first == spans_[span].last) spans_[span].bytes = 0;  // it handed something over and moved nothing
    open_.pop_back();
}

void Profiler::op_done(Span op) {
    op.end_us = now_us();
    op.first = unclaimed_;
    op.last = spans_.size();
    op.begin_us = op.first < op.last ? spans_[op.first].begin_us : op.end_us;
    if (op.first == op.last) op.bytes = 0;
    op.inner = std::any_of(open_.begin(), open_.end(), [&](size_t i) { return spans_[i].category != "step"; });
    spans_.push_back(std::move(op));
    unclaimed_ = spans_.size();
}

// Device times count from an event; here the host waits for it once and so knows when it was.
void Profiler::start_device_clock(gpu::StreamView stream) {
    zero_.emplace();
    zero_->record(stream);
    zero_->synchronize();
    zero_us_ = now_us();
}

void Profiler::finish_step() {
    if (!pending_.empty()) pending_.back().after.synchronize();
    for (const Pending& p : pending_) {
        spans_[p.span].device_begin_us = zero_us_ + 1e3 * double(p.before.ms_since(*zero_));
        spans_[p.span].device_end_us = zero_us_ + 1e3 * double(p.after.ms_since(*zero_));
    }
    pending_.clear();
    for (; resolved_ < spans_.size(); ++resolved_) {  // from the first kernel inside to the last
        Span& s = spans_[resolved_];
        for (size_t i = s.first; i < s.last; ++i) {
            const Span& k = spans_[i];
            if (k.category != "kernel" || k.device_begin_us < 0) continue;
            if (s.device_begin_us < 0) s.device_begin_us = k.device_begin_us;
            s.device_end_us = std::max(s.device_end_us, k.device_end_us);
        }
    }
    finished_us_ = now_us();
    ++steps_;
}

struct KernelSpan::State {
    Profiler& profiler;
    Context& context;
    size_t span;
    VariantLog log;
    std::optional<gpu::Event> before;
};

void KernelSpan::begin(Context& context) {
    Profiler& p = *Profiler::current();
    const bool gpu = context.device().kind == DeviceKind::gpu;
    if (gpu && !p.zero_) p.start_device_clock(context.stream());
    p.spans_.push_back({.name = "kernel", .category = "kernel", .begin_us = p.now_us()});
    p.spans_.back().first = p.spans_.back().last = p.spans_.size();
    state_ = new State{p, context, p.spans_.size() - 1, {}, {}};
    if (gpu) state_->before.emplace().record(context.stream());
}

void KernelSpan::end() noexcept {
    State& s = *state_;
    try {
        Span& span = s.profiler.spans_[s.span];
        if (s.before) {
            gpu::Event after;
            after.record(s.context.stream());
            s.profiler.pending_.push_back({s.span, std::move(*s.before), std::move(after)});
        }
        if (!s.log.names().empty()) span.name = s.log.names().front();
        span.end_us = s.profiler.now_us();
    } catch (const std::exception&) {
        // A failed launch throws on its own; a span without an end is all that is lost here.
    }
    delete state_;
}

static nlohmann::ordered_json event(const Span& s, int track, double begin_us, double end_us) {
    nlohmann::ordered_json args;
    if (!s.module.empty()) args["layer"] = s.module;
    if (!s.shapes.empty()) args["shapes"] = s.shapes;
    if (s.bytes > 0) args["MB"] = s.bytes * 1e-6;
    if (s.bytes > 0 && end_us > begin_us) args["GB/s"] = s.bytes / (end_us - begin_us) * 1e-3;
    nlohmann::ordered_json e{{"name", s.category == "backward" ? s.name + " backward" : s.name},
                             {"cat", s.category},
                             {"ph", "X"},
                             {"ts", begin_us},
                             {"dur", end_us - begin_us},
                             {"pid", 1},
                             {"tid", track}};
    if (!args.empty()) e["args"] = args;
    return e;
}

static nlohmann::ordered_json track_name(int track, const char* name) {
    return {{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", track}, {"args", {{"name", name}}}};
}

std::string Profiler::chrome_trace() const {
    auto events = nlohmann::ordered_json::array({track_name(1, "host")});
    if (zero_) events.push_back(track_name(2, "gpu"));
    // An op comes before the kernels inside it, which begin at the same moment.
    std::vector<Span> spans = spans_;
    std::stable_sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
        return a.begin_us != b.begin_us ? a.begin_us < b.begin_us : a.end_us > b.end_us;
    });
    for (const Span& s : spans) {
        events.push_back(event(s, 1, s.begin_us, s.end_us));
        const bool work =
            s.category == "kernel" || s.category == "forward" || s.category == "backward" || s.category == "optimizer";
        if (work && s.device_begin_us >= 0) events.push_back(event(s, 2, s.device_begin_us, s.device_end_us));
    }
    return nlohmann::ordered_json{{"engine", "atrous"}, {"traceEvents", events}, {"displayTimeUnit", "ms"}}.dump() +
           "\n";
}

std::string Profiler::summary() const {
    struct Row {
        std::string name, category;
        int64_t calls = 0;
        double us = 0, bytes = 0;
    };
    std::map<std::pair<std::string, std::string>, Row> rows;
    double known_us = 0;
    for (const Span& s : spans_) {
        const bool waits_for_gpu = zero_ && s.category == "wait";  // for work that has rows of its own
        if (s.category == "step" || s.category == "kernel" || s.inner || waits_for_gpu || s.end_us > finished_us_)
            continue;
        Row& row = rows.try_emplace({s.name, s.category}, Row{s.name, s.category}).first->second;
        const double us = s.device_begin_us >= 0 ? s.device_end_us - s.device_begin_us : s.end_us - s.begin_us;
        ++row.calls;
        row.us += us;
        row.bytes += s.bytes;
        known_us += us;
    }
    std::vector<Row> sorted{{"everything else", "", 0, std::max(0.0, finished_us_ - known_us), 0}};
    for (const auto& [key, row] : rows) sorted.push_back(row);
    std::stable_sort(sorted.begin() + 1, sorted.end(), [](const Row& a, const Row& b) { return a.us > b.us; });
    std::rotate(sorted.begin(), sorted.begin() + 1, sorted.end());
    std::string text =
        fmt::format("profile of {} steps, {:.1f} ms each\n{:<20} {:<10} {:>7} {:>10} {:>9} {:>6} {:>8}\n", steps_,
                    finished_us_ * 1e-3 / double(std::max<int64_t>(1, steps_)), "op", "pass", "calls", "total ms",
                    "ms/step", "share", "GB/s");
    for (const Row& r : sorted)
        text += fmt::format("{:<20} {:<10} {:>7} {:>10.2f} {:>9.3f} {:>5.1f}% {:>8}\n", r.name, r.category,
                            r.calls ? std::to_string(r.calls) : "", r.us * 1e-3,
                            r.us * 1e-3 / double(std::max<int64_t>(1, steps_)), 100 * r.us / finished_us_,
                            r.bytes > 0 && r.us > 0 ? fmt::format("{:.1f}", r.bytes / r.us * 1e-3) : "");
    return text;
}

}  // namespace atrous
