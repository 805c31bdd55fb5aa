// What `atrous train --profile` does: profiles some steps after the first, then writes a trace and prints a table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/profile.h"

namespace atrous::app {

class TrainingProfile {
 public:
    TrainingProfile(std::string path, int64_t steps) : path_(std::move(path)), wanted_(steps) {}
    void on_step();  // after each step; the first one, which makes primitives and takes memory, does not count
    void finish();   // writes what there is; prints the table, and a warning where the trace could not be written

 private:
    std::string path_, table_, failure_;
    int64_t wanted_;
    bool over_ = false;
    std::optional<Profiler> profiler_;
    void write();
};

}  // namespace atrous::app
