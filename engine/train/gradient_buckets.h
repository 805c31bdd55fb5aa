// The gradients of a net in runs of its arena, each summed over the ranks as soon as a backward pass is done with it.
// The arena lies in reverse order of first use, as backward passes go: runs are complete one after the other.
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "engine/nn/module.h"

namespace atrous {

class GradientBuckets {
 public:
    using Sum = std::function<void(const Tensor& gradients)>;  // part of the arena
    static constexpr size_t default_bytes = size_t{25} << 20;  // large enough that latency does not count

    // The net must be materialized. A bucket ends with the parameter that fills `bytes`.
    GradientBuckets(const ParameterArena& arena, Sum sum, size_t bytes = default_bytes);

    // Before the last backward pass of a step. Of each parameter whose gradient is complete, leaf_done; then finish, for
    // those that no backward pass reaches. Buckets are summed in the order of the arena, whatever completes first: all
    // ranks sum the same at the same time.
    void begin();
    void leaf_done(const Leaf& leaf);
    void finish();
    size_t count() const { return buckets_.size(); }

 private:
    struct Bucket {
        int64_t begin, end;  // elements of the arena
        int64_t leaves, missing;
    };
    void sum_next();

    Tensor gradients_;
    Sum sum_;
    std::vector<Bucket> buckets_;
    std::unordered_map<const Leaf*, size_t> bucket_of_;
    size_t next_ = 0;  // bucket to be summed
};

}  // namespace atrous
