#include <cmath>
#include <nlohmann/json.hpp>

#include "benchmarks/harness/counters.h"
#include "benchmarks/harness/kernel_trace.h"

namespace atrous::bench {

using Json = nlohmann::ordered_json;

namespace {

double rounded(double x) {  // to four digits, which is what a page shows
    if (x == 0 || !std::isfinite(x)) return x;
    const double unit = std::pow(10, 3 - std::floor(std::log10(std::abs(x))));
    return std::round(x * unit) / unit;
}

template <class T>
Json numbers(const std::vector<T>& values) {
    Json j = Json::array();
    for (const T& x : values) {
        if (std::isfinite(double(x)))
            j.push_back(rounded(double(x)));
        else
            j.push_back(nullptr);
    }
    return j;
}

Json buffer_json(const gpu::TraceBuffer& b) {
    return {{"name", b.name},     {"role", b.role},   {"dtype", b.dtype},
            {"layout", b.layout}, {"shape", b.shape}, {"element_bytes", b.element_bytes},
            {"pitch", b.pitch},   {"bytes", b.bytes}, {"touched_sectors", b.touched_sectors}};
}

Json site_json(const gpu::TraceSite& site) {
    Json frames = Json::array();
    for (const auto& frame : site.frames) frames.push_back({frame.file, frame.line, frame.function});
    return frames;
}

// The shortest form that says everything.
Json row_json(const gpu::TraceRow& r) {
    constexpr int joined = 100;
    Json j{int(r.kind) + (r.joined ? joined : 0), r.warp, r.site, r.mask};
    if (r.buffer < 0 && !r.extra) return j;
    for (const int64_t x : {int64_t(r.buffer), int64_t(r.base), int64_t(r.bytes), int64_t(r.pattern)}) j.push_back(x);
    if (r.extra) j.push_back(r.extra);
    return j;
}

Json launch_json(const gpu::TraceLaunch& l) {
    Json blocks = Json::array(), sites = Json::object();
    for (const auto& b : l.blocks) {
        Json rows = Json::array();
        for (const auto& r : b.rows) rows.push_back(row_json(r));
        blocks.push_back({{"block", {b.x, b.y, b.z}}, {"rows", std::move(rows)}});
    }
    for (const auto& [site, counters] : l.by_site) sites[std::to_string(site)] = counters_json(counters);
    return {{"kernel", l.kernel},
            {"grid", l.grid},
            {"block", l.block},
            {"shared_bytes", l.shared_bytes},
            {"counters", counters_json(l.counters)},
            {"by_site", std::move(sites)},
            {"blocks", std::move(blocks)},
            {"rows_left_out", l.rows_left_out}};
}

}  // namespace

std::string trace_json(const KernelTrace& t) {
    Json j{{"format", "atrous-kernel-trace"},
           {"version", 1},
           {"op", t.what.op},
           {"pass", t.pass},
           {"text", t.what.text()},
           {"dtype", name_of(t.dtype)},
           {"math", t.math},
           {"variants", t.variants}};
    for (const auto& [name, value] : t.what.request.numbers) j["numbers"][name] = value;
    for (int i = 0; i < int(gpu::TraceKind::count); ++i) j["kinds"].push_back(gpu::name_of(gpu::TraceKind(i)));
    j["buffers"] = Json::array();
    for (size_t i = 0; i < t.trace.buffers.size(); ++i) {
        Json b = buffer_json(t.trace.buffers[i]);
        if (i < t.values.size() && !t.values[i].empty()) b["values"] = numbers(t.values[i]);
        j["buffers"].push_back(std::move(b));
    }
    for (const char* list : {"sites", "patterns", "fragments", "products", "boxes", "launches"})
        j[list] = Json::array();
    for (const auto& s : t.trace.sites) j["sites"].push_back(site_json(s));
    for (const auto& p : t.trace.patterns) j["patterns"].push_back(p);
    for (const auto& f : t.trace.fragments)
        j["fragments"].push_back({{"type", f.type},
                                  {"m", f.m},
                                  {"n", f.n},
                                  {"k", f.k},
                                  {"a", numbers(f.a)},
                                  {"b", numbers(f.b)},
                                  {"before", numbers(f.before)},
                                  {"after", numbers(f.after)}});
    for (const auto& p : t.trace.products)
        j["products"].push_back({{"type", p.type},
                                 {"n", p.n},
                                 {"a_mn_major", p.a_mn_major},
                                 {"b_mn_major", p.b_mn_major},
                                 {"accumulates", p.accumulates},
                                 {"a_offset", p.a_offset},
                                 {"b_offset", p.b_offset}});
    for (const auto& b : t.trace.boxes)
        j["boxes"].push_back({{"buffer", b.buffer},
                              {"at", b.at},
                              {"box", b.box},
                              {"step", b.step},
                              {"swizzled", b.swizzled},
                              {"bytes", b.bytes}});
    for (const auto& l : t.trace.launches) j["launches"].push_back(launch_json(l));
    j["sources"] = t.trace.sources;
    return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace atrous::bench
