// Holds a memory plan against what the allocator counts.
#pragma once

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "engine/context.h"
#include "engine/train/memory_plan.h"

namespace atrous {

// `train` does on the plan's device what was planned; peak and held memory are to meet the plan within a fiftieth.
inline void expect_plan_meets_count(SegmentationNet& net, const PlanOptions& options,
                                    const std::function<void()>& train) {
    const MemoryPlan plan = plan_memory(net, options);
    CachingAllocator& memory = context_of(options.device).memory();
    memory.release_cache();
    memory.reset_peak();
    const size_t before = memory.statistics().in_use_bytes;
    train();
    const MemoryStatistics found = memory.statistics();
    const auto off = [&](size_t planned, size_t counted) {
        return std::abs(double(planned) / double(counted - before) - 1);
    };
    const std::string figures =
        fmt::format("peak {} planned, {} counted; held {}, {}", plan.peak_bytes, found.peak_bytes - before,
                    plan.reserved_bytes, found.reserved_bytes - before);
    EXPECT_LE(off(plan.peak_bytes, found.peak_bytes), 0.02) << figures;
    if (memory_is_cached) {
        EXPECT_LE(off(plan.reserved_bytes, found.reserved_bytes), 0.02) << figures;
    }
    size_t sum = 0;
    for (const SimulatedBlock& b : plan.blocks) sum += b.bytes;
    EXPECT_EQ(sum, plan.peak_bytes) << "the blocks in use at the peak do not add up to it";
}

}  // namespace atrous
