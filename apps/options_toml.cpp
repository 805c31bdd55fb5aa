// toml++ stays in this file.
#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>
#define TOML_ENABLE_FORMATTERS 0
// Its parser asserts what a user's file can break ("[{"): an error, not an abort.
[[noreturn]] static void broken_toml(const char* condition) { throw std::logic_error(condition); }
#define TOML_ASSERT(condition) \
    if (!(condition)) broken_toml(#condition)
#include <toml++/toml.h>

#include "apps/options.h"
#include "engine/io/posix.h"
#include "kernels/base/error.h"

namespace atrous::app {
namespace {

constexpr size_t max_config_bytes = 1 << 20;

std::string read_text(const std::string& path) {
    const io::FileDescriptor file = io::open_for_reading(path);
    std::string text(max_config_bytes + 1, '\0');
    text.resize(io::read_at(file, text.data(), text.size(), 0, path));
    if (text.size() > max_config_bytes) throw UsageError(path + ": too large for a configuration file (1 MiB at most)");
    return text;
}

Word word_of(const toml::node& node) {
    if (const auto v = node.as_string()) return {v->get(), Word::Kind::text};
    if (const auto v = node.as_integer()) return {fmt::format("{}", v->get()), Word::Kind::integer};
    if (const auto v = node.as_floating_point()) return {fmt::format("{}", v->get()), Word::Kind::number};
    if (const auto v = node.as_boolean()) return {v->get() ? "true" : "false", Word::Kind::boolean};
    return {node.is_table() ? "a table" : node.is_array() ? "a list" : "a date", Word::Kind::other};
}

ConfigEntry entry_of(std::string key, const toml::node& node) {
    std::replace(key.begin(), key.end(), '_', '-');
    ConfigEntry entry{std::move(key), int(node.source().begin.line), node.is_array(), {}};
    if (const toml::array* list = node.as_array()) {
        for (const toml::node& element : *list) entry.words.push_back(word_of(element));
    } else {
        entry.words.push_back(word_of(node));
    }
    return entry;
}

}  // namespace

std::vector<ConfigEntry> read_config(const std::string& path) {
    const std::string text = read_text(path);
    toml::table table;
    try {
        table = toml::parse(text, path);
    } catch (const toml::parse_error& e) {
        throw UsageError(fmt::format("{}:{}: {}", path, e.source().begin.line, e.description()));
    } catch (const std::logic_error&) {
        throw UsageError(path + ": not a TOML file; expected lines such as: batch-size = 8");
    }
    std::vector<ConfigEntry> entries;
    for (const auto& [key, node] : table) entries.push_back(entry_of(std::string(key.str()), node));
    std::stable_sort(entries.begin(), entries.end(),
                     [](const ConfigEntry& a, const ConfigEntry& b) { return a.line < b.line; });
    return entries;
}

}  // namespace atrous::app
