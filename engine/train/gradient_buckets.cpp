#include "engine/train/gradient_buckets.h"

#include "base/error.h"

namespace atrous {

GradientBuckets::GradientBuckets(const ParameterArena& arena, Sum sum, size_t bytes)
    : gradients_(arena.gradients), sum_(std::move(sum)) {
    const size_t element = size_of(gradients_.dtype());
    for (size_t i = 0; i < arena.parameters.size(); ++i) {
        const bool last = i + 1 == arena.parameters.size();
        const int64_t end = last ? gradients_.count() : arena.offsets[i + 1];
        if (buckets_.empty() || size_t(buckets_.back().end - buckets_.back().begin) * element >= bytes)
            buckets_.push_back({arena.offsets[i], end, 0, 0});
        buckets_.back().end = end;
        const Leaf* const leaf = arena.parameters[i].parameter->value.leaf().get();
        if (!leaf) continue;  // not trained
        ++buckets_.back().leaves;
        bucket_of_[leaf] = buckets_.size() - 1;
    }
    next_ = buckets_.size();
}

void GradientBuckets::begin() {
    for (Bucket& b : buckets_) b.missing = b.leaves;
    next_ = 0;
}

void GradientBuckets::leaf_done(const Leaf& leaf) {
    const auto it = bucket_of_.find(&leaf);
    if (it == bucket_of_.end()) return;
    --buckets_[it->second].missing;
    while (next_ < buckets_.size() && buckets_[next_].missing == 0) sum_next();
}

void GradientBuckets::finish() {
    while (next_ < buckets_.size()) sum_next();
}

void GradientBuckets::sum_next() {
    const Bucket& b = buckets_[next_++];
    if (b.leaves > 0) sum_(gradients_.part(b.begin, {b.end - b.begin}));
}

}  // namespace atrous
