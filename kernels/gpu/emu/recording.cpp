#include "kernels/gpu/emu/recording.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "kernels/gpu/emu/streams.h"

namespace atrous::gpu::emu {

void Recording::step(Step s) {
    ++seen_[s.lane][s.lane];
    steps_.push_back(std::move(s));
}

void Recording::add(size_t lane, std::function<void()> act) { step({Kind::work, lane, 0, std::move(act)}); }

void Recording::add(size_t lane, const Recording& graph) {
    const size_t first_event = events_.size(), first_lane = seen_.size();
    for (size_t i = 1; i < graph.seen_.size(); ++i) {
        for (Clock& clock : seen_) clock.push_back(0);
        seen_.push_back(Clock(seen_.front().size(), 0));
        joined_.push_back(nullptr);
    }
    for (const Step& s : graph.steps_) {
        const size_t to = s.lane == 0 ? lane : first_lane + s.lane - 1;
        if (s.kind == Kind::event)
            record_event(to);
        else if (s.kind == Kind::wait)
            wait(to, first_event + s.event);
        else
            add(to, s.act);
    }
}

size_t Recording::record_event(size_t lane) {
    step({Kind::event, lane, events_.size()});
    events_.push_back(seen_[lane]);
    return events_.size() - 1;
}

void Recording::wait(size_t lane, size_t event) {
    step({Kind::wait, lane, event});
    const Clock& then = events_[event];
    for (size_t i = 0; i < then.size(); ++i) seen_[lane][i] = std::max(seen_[lane][i], then[i]);
}

size_t Recording::join(StreamState& stream) {
    for (Clock& clock : seen_) clock.push_back(0);
    seen_.push_back(Clock(seen_.front().size(), 0));
    joined_.push_back(&stream);
    return seen_.size() - 1;
}

void Recording::close() {
    end();
    for (size_t i = 1; i < seen_.size(); ++i)
        if (seen_[0][i] < seen_[i][i])
            throw GpuError(
                "emulated GPU: a graph's capture ends while the stream where it began does not wait for the work of "
                "another one that took part; record an event there and block this stream on it");
}

void Recording::end() {
    open_ = false;
    for (StreamState* s : joined_)
        if (s) s->recording.reset();
    std::fill(joined_.begin(), joined_.end(), nullptr);
}

size_t Recording::nodes() const {
    return size_t(std::count_if(steps_.begin(), steps_.end(), [](const Step& s) { return s.kind == Kind::work; }));
}

void Recording::run() const {
    for (const Step& s : steps_)
        if (s.act) s.act();
}

void Recording::submit(StreamState& stream, std::vector<Stream>& lanes) const {
    while (lanes.size() + 1 < seen_.size()) lanes.emplace_back();
    std::vector<std::shared_ptr<EventState>> events(events_.size());
    for (auto& e : events) e = std::make_shared<EventState>();
    for (const Step& s : steps_) {
        StreamState& to = s.lane == 0 ? stream : state_of(lanes[s.lane - 1].view(), "Graph::launch");
        if (s.kind == Kind::wait)
            do_in_order(to, {{}, events[s.event], 1});
        else if (s.kind == Kind::event)
            do_in_order(to, {[e = events[s.event]] { e->reached = 1; }, {}, 0});
        else
            do_in_order(to, {s.act, {}, 0});
    }
}

}  // namespace atrous::gpu::emu
