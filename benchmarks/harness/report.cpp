#include "benchmarks/harness/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace atrous::bench {

using Json = nlohmann::ordered_json;

Ceilings best_of(const Run& run) {
    return {std::max(run.first.bytes_per_s, run.last.bytes_per_s),
            std::max(run.first.flops_per_s, run.last.flops_per_s)};
}

static std::string time_text(double s) {
    if (s >= 1) return fmt::format("{:.2f} s", s);
    if (s >= 1e-3) return fmt::format("{:.2f} ms", s * 1e3);
    return fmt::format("{:.1f} us", s * 1e6);
}

static std::string error_text(const std::optional<Check>& check) {
    return !check ? "" : fmt::format("{:.1e}{}", check->error, check->ok() ? "" : " WRONG");
}

// Whose time it is; in brackets what ran for comparison alone.
static std::string kernels_text(const Measurement& m, const Pass& p) {
    const std::string names = implementations_of(p);
    return m.chosen || names.empty() ? names : "(" + names + ")";
}

std::string table_header() {
    return fmt::format("{:<18} {:<8} {:>5} {:>10} {:>10} {:>10} {:>8} {:>8} {:>6} {:<7} {:>8}  {:<14} {}\n", "op",
                       "pass", "times", "median", "p10", "p90", "GB/s", "TFLOP/s", "share", "of", "error", "kernels",
                       "shape");
}

std::string table_rows(const Measurement& m, const Ceilings& c) {
    std::string text;
    for (const Pass& p : m.passes) {
        const double t = p.seconds.median;
        text += fmt::format(
            "{:<18} {:<8} {:>5} {:>10} {:>10} {:>10} {:>8.1f} {:>8.3f} {:>5.0f}% {:<7} {:>8}  {:<14} {}{}\n",
            m.wanted.op, p.name, m.wanted.count, time_text(t), time_text(p.seconds.p10), time_text(p.seconds.p90),
            p.work.bytes / t * 1e-9, p.work.flops / t * 1e-12, 100 * floor_s(c, p.work.bytes, p.work.flops) / t,
            bound_by_bytes(c, p.work.bytes, p.work.flops) ? "bytes" : "product", error_text(p.check),
            kernels_text(m, p), m.wanted.text(), m.cold ? "" : " (from cache)");
    }
    return text;
}

std::string totals(const std::vector<Measurement>& measurements, const Ceilings& c) {
    double time = 0, floor = 0;
    for (const Measurement& m : measurements)
        for (const Pass& p : m.passes) {
            if (!m.chosen) continue;
            time += m.wanted.count * p.seconds.median;
            floor += m.wanted.count * floor_s(c, p.work.bytes, p.work.flops);
        }
    return fmt::format("all ops, as often as a step has them: {}; least {} by this run's ceilings: {:.0f}%\n",
                       time_text(time), time_text(floor), 100 * floor / time);
}

static Json ceilings_json(const Ceilings& c) {
    return {{"copy_GBps", c.bytes_per_s * 1e-9}, {"product_TFLOPs", c.flops_per_s * 1e-12}};
}

static Json op_json(const Workload& w, const Pass& p, DType dtype) {
    Json shapes = Json::array(), numbers = Json::object();
    for (const Shape& s : w.request.shapes) shapes.push_back(s.text());
    for (const Shape& s : w.request.parameters) shapes.push_back(s.text());
    for (const auto& [name, value] : w.request.numbers)
        if (name != "to") numbers[name] = value;
    return {{"op", w.op},
            {"pass", p.name},
            {"shapes", shapes},
            {"attributes", numbers},
            {"where", w.where},
            {"times", w.count},
            {"dtype", measured_name(dtype)},
            {"bytes", p.work.bytes},
            {"flops", p.work.flops}};
}

