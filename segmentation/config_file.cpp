#include "segmentation/config_file.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/settings.h"
#include "base/suggest.h"
#include "base/text.h"
#include "base/toml_file.h"
#include "segmentation/augment_presets.h"

namespace atrous {
namespace {

Word word_of(const io::TomlValue& value) {
    using Kind = io::TomlValue::Kind;
    switch (value.kind) {
        case Kind::text:
            return {value.text, Word::Kind::text};
        case Kind::integer:
            return {value.text, Word::Kind::integer};
        case Kind::number:
            return {value.text, Word::Kind::number};
        case Kind::boolean:
            return {value.text, Word::Kind::boolean};
        default:
            break;
    }
    return {value.kind == Kind::table ? "a table" : value.kind == Kind::list ? "a list" : "a date", Word::Kind::other};
}

// A line of the file: its key with - for _.
struct ConfigEntry {
    std::string key;
    bool of_augment_table = false;
    int line = 0;
    bool list = false;
    std::vector<Word> words;
};

ConfigEntry entry_of(std::string key, const io::TomlValue& value) {
    std::replace(key.begin(), key.end(), '_', '-');
    ConfigEntry entry{std::move(key), false, value.line, value.kind == io::TomlValue::Kind::list, {}};
    for (const io::TomlValue& item : value.items) entry.words.push_back(word_of(item));
    if (!entry.list) entry.words.push_back(word_of(value));
    return entry;
}

constexpr io::TomlPurpose purpose{"configuration file", "batch-size = 8"};

// The table [augment] has augmentations, and `preset` for the setting `augment`.
void append_augment_table(const io::TomlValue& table, std::vector<ConfigEntry>& entries) {
    for (const auto& [key, value] : table.entries) {
        entries.push_back(entry_of(key == "preset" ? augment_key : key, value));
        entries.back().of_augment_table = true;
    }
}

// Of the tree that read() returns.
template <class Read>
std::vector<ConfigEntry> entries_of(Read read) {
    std::vector<ConfigEntry> entries;
    try {
        for (const auto& [key, value] : read().entries)
            if (key == augment_key && value.kind == io::TomlValue::Kind::table)
                append_augment_table(value, entries);
            else
                entries.push_back(entry_of(key, value));
    } catch (const FormatError& e) {
        throw UsageError(e.what());
    }
    return entries;
}

std::string toml_of(const Word& word) { return word.kind == Word::Kind::text ? toml_text(word.text) : word.text; }

std::string toml_of(const std::vector<Word>& words) {
    std::string text;
    for (const Word& word : words) text += (text.empty() ? "" : ", ") + toml_of(word);
    return text;
}

void assign(SettingBase& setting, const ConfigEntry& entry, const std::string& where) {
    // Of a setting that is no list, some values are several words, which it then takes.
    const bool fits = !entry.list || setting.is_list() || entry.words.size() > 1;
    if (fits && setting.assign(entry.words)) return;
    std::string found;
    for (const Word& w : entry.words)
        found += (found.empty() ? "" : ", ") + (w.kind == Word::Kind::text ? '"' + w.text + '"' : w.text);
    throw UsageError(where + entry.key + " takes " + setting.rule() + ", not " +
                     io::in_quotes(entry.list ? "[" + found + "]" : found));
}

// Sets those that `leaves` does not leave alone; returns how many.
int set_all(Settings& settings, const std::vector<ConfigEntry>& entries, const std::string& name,
            bool (*leaves)(const SettingBase&)) {
    std::vector<std::string> seen, known;
    int set = 0;
    for (const auto& s : settings.all())
        if (s->key != config_key) known.push_back(s->key);
    for (const ConfigEntry& entry : entries) {
        const std::string where = fmt::format("{}:{}: ", name, entry.line);
        SettingBase* setting = settings.find(entry.key);
        if (!setting || entry.key == config_key) {
            const bool table = entry.words.size() == 1 && entry.words[0].kind == Word::Kind::other && !entry.list;
            throw UsageError(where + "unknown option " + io::in_quotes(entry.key) + did_you_mean(entry.key, known) +
                             (table ? "; options stand at the top level, not in tables" : ""));
        }
        if (entry.of_augment_table && setting->key != augment_key && setting->group != augment_group)
            throw UsageError(
                where + io::in_quotes(entry.key) +
                " is no augmentation, as [augment] has them; it stands at the top level, before the table");
        if (std::find(seen.begin(), seen.end(), setting->key) != seen.end())
            throw UsageError(where + io::in_quotes(entry.key) + " appears twice");
        seen.push_back(setting->key);
        if (leaves(*setting)) continue;
        assign(*setting, entry, where);
        setting->origin = Origin::config;
        ++set;
    }
    return set;
}

}  // namespace

std::string toml_text(const std::string& text) {
    std::string toml = "\"";
    for (const char c : io::as_utf8(text)) {
        if (c == '"' || c == '\\')
            toml += std::string("\\") + c;
        else if (static_cast<unsigned char>(c) < 32 || c == 127)
            toml += fmt::format("\\u{:04x}", int(c));
        else
            toml += c;
    }
    return toml + '"';
}

void read_config_file(Settings& settings, const std::string& path) {
    const auto entries = entries_of([&] { return io::read_toml(path, purpose); });
    set_all(settings, entries, path, [](const SettingBase& s) { return s.origin == Origin::flag; });
}

int read_config_text(Settings& settings, const std::string& text, const std::string& name) {
    const auto entries = entries_of([&] { return io::parse_toml(text, name, purpose); });
    return set_all(settings, entries, name, [](const SettingBase& s) { return s.given(); });
}

std::string as_toml(const Settings& settings) {
    std::string text;
    for (const auto& s : settings.all())
        if (s->key != config_key)
            text += s->key + " = " + (s->is_list() ? "[" + toml_of(s->words()) + "]" : toml_of(s->words())) + "\n";
    return text;
}

}  // namespace atrous
