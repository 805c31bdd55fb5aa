// What a captured graph holds: the work of the stream whose capture began, which is lane 0, and of those that came to wait
// for it, each in order, and where one waits for another.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "kernels/gpu/runtime.h"

namespace atrous::gpu::emu {

struct StreamState;

class Recording {
 public:
    void add(size_t lane, std::function<void()> act);
    void add(size_t lane, const Recording& graph);
    size_t record_event(size_t lane);  // returns its number
    void wait(size_t lane, size_t event);
    size_t join(StreamState& stream);  // returns its lane
    // Ends the capture. Error where the work of some lane is not waited for by lane 0.
    void close();
    void end();  // the same where an error has ended it: nothing is checked
    bool open() const { return open_; }
    size_t nodes() const;

    // Does everything now, in the order in which it was submitted; or hands it to `stream` and, for the other lanes, to
    // streams of the graph's own, which are made as they are needed.
    void run() const;
    void submit(StreamState& stream, std::vector<Stream>& lanes) const;

 private:
    enum class Kind { work, event, wait };
    struct Step {
        Kind kind;
        size_t lane, event = 0;
        std::function<void()> act = {};
    };
    using Clock = std::vector<size_t>;  // of each lane, how many steps are done
    void step(Step s);

    std::vector<Step> steps_;
    std::vector<Clock> seen_{Clock{0}};  // by each lane
    std::vector<Clock> events_;          // where each was recorded
    std::vector<StreamState*> joined_;   // lanes 1, 2, …
    bool open_ = true;
};

}  // namespace atrous::gpu::emu
