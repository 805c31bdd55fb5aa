// Memory as a user sees it: the plan before work begins, the batch that fits, and what to do when there is none left.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/loader.h"
#include "engine/train/memory_plan.h"
#include "segmentation/messages.h"

namespace atrous {

using NetFactory = std::function<std::unique_ptr<SegmentationNet>()>;

// Memory may be used up to this: `memory-limit`, or nine tenths of what is free (the rest of the program needs some).
struct Budget {
    size_t bytes = 0;
    std::string words;  // "4.00 GiB (`memory-limit`)"
};
Budget memory_budget(Device device, int64_t limit_mib);  // 0: no limit is stated

// Rows: one per category, then peak and reserved bytes; one column per plan.
std::string plan_table(const std::vector<std::string>& titles, const std::vector<MemoryPlan>& plans);
// The largest blocks at the peak: layer, op, shape, MiB.
std::string largest_blocks(const MemoryPlan& plan, size_t count);

// The plan of a training: batches of an epoch as its loader makes them of so many samples.
PlanForBatch plan_of_epochs(const PlanOptions& fixed, int64_t train, int64_t val, data::LastBatch last_batch);

// The largest power of two that fits into the budget, at most `at_most`. MemoryError where not even
// the smallest that the net can be trained on fits, UsageError where there is none.
int64_t automatic_batch(const NetFactory& make, const PlanForBatch& plan, const Budget& budget, int64_t at_most,
                        Messages& messages);

// Shows what a training will take, and warns where that is more than the budget.
void show_plan(const NetFactory& make, PlanOptions options, const Budget& budget, Messages& messages);

// Runs `work`, a training with this batch. Where memory runs out, says the largest blocks of the plan and throws
// MemoryError with the largest batch that fits.
int with_memory_advice(const NetFactory& make, const PlanForBatch& plan, int64_t batch, int64_t limit_mib,
                       Messages& messages, const std::function<int()>& work);

}  // namespace atrous
