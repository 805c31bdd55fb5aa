#include "segmentation/memory_advice.h"

#include <fmt/core.h>

#include <algorithm>
#include <new>

#include "base/text.h"
#include "engine/context.h"
#include "engine/free_memory.h"

namespace atrous {

Budget memory_budget(Device device, int64_t limit_mib) {
    if (limit_mib > 0) return {size_t(limit_mib) << 20, fmt::format("{} MiB (`memory-limit`)", limit_mib)};
    const size_t bytes = free_memory_bytes(device) / 10 * 9;
    return {bytes, io::format_bytes(bytes) + " (nine tenths of what is free)"};
}

std::string plan_table(const std::vector<std::string>& titles, const std::vector<MemoryPlan>& plans) {
    std::string text = fmt::format("  {:<24}", "");
    for (const std::string& title : titles) text += fmt::format("{:>14}", title);
    const auto row = [&](const std::string& name, const auto& bytes_of) {
        text += fmt::format("\n  {:<24}", name);
        for (const MemoryPlan& plan : plans) text += fmt::format("{:>14}", io::format_bytes(bytes_of(plan)));
    };
    for (const auto& [use, name] : {std::pair{BlockUse::weights, "weights"},
                                    {BlockUse::half_weights, "half-precision copies"},
                                    {BlockUse::gradients, "gradients"},
                                    {BlockUse::optimizer, "optimizer"},
                                    {BlockUse::batch, "images and labels"},
                                    {BlockUse::activation, "activations"},
                                    {BlockUse::activation_gradient, "their gradients"},
                                    {BlockUse::workspace, "workspace"}})
        row(name, [use](const MemoryPlan& plan) { return plan.at_peak(use); });
    row("in use at the peak", [](const MemoryPlan& plan) { return plan.peak_bytes; });
    row("held, with spare blocks", [](const MemoryPlan& plan) { return plan.reserved_bytes; });
    return text + "\n";
}

std::string largest_blocks(const MemoryPlan& plan, size_t count) {
    std::string text;
    for (size_t i = 0; i < std::min(count, plan.blocks.size()); ++i) {
        const SimulatedBlock& b = plan.blocks[i];
        text += fmt::format("  {:>9.2f} MiB  {:<36} {:<22} {} {}\n", double(b.bytes) / (1 << 20),
                            b.module.empty() ? "-" : b.module, b.what, b.shape.text(), name_of(b.dtype));
    }
    return text;
}

int64_t automatic_batch(const NetFactory& make, const PlanForBatch& plan, const Budget& budget, int64_t at_most,
                        Messages& messages) {
    const auto net = make();
    int64_t batch = 0, smallest = 0;  // that can be trained on
    size_t needed = 0;                // by the smallest
    for (int64_t b = 1; b <= at_most; b *= 2) {
        const std::optional<size_t> held = bytes_held(*net, plan(b));
        if (!held) continue;  // batch norm over one value, also in the last batch of an epoch
        if (smallest == 0) smallest = b, needed = *held;
        if (*held > budget.bytes) break;
        batch = b;
    }
    if (batch > 0) {
        drop_library_plans();  // of the sizes that were tried
        messages.text(fmt::format("\nbatch size {}: the largest power of two that fits\n", batch));
        return batch;
    }
    if (smallest == 0)
        throw UsageError(
            fmt::format("`batch-size` auto: with {} samples no power of two can be trained on, for batch norm or the "
                        "size of the images: state a `batch-size` to see why, or leave an epoch's last, smaller batch "
                        "out (`last-batch` drop, merge)",
                        at_most));
    const PlanOptions o = plan(smallest);
    const std::string what = smallest == 1 ? "one image of" : fmt::format("{} images of", smallest);
    throw MemoryError(fmt::format(
        "`batch-size` auto: not even {} {}x{} fit{}: {} are needed and {} may be used; use a smaller `size`, a smaller "
        "net or `precision` bf16",
        what, o.width, o.height, smallest == 1 ? "s" : ", the fewest that the net can be trained on",
        io::format_bytes(needed), budget.words));
}

PlanForBatch plan_of_epochs(const PlanOptions& fixed, int64_t train, int64_t val, data::LastBatch last_batch) {
    return [=, o = fixed](int64_t batch) mutable {
        const int64_t left = train % batch;
        o.batch = last_batch == data::LastBatch::merge && batch < train ? batch + left : std::min(batch, train);
        o.last_batch = last_batch == data::LastBatch::keep && batch < train ? left : 0;
        const int64_t batches =
            last_batch == data::LastBatch::keep ? ceil_div(train, batch) : std::max<int64_t>(train / batch, 1);
        o.accumulate = std::min(fixed.accumulate, batches);  // a step ends with its epoch
        o.validation_batch = std::min(batch, val);
        o.last_validation_batch = batch < val ? val % batch : 0;
        return o;
    };
}

void show_plan(const NetFactory& make, PlanOptions options, const Budget& budget, Messages& messages) {
    const MemoryPlan plan = plan_memory(*make(), options);
    messages.text(fmt::format("\nmemory on {}, {} images of {}x{} at once\n{}  {:<24}{:>14}\n", name_of(options.device),
                              options.batch, options.width, options.height, plan_table({"training"}, {plan}),
                              "may be used", budget.words));
    if (plan.reserved_bytes <= budget.bytes) return;
    options.limit_bytes = budget.bytes;
    messages.warning(can_be_carried_out(*make(), options)
                         ? "this fits only with blocks given back and asked for again, which costs time; `batch-size` "
                           "auto finds what fits"
                         : "this is more than may be used; `batch-size` auto finds what fits");
}

static std::string advice(const NetFactory& make, const PlanForBatch& plan, int64_t batch, const Budget& budget) {
    const auto net = make();
    const size_t needed = plan_memory(*net, plan(batch)).reserved_bytes;
    if (needed <= budget.bytes)
        return fmt::format("batch size {} should fit by the plan ({} of {}): something else took the memory", batch,
                           io::format_bytes(needed), budget.words);
    const int64_t largest = batch > 1 ? largest_batch(*net, plan, budget.bytes, batch - 1) : 0;
    const std::string need = fmt::format("batch size {} takes {} by the plan and {} may be used", batch,
                                         io::format_bytes(needed), budget.words);
    if (largest == 0)
        return need +
               fmt::format("; {}: use a smaller `size`, or a smaller net",
                           batch == 1 ? "not even one image fits" : "no smaller batch fits and can be trained on");
    return need + fmt::format("; the largest that fits is {}: `batch-size` {}", largest, largest);
}

int with_memory_advice(const NetFactory& make, const PlanForBatch& plan, int64_t batch, int64_t limit_mib,
                       Messages& messages, const std::function<int()>& work) {
    std::string why;
    try {
        return work();
    } catch (const MemoryError& e) {
        why = e.what();
    } catch (const std::bad_alloc&) {
        why = "no memory on the host";
    }
    // The work's tensors are gone by now; what the allocator still holds is free too.
    const Device device = plan(batch).device;
    context_of(device).memory().release_cache();
    messages.details("\nthe largest blocks of memory at the peak, by the plan:\n" +
                     largest_blocks(plan_memory(*make(), plan(batch)), 8));
    throw MemoryError("out of memory: " + why + "; " + advice(make, plan, batch, memory_budget(device, limit_mib)));
}

}  // namespace atrous
