// Where recorded instructions stand in the source: from the table that was made when the program was built
// (scripts/kernel_lines.sh), or from its debug information.
#include <elf.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernels/gpu/emu/recorder.h"

extern "C" char __executable_start[];

namespace atrous::gpu::emu {

namespace {

// From the project's root on, where the path leads through one of its folders.
std::string in_project(std::string path) {
    for (const char* folder : {"/kernels/", "/tests/", "/base/"})
        if (const auto at = path.find(folder); at != path.npos) return path.substr(at + 1);
    return path;
}

std::string short_function(std::string name) {
    for (const char* part : {"(anonymous namespace)::", "atrous::", "kernels::cuda::", "gpu::", "void "})
        for (size_t at; (at = name.find(part)) != name.npos;) name.erase(at, std::string(part).size());
    int depth = 0;
    for (size_t i = 0; i < name.size(); ++i) {  // without the arguments, but with those of the template
        depth += (name[i] == '<') - (name[i] == '>');
        if (name[i] == '(' && depth == 0 && i > 0) return name.substr(0, i);
    }
    return name;
}

bool of_emulator(const std::string& file) {
    return file.rfind("kernels/gpu/emu/", 0) == 0 || file.empty() || file[0] == '/' || file[0] == '?';
}

// Adds a frame "file:line" of addr2line, unless it is the emulator's or the compiler's own.
void add_frame(TraceSite& site, std::string place, const std::string& function) {
    if (const auto note = place.find(" (disc"); note != place.npos) place.resize(note);
    const auto colon = place.rfind(':');
    if (colon == place.npos) return;
    const std::string file = in_project(place.substr(0, colon));
    if (!of_emulator(file)) site.frames.push_back({file, short_function(function), unsigned(atoi(&place[colon + 1]))});
}

// By program counters, as addr2line and the table name them: from the executable's start where it can move.
using Sites = std::map<uint64_t, TraceSite>;

std::string output_of(const std::string& command) {
    std::string text;
    FILE* const f = popen(command.c_str(), "r");
    if (!f) return text;
    char part[4096];
    for (size_t n; (n = std::fread(part, 1, sizeof part, f)) > 0;) text.append(part, n);
    pclose(f);
    return text;
}

// Lines of addr2line -aCfi: the address, then function and place of each frame in turns.
Sites parse(const std::string& text) {
    Sites sites;
    std::istringstream in(text);
    TraceSite* site = nullptr;
    for (std::string line, place; std::getline(in, line);) {
        if (line.rfind("0x", 0) == 0) {
            site = &sites[std::stoull(line, nullptr, 16)];
        } else if (site && std::getline(in, place)) {
            add_frame(*site, place, line);
        }
    }
    return sites;
}

// What scripts/kernel_lines.sh has made, if it is there: beside the program.
struct Table {
    std::map<uint64_t, const std::string*> lines;  // "function file:line…", by addresses behind the calls
    std::map<uint64_t, std::string> kernels;
    std::map<std::string, std::string> sources;
    std::map<size_t, std::string> names, texts;
    Table();
};

Table::Table() {
    std::error_code ignored;
    std::ifstream in(std::filesystem::read_symlink("/proc/self/exe", ignored).string() + ".lines");
    std::map<std::string, std::pair<std::string, size_t>> files;
    for (std::string kind, text; in >> kind;) {
        std::string first;
        in >> first;
        in.get();
        std::getline(in, text);
        if (kind == "N") names[std::stoul(first)] = text;
        if (kind == "L") texts[std::stoul(first)] = text;
        if (kind == "S") lines[std::stoull(first, nullptr, 16)] = &texts[std::stoul(text)];
        if (kind == "K") kernels[std::stoull(first, nullptr, 16)] = names[std::stoul(text)];
        if (kind != "T") continue;
        std::string& source = sources[first];
        std::string line;
        for (size_t n = std::stoul(text); n > 0 && std::getline(in, line); --n) source += line + "\n";
    }
}

const Table& table() {
    static const Table t;
    return t;
}

TraceSite in_table(const std::string& text) {
    TraceSite site;
    std::istringstream in(text);
    std::string place;
    size_t function = 0;
    in >> function;
    while (in >> place) add_frame(site, place, "");
    if (!site.frames.empty())
        if (const auto name = table().names.find(function); name != table().names.end())
            site.frames.back().function = short_function(name->second);
    return site;
}

uint64_t file_offset(uint64_t pc) {
    const bool movable = reinterpret_cast<Elf64_Ehdr*>(__executable_start)->e_type == ET_DYN;
    return movable ? pc : pc + uintptr_t(__executable_start);
}

Sites from_debug_information(const std::vector<uint64_t>& pcs) {
    Sites all;
    constexpr size_t at_once = 500;
    for (size_t first = 0; first < pcs.size(); first += at_once) {
        std::string command = "addr2line -aCfi -e /proc/" + std::to_string(getpid()) + "/exe";
        for (size_t i = first; i < std::min(pcs.size(), first + at_once); ++i) {
            char hex[32];
            std::snprintf(hex, sizeof hex, " %#zx", size_t(pcs[i]));
            command += hex;
        }
        all.merge(parse(output_of(command + " 2>/dev/null")));
    }
    return all;
}

}  // namespace

std::vector<TraceSite> places_of(const std::vector<uint32_t>& sites) {
    std::vector<uint64_t> pcs;
    const auto counter = [](uint32_t site) { return file_offset(site - 1); };  // inside the call, not behind it
    const auto& lines = table().lines;
    for (const uint32_t site : sites)
        if (!is_named_place(site) && lines.empty()) pcs.push_back(counter(site));
    const Sites found = from_debug_information(pcs);
    std::vector<TraceSite> all;
    for (const uint32_t site : sites) {
        all.emplace_back();
        if (is_named_place(site)) {
            const Where w = named_place(site & ~second_side);
            all.back().frames.push_back({in_project(w.file), "", w.line});
        } else if (const auto line = lines.find(counter(site) + 1); line != lines.end()) {
            all.back() = in_table(*line->second);
        } else if (const auto at = found.find(counter(site)); at != found.end()) {
            all.back() = at->second;
        }
    }
    return all;
}

std::map<std::string, std::string> sources_of(const std::vector<TraceSite>& sites) {
    std::map<std::string, std::string> texts;
    const auto& all = table().sources;
    for (const TraceSite& site : sites)
        for (const auto& frame : site.frames)
            if (const auto at = all.find(frame.file); at != all.end()) texts.insert(*at);
    return texts;
}

std::string kernel_name(const void* kernel) {
    static std::map<const void*, std::string> known;
    std::string& name = known[kernel];
    if (!name.empty()) return name;
    const auto& all = table().kernels;
    const auto at = all.find(file_offset(uintptr_t(kernel) - uintptr_t(__executable_start)));
    return name = short_function(at == all.end() ? function_name(kernel) : at->second);
    return name;
}

}  // namespace atrous::gpu::emu