static Json pass_json(const Measurement& m, const Pass& p, const Run& run, const Ceilings& c) {
    const double t = p.seconds.median;
    Json j{{"kind", "kernel"}};
    j.update(op_json(m.wanted, p, run.dtype));
    j["median_us"] = t * 1e6;
    j["p10_us"] = p.seconds.p10 * 1e6;
    j["p90_us"] = p.seconds.p90 * 1e6;
    j["repetitions"] = p.seconds.count;
    j["sets"] = m.sets;
    j["cache"] = !m.cold ? "warm" : m.sets > 1 ? "rotated" : "swept";
    j["GBps"] = p.work.bytes / t * 1e-9;
    j["TFLOPs"] = p.work.flops / t * 1e-12;
    j["floor_us"] = floor_s(c, p.work.bytes, p.work.flops) * 1e6;
    j["share"] = floor_s(c, p.work.bytes, p.work.flops) / t;
    j["bound"] = bound_by_bytes(c, p.work.bytes, p.work.flops) ? "bytes" : "product";
    j["kernels"] = p.variants;
    j["implementations"] = implementations_of(p);
    j["chosen"] = m.chosen;
    if (p.check) {
        // JSON has no infinity: an error that is no number is null.
        j["error"] = p.check->error;
        j["tolerance"] = p.check->tolerance;
        j["checked_at"] = p.check->shape;
    }
    for (const auto& [name, value] : run.environment)
        if (name == "device" || name == "gpu" || name == "commit") j[name] = value;
    return j;
}

std::string json_lines(const Run& run) {
    const Ceilings c = best_of(run);
    Json head{{"kind", "run"}, {"engine", "atrous"}, {"dtype", measured_name(run.dtype)}};
    for (const auto& [name, value] : run.environment) head[name] = value;
    head["ceilings_first"] = ceilings_json(run.first);
    head["ceilings_last"] = ceilings_json(run.last);
    head["drift"] = drift(run.first, run.last);
    head["steady"] = run.was_steady();
    head["emulated"] = run.emulated;
    std::string text = head.dump() + "\n";
    for (const Measurement& m : run.measurements)
        for (const Pass& p : m.passes) text += pass_json(m, p, run, c).dump() + "\n";
    return text;
}

std::string prediction_table(const Prediction& p) {
    std::string text = fmt::format("{}: {:.2f} TB/s, {:.0f} TFLOP/s {} ({})\n", p.gpu, p.ceilings.bytes_per_s * 1e-12,
                                   p.ceilings.flops_per_s * 1e-12, measured_name(p.dtype), p.source) +
                       fmt::format("{:<18} {:<8} {:>5} {:>10} {:>10} {:>10} {:<7}  {}\n", "op", "pass", "times", "MB",
                                   "GFLOP", "least", "of", "shape");
    double seconds = 0, flops = 0, bytes = 0;
    for (const Workload& w : p.ops)
        for (const Pass& pass : passes_of(w, p.dtype)) {
            const double least = floor_s(p.ceilings, pass.work.bytes, pass.work.flops);
            seconds += w.count * least;
            flops += w.count * pass.work.flops;
            bytes += w.count * pass.work.bytes;
            text += fmt::format("{:<18} {:<8} {:>5} {:>10.1f} {:>10.2f} {:>10} {:<7}  {}\n", w.op, pass.name, w.count,
                                pass.work.bytes * 1e-6, pass.work.flops * 1e-9, time_text(least),
                                bound_by_bytes(p.ceilings, pass.work.bytes, pass.work.flops) ? "bytes" : "product",
                                w.text());
        }
    return text +
           fmt::format("all, as often as a step has them: {:.2f} GB, {:.3f} TFLOP; least, one after the other, {}\n",
                       bytes * 1e-9, flops * 1e-12, time_text(seconds));
}

std::string prediction_json(const Prediction& p) {
    std::string text;
    for (const Workload& w : p.ops)
        for (const Pass& pass : passes_of(w, p.dtype)) {
            Json j{{"kind", "prediction"}, {"engine", "atrous"}, {"gpu", p.gpu}};
            j.update(op_json(w, pass, p.dtype));
            j["floor_us"] = floor_s(p.ceilings, pass.work.bytes, pass.work.flops) * 1e6;
            j["bound"] = bound_by_bytes(p.ceilings, pass.work.bytes, pass.work.flops) ? "bytes" : "product";
            text += j.dump() + "\n";
        }
    return text;
}

}  // namespace atrous::bench
