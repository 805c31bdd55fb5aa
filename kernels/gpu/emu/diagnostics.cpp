// Messages, and the source lines in them.
#include <elf.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/error.h"
#include "kernels/gpu/emu/internal.h"

extern "C" char __executable_start[];

namespace atrous::gpu::emu {

Options& options() {
    static Options o = [] {
        Options o;
        auto env = [](const char* name) {
            const char* v = std::getenv(name);
            return std::string(v ? v : "");
        };
        auto number = [&](const char* name, uint64_t otherwise) -> uint64_t {
            const std::string v = env(name);
            if (v.empty()) return otherwise;
            char* end = nullptr;
            const uint64_t n = std::strtoull(v.c_str(), &end, 10);
            if (*end) throw UsageError(std::string(name) + "=" + v + ": a number is expected");
            return n;
        };
        const std::string order = env("ATROUS_EMU_ORDER");
        if (order == "reverse")
            o.order = Options::Order::reverse;
        else if (order == "shuffled" || (order.empty() && !env("ATROUS_EMU_SEED").empty()))
            o.order = Options::Order::shuffled;
        else if (!order.empty() && order != "forward")
            throw UsageError("ATROUS_EMU_ORDER=" + order + ": forward, reverse or shuffled is expected");
        o.seed = number("ATROUS_EMU_SEED", 1);
        const unsigned cores = std::thread::hardware_concurrency();
        o.workers = int(number("ATROUS_EMU_WORKERS", cores ? cores : 1));
        o.strict_exit = number("ATROUS_EMU_STRICT", 0) != 0;
        o.deferred = number("ATROUS_EMU_DEFERRED", 0) != 0;
        o.devices = int(number("ATROUS_EMULATED_DEVICES", 1));
        if (o.devices < 1 || o.devices > 64)
            throw UsageError("ATROUS_EMULATED_DEVICES=" + std::to_string(o.devices) + ": 1 to 64 is expected");
        o.capability = int(number("ATROUS_EMULATED_CAPABILITY", 80));
        if (o.capability != 80 && o.capability != 90)
            throw UsageError("ATROUS_EMULATED_CAPABILITY=" + std::to_string(o.capability) + ": 80 or 90 is expected");
        return o;
    }();
    return o;
}
Statistics& statistics() {
    static Statistics s;
    return s;
}
bool checks_races() { return checking; }
bool checks_addresses() { return address_sanitizer; }

// ---- source lines ---------------------------------------------------------------------------------------------------
// A site is a program counter (offset in the executable, + 1) or, with the top bit set, an index of `places`.
constexpr uint32_t is_place = 0x80000000u;
static std::mutex places_mutex;
static std::vector<Where>& places() {
    static std::vector<Where> p(1);
    return p;
}

uint32_t site_id(const Where& where) {
    struct Recent {
        const char* file;
        unsigned line;
        uint32_t id;
    };
    static thread_local Recent recent[64];
    Recent& r = recent[where.line % 64];
    if (r.id && r.line == where.line && r.file == where.file) return r.id;
    static std::map<std::pair<const char*, unsigned>, uint32_t> ids;
    std::lock_guard lock(places_mutex);
    auto [it, fresh] = ids.try_emplace({where.file, where.line}, uint32_t(places().size()) | is_place);
    if (fresh) places().push_back(where);
    r = {where.file, where.line, it->second};
    return it->second;
}

static std::string addr2line(uintptr_t pc, bool function) {
    const bool movable = reinterpret_cast<Elf64_Ehdr*>(__executable_start)->e_type == ET_DYN;
    if (movable) pc -= uintptr_t(__executable_start);
    char command[160], line[512] = {};
    std::snprintf(command, sizeof command, "addr2line %s -e /proc/%d/exe %#zx 2>/dev/null", function ? "-Cf" : "",
                  int(getpid()), size_t(pc));
    FILE* f = popen(command, "r");
    if (!f) return "?";
    if (!std::fgets(line, sizeof line, f)) line[0] = 0;
    pclose(f);
    std::string s = line;
    while (!s.empty() && s.back() == '\n') s.pop_back();
    if (const auto at = s.find(" (disc"); at != s.npos) s.resize(at);
    return s.empty() ? "?" : s;
}
static std::string base_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string function_name(const void* function) { return addr2line(uintptr_t(function), true); }
bool is_named_place(uint32_t site) { return site & is_place; }
Where named_place(uint32_t site) {
    std::lock_guard lock(places_mutex);
    return places()[site & ~is_place];
}
std::string site_name(uint32_t site) {
    if (!site) return "?";
    if (!(site & is_place)) return base_name(addr2line(uintptr_t(__executable_start) + site - 1, false));
    std::lock_guard lock(places_mutex);
    const Where& w = places()[site & ~is_place];
    return w.line ? base_name(w.file) + ":" + std::to_string(w.line) : "?";
}

// ---- reports --------------------------------------------------------------------------------------------------------
void report(const std::string& kind, const std::string& text, uint32_t site, uint32_t other) {
    Launch& l = *W->launch;
    std::lock_guard lock(l.mutex);
    const std::string key = kind + std::to_string(site) + "/" + std::to_string(other);
    if (const auto it = l.reports.find(key); it != l.reports.end())
        ++it->second.count;
    else if (l.reports.size() < options().max_reports)
        l.reports[key] = {kind + ": " + text, 1, site, other};
}

void fatal(std::string&& kind, std::string&& text, uint32_t site, uint32_t other) {
    {  // the caller's frame is never unwound: take what it allocated
        const std::string k = std::move(kind), t = std::move(text);
        report(k, t, site, other);
    }
    W->abandon();
}

std::string describe(const Launch& l) {
    std::string text = "emulated GPU: kernel " + function_name(l.call.kernel) + ":";
    for (const auto& [key, r] : l.reports) {
        text += "\n  " + r.text;
        if (r.site) text += "\n      at " + site_name(r.site);
        if (r.other) text += "\n      conflicting with " + site_name(r.other);
        if (r.count > 1) text += "\n      (" + std::to_string(r.count) + " times)";
    }
    return text;
}

// ---- errors of functions that must not throw ------------------------------------------------------------------------
namespace {
struct Deferred {
    std::mutex mutex;
    std::string message;
    ~Deferred() {  // nobody was told: the process must not end as if all were well
        if (message.empty()) return;
        std::fflush(nullptr);
        std::_Exit(EXIT_FAILURE);
    }
};
Deferred& deferred() {
    static Deferred d;
    return d;
}
}  // namespace

void defer_error(const std::string& message) {
    std::fprintf(stderr, "%s\n", message.c_str());
    std::lock_guard lock(deferred().mutex);
    if (deferred().message.empty()) deferred().message = message;
}
void throw_deferred_error() {
    std::string message;
    {
        std::lock_guard lock(deferred().mutex);
        message.swap(deferred().message);
    }
    if (!message.empty()) throw GpuError(message);
}

}  // namespace atrous::gpu::emu
