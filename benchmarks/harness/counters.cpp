#include "benchmarks/harness/counters.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "benchmarks/harness/measure.h"
#include "engine/math_mode.h"

namespace atrous::bench {

using gpu::GlobalCounters;
using gpu::KernelCounters;
using gpu::SharedCounters;
using Json = nlohmann::ordered_json;

// ---- of one trace ---------------------------------------------------------------------------------------------------
// The innermost line of the kernel's own files: not that of a helper which all kernels load vectors with.
static std::string place_of(const gpu::TraceSite& site) {
    if (site.frames.empty()) return "?";
    const auto own = std::find_if(site.frames.begin(), site.frames.end(),
                                  [](const auto& frame) { return frame.file.rfind("kernels/cuda/", 0) == 0; });
    const auto& frame = own == site.frames.end() ? site.frames[0] : *own;
    return fmt::format("{}:{}", frame.file, frame.line);
}

std::vector<CountedKernel> kernels_of(const KernelTrace& t) {
    std::vector<CountedKernel> all;
    for (const gpu::TraceLaunch& l : t.trace.launches) {
        auto k = std::find_if(all.begin(), all.end(), [&](const CountedKernel& k) { return k.kernel == l.kernel; });
        if (k == all.end()) {
            all.push_back({t.what.op, t.what.text(), t.pass, measured_name(t.dtype), "", l.kernel, 0, 0, {}, {}});
            k = std::prev(all.end());
        }
        k->blocks += l.grid[0] * l.grid[1] * l.grid[2];
        k->threads = l.block[0] * l.block[1] * l.block[2];
        k->counters.add(l.counters);
        for (const auto& [site, counters] : l.by_site) {
            const std::string place = place_of(t.trace.sites[site]);
            auto line = std::find_if(k->lines.begin(), k->lines.end(), [&](auto& p) { return p.first == place; });
            if (line == k->lines.end()) line = k->lines.insert(k->lines.end(), {place, {}});
            line->second.add(counters);
        }
    }
    return all;
}

// ---- of many --------------------------------------------------------------------------------------------------------
namespace {

using Each = std::function<void(const std::vector<CountedKernel>&)>;

// Kernels of both passes by one choice of implementations, without those that this op was counted by before.
void count_choice(const Workload& what, DType dtype, Device device, const std::string& implementation,
                  std::vector<std::string>& seen, const Each& each) {
    for (const bool backward : {false, true}) {
        if (backward && !has_backward(what)) continue;
        std::vector<CountedKernel> kernels = kernels_of(trace_pass(what, dtype, device, backward, {.blocks = 0}));
        std::erase_if(kernels, [&](const CountedKernel& k) {
            const std::string key = k.pass + k.kernel;
            if (std::find(seen.begin(), seen.end(), key) != seen.end()) return true;
            seen.push_back(key);
            return false;
        });
        for (CountedKernel& k : kernels) k.implementation = implementation;
        each(kernels);
    }
}

Workload usual(std::string op, std::vector<Shape> shapes, std::map<std::string, double> numbers = {}) {
    Workload w{std::move(op), {}, 1, {}};
    w.request.shapes = std::move(shapes);
    w.request.numbers = std::move(numbers);
    return w;
}

// Small, and with several blocks where the op has them: channels as in the first levels of a net.
std::vector<Workload> usual_workloads() {
    const Shape x{2, 16, 16, 32}, logits{2, 32, 32, 4}, one{2, 32, 32, 1};
    std::vector<Workload> all{usual("conv2d", {{1, 16, 16, 32}}),
                              usual("conv2d", {{1, 16, 16, 32}}, {{"dilation", 4}}),
                              usual("conv2d", {{1, 16, 16, 32}}, {{"kernel", 1}, {"bias", 1}}),
                              usual("conv2d", {{1, 32, 32, 3}}, {{"out_channels", 32}}),
                              usual("conv2d", {{1, 32, 32, 32}}, {{"kernel", 1}, {"out_channels", 1}, {"bias", 1}}),
                              usual("conv_transpose2x2", {{1, 16, 16, 32}}),
                              usual("depthwise_conv2d", {{1, 16, 16, 32}}),
                              usual("batch_norm", {x}),
                              usual("batch_norm", {x, x}),
                              usual("bce_dice", {one}),
                              usual("softmax_loss", {logits}),
                              usual("lovasz", {{1, 32, 32, 1}}),
                              usual("boundary", {{1, 32, 32, 2}}),
                              usual("ohem", {{1, 32, 32, 4}}),
                              usual("confusion", {one}),
                              usual("confusion", {logits})};
    for (const char* op :
         {"bilinear", "nearest", "max_pool", "global_average_pool", "relu", "sigmoid", "dropout", "cast"})
        all.push_back(usual(op, {x}));
    for (const char* op : {"add", "concat"}) all.push_back(usual(op, {x, x}));
    all.push_back(usual("window", {x}));
    return all;
}

}  // namespace

void count_op(const Workload& what, DType dtype, Device device, const Each& each) {
    if (!supported(what, device, dtype)) return;
    std::vector<std::string> seen;
    count_choice(what, dtype, device, "", seen, each);
    for (const KernelChoice& choice : other_choices(what, device, dtype)) {
        const ScopedKernelChoice scope(choice);
        count_choice(what, dtype, device, choice.name, seen, each);
    }
}

void count_usual(Device device, const Each& each) {
    for (const Workload& w : usual_workloads()) {
        for (const DType type : {DType::f32, DType::bf16}) count_op(w, type, device, each);
        if (w.op != "conv2d") continue;
        const ScopedMathMode tf32(MathMode::tf32);  // what other choices run is counted above
        std::vector<std::string> seen;
        count_choice(w, DType::f32, device, "", seen, each);
    }
}

// ---- as text --------------------------------------------------------------------------------------------------------
namespace {

// Zeros are left out.
void put(Json& j, const char* name, uint64_t value) {
    if (value) j[name] = value;
}

double two_digits(double x) { return double(int64_t(x * 100 + 0.5)) / 100; }

Json global_json(const GlobalCounters& g) {
    return {{"requests", g.requests},
            {"sectors", g.sectors},
            {"fewest_sectors", g.fewest_sectors},
            {"bytes", g.bytes},
            {"distinct_bytes", g.distinct_bytes},
            {"lanes", g.lanes},
            {"sectors_per_request", two_digits(g.sectors_per_request())},
            {"useful", double(int64_t(g.useful() * 1e4 + 0.5)) / 1e4}};
}

Json shared_json(const SharedCounters& s) {
    return {{"requests", s.requests},
            {"wavefronts", s.wavefronts},
            {"fewest_wavefronts", s.fewest_wavefronts},
            {"conflicts", s.conflicts()},
            {"worst_ways", s.worst_ways},
            {"bytes", s.bytes},
            {"lanes", s.lanes}};
}

std::string of_global(const GlobalCounters& g) {
    if (!g.requests) return fmt::format("{:>8} {:>5} {:>6}", "", "", "");
    return fmt::format("{:>8} {:>5.1f} {:>5.1f}%", g.requests, g.sectors_per_request(), 100 * g.useful());
}

}  // namespace

Json counters_json(const KernelCounters& c) {
    Json j = Json::object();
    const std::pair<const char*, const GlobalCounters&> global[]{
        {"load", c.load}, {"store", c.store}, {"async_copy", c.async_copy}, {"atomic", c.atomic}};
    for (const auto& [name, g] : global)
        if (g.requests) j[name] = global_json(g);
    const std::pair<const char*, const SharedCounters&> shared[]{{"shared_load", c.shared_load},
                                                                 {"shared_store", c.shared_store},
                                                                 {"shared_async_copy", c.shared_async_copy},
                                                                 {"ldmatrix", c.ldmatrix},
                                                                 {"shared_atomic", c.shared_atomic}};
    for (const auto& [name, s] : shared)
        if (s.requests) j[name] = shared_json(s);
    for (const auto& [name, member] : KernelCounters::plain) put(j, name, c.*member);
    put(j, "most_on_one_address", c.most_on_one_address);
    return j;
}

std::string counters_header() {
    return fmt::format("{:<44} {:>11} {:>21} {:>21} {:>9} {:>9} {:>8} {:>8} {:>7}\n", "", "blocks x", "global loads",
                       "global stores", "shared", "bank", "inactive", "block", "") +
           fmt::format("{:<44} {:>11} {:>8} {:>5} {:>6} {:>8} {:>5} {:>6} {:>9} {:>9} {:>8} {:>8} {:>7}\n", "kernel",
                       "threads", "requests", "/req", "useful", "requests", "/req", "useful", "requests", "conflicts",
                       "lanes", "barriers", "atomics");
}

std::string counters_title(const CountedKernel& k) {
    return fmt::format("{} {}, {}, {}{}", k.op, k.shape, k.type, k.pass,
                       k.implementation.empty() ? "" : ", by " + k.implementation);
}

std::string counters_row(const CountedKernel& k) {
    const KernelCounters& c = k.counters;
    GlobalCounters loads = c.load;
    loads.add(c.async_copy);
    SharedCounters shared = c.shared_load;
    for (const SharedCounters& s : {c.shared_store, c.shared_async_copy, c.ldmatrix, c.shared_atomic}) shared.add(s);
    const double lanes = 32 * double(c.memory_instructions);
    return fmt::format("  {:<42} {:>5} x{:>4} {} {} {:>9} {:>9} {:>7.1f}% {:>8} {:>7}\n", k.kernel, k.blocks, k.threads,
                       of_global(loads), of_global(c.store), shared.requests, shared.conflicts(),
                       lanes > 0 ? 100 * double(c.inactive_lanes) / lanes : 0, c.block_barriers, c.atomics);
}

std::string counters_json_line(const CountedKernel& k) {
    Json j{{"kind", "counters"}, {"op", k.op},         {"shape", k.shape},   {"pass", k.pass},
           {"type", k.type},     {"kernel", k.kernel}, {"blocks", k.blocks}, {"threads", k.threads}};
    if (!k.implementation.empty()) j["implementation"] = k.implementation;
    j["counters"] = counters_json(k.counters);
    for (const auto& [line, counters] : k.lines) j["lines"][line] = counters_json(counters);
    return j.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace atrous::bench
