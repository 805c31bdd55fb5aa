// What was found to be fastest for a problem, by timing (engine/tuner.h): an entry a problem, which a kernel family takes
// before its own list. Problems are named by their text, which holds everything that a choice may depend on.
#pragma once

#include <map>
#include <string>

namespace atrous::kernels {

struct TunedKernel {
    std::string implementation;  // its name in the family: "cudnn"
    std::string way = "";        // which of its ways: "62:2=4,13=0"; empty: its first
    double ms = 0;               // as it was timed
    bool operator==(const TunedKernel&) const = default;
};

class TunedKernels {
 public:
    using Table = std::map<std::string, TunedKernel>;
    TunedKernels() = default;
    explicit TunedKernels(Table table) : table_(std::move(table)) {}

    const TunedKernel* find(const std::string& problem) const {
        const auto found = table_.find(problem);
        return found == table_.end() ? nullptr : &found->second;
    }
    void set(const std::string& problem, TunedKernel kernel) { table_[problem] = std::move(kernel); }
    const Table& all() const { return table_; }

 private:
    Table table_;
};

}  // namespace atrous::kernels
