// CLI11 stays in this file.
#include "apps/options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/exit_codes.h"
#include "apps/ui/suggest.h"
#include "apps/ui/terminal.h"
#include "base/error.h"
#include "base/text.h"

namespace atrous::app {
namespace {

using io::in_quotes;

// The longest of "-b,--batch-size", without dashes.
std::string key_of(const std::string& names) {
    std::string best;
    for (size_t at = 0; at <= names.size();) {
        const size_t comma = std::min(names.find(',', at), names.size());
        const std::string name = names.substr(at, comma - at);
        const std::string bare = name.substr(std::min(name.find_first_not_of('-'), name.size()));
        if (bare.size() > best.size()) best = bare;
        at = comma + 1;
    }
    return best;
}

// What CLI11 found for one option.
struct Parsed {
    OptionBase* option = nullptr;
    CLI::Option* cli = nullptr;
    bool flag = false;
    std::string word;
    std::vector<std::string> words;

    std::vector<Word> given() const {
        if (option->is_flag()) return {{flag ? "true" : "false"}};
        if (!option->is_list()) return {{word.empty() && option->when_alone ? *option->when_alone : word}};
        std::vector<Word> all;
        for (const std::string& w : words) all.push_back({w});
        return all;
    }
    std::string as_typed() const {
        std::string text;
        for (const Word& w : given()) text += (text.empty() ? "" : " ") + w.text;
        return text;
    }
};

}  // namespace

const char* name_of(Origin origin) {
    static constexpr const char* names[] = {"default", "checkpoint", "config", "flag"};
    return names[size_t(origin)];
}

OptionBase::OptionBase(std::string names_, std::string help_)
    : names(std::move(names_)), key(key_of(names)), help(std::move(help_)) {}

Options::Options(std::string verb, std::string about) : verb_(std::move(verb)), about_(std::move(about)) {
    config_ = &text("--config", "", "TOML file with values for these options; the command line overrides it");
}
Options::~Options() = default;

template <class T>
Option<T>& Options::add(std::string names, T value, std::string help) {
    auto option = std::make_unique<Option<T>>(std::move(names), std::move(value), std::move(help));
    Option<T>& added = *option;
    added.group = group_;
    options_.push_back(std::move(option));
    return added;
}

Option<std::string>& Options::text(std::string names, std::string value, std::string help) {
    return add(std::move(names), std::move(value), std::move(help));
}
Option<std::string>& Options::choice(std::string names, std::vector<std::string> words, std::string value,
                                     std::string help) {
    return add(std::move(names), std::move(value), std::move(help)).choices(std::move(words));
}
Option<int64_t>& Options::integer(std::string names, int64_t value, std::string help) {
    return add(std::move(names), value, std::move(help));
}
Option<double>& Options::number(std::string names, double value, std::string help) {
    return add(std::move(names), value, std::move(help));
}
Option<bool>& Options::flag(std::string names, std::string help, bool value) {
    return add(std::move(names), value, std::move(help));
}
Option<std::vector<std::string>>& Options::texts(std::string names, std::vector<std::string> value, std::string help) {
    return add(std::move(names), std::move(value), std::move(help));
}
Option<std::vector<int64_t>>& Options::integers(std::string names, std::vector<int64_t> value, std::string help) {
    return add(std::move(names), std::move(value), std::move(help));
}
Option<std::vector<double>>& Options::numbers(std::string names, std::vector<double> value, std::string help) {
    return add(std::move(names), std::move(value), std::move(help));
}

void Options::refuse(const std::string& what) const {
    throw UsageError(fmt::format("{} (`atrous {} -h` lists the options)", what, verb_));
}

void Options::parse(int argc, const char* const* argv) {
    parse(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

void Options::parse(const std::vector<std::string>& words) {
    read_command_line(words);
    if (!config_->value.empty()) read_config_file(config_->value);
    check_required();
}

void Options::read_command_line(const std::vector<std::string>& words) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();  // refused below, with a suggestion
    bool help_wanted = false;
    app.add_flag("-h,--help,--help-all", help_wanted);
    std::vector<Parsed> parsed(options_.size());  // not resized any more: CLI11 writes into it
    for (size_t i = 0; i < options_.size(); ++i) {
        OptionBase& o = *options_[i];
        Parsed& p = parsed[i];
        p.option = &o;
        if (o.is_flag())
            p.cli = app.add_flag(o.names + ",!--no-" + o.key, p.flag);
        else
            p.cli = o.is_list() ? app.add_option(o.names, p.words) : app.add_option(o.names, p.word);
        if (!o.is_list() && !o.positional()) p.cli->take_last();  // a script's flags, and one's own behind them
        if (o.when_alone) p.cli->expected(0, 1);
    }
    const bool all_wanted = examples_.empty() || std::count(words.begin(), words.end(), "--help-all") > 0;
    const auto help_text = [&] { return TextRequested{help(terminal_width(stdout), all_wanted)}; };
    try {
        app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them last first
    } catch (const CLI::ParseError& e) {
        if (std::any_of(words.begin(), words.end(), [](const auto& w) { return w == "-h" || w.starts_with("--help"); }))
            throw help_text();
        refuse(reworded(e.what()));
    }
    if (help_wanted) throw help_text();
    for (const std::string& extra : app.remaining())
        if (extra != "--") refuse("unknown argument " + in_quotes(extra) + spelled_similar_to(extra));
    for (const Parsed& p : parsed) {
        if (p.cli->count() == 0) continue;
        if (!p.option->assign(p.given()))
            refuse(fmt::format("{} takes {}, not {}{}", p.option->spelled(), p.option->rule(), in_quotes(p.as_typed()),
                               did_you_mean(p.as_typed(), p.option->words())));
        p.option->origin = Origin::flag;
    }
}

// CLI11 says "--lr: 1 required TEXT missing"; the option's own rule says more.
std::string Options::reworded(const std::string& complaint) const {
    for (const auto& o : options_) {
        if (!complaint.starts_with(o->spelled() + ":")) continue;
        if (complaint.find(" missing") != complaint.npos) return o->spelled() + " needs a value: " + o->rule();
        if (complaint.find("At Most") != complaint.npos) return o->spelled() + " is given more than once";
    }
    return complaint;
}

void Options::read_config_file(const std::string& path) {
    std::vector<std::string> seen, known;
    for (const auto& o : options_)
        if (o.get() != config_) known.push_back(o->key);
    for (const ConfigEntry& entry : read_config(path)) {
        const std::string where = fmt::format("{}:{}: ", path, entry.line);
        const auto at =
            std::find_if(options_.begin(), options_.end(), [&](const auto& o) { return o->key == entry.key; });
        if (at == options_.end() || at->get() == config_) {
            const bool table = entry.words.size() == 1 && entry.words[0].kind == Word::Kind::other && !entry.list;
            refuse(where + "unknown option " + in_quotes(entry.key) + did_you_mean(entry.key, known) +
                   (table ? "; options stand at the top level, not in tables" : ""));
        }
        if (std::find(seen.begin(), seen.end(), entry.key) != seen.end())
            refuse(where + in_quotes(entry.key) + " appears twice");
        seen.push_back(entry.key);
        OptionBase& o = **at;
        if (o.origin == Origin::flag) continue;
        if ((entry.list && !o.is_list()) || !o.assign(entry.words)) {
            std::string found;
            for (const Word& w : entry.words)
                found += (found.empty() ? "" : ", ") + (w.kind == Word::Kind::text ? '"' + w.text + '"' : w.text);
            refuse(where + entry.key + " takes " + o.rule() + ", not " +
                   in_quotes(entry.list ? "[" + found + "]" : found));
        }
        o.origin = Origin::config;
    }
}

void Options::check_required() const {
    for (const auto& o : options_)
        if (o->is_required && o->origin == Origin::by_default)
            refuse(fmt::format("{} is missing: {}", o->spelled(), o->help));
}

std::string Options::spelled_similar_to(const std::string& word) const {
    if (!word.starts_with("-")) return "";
    std::vector<std::string> known = {"--help"};
    for (const auto& o : options_)
        if (!o->positional()) {
            known.push_back("--" + o->key);
            if (o->is_flag()) known.push_back("--no-" + o->key);
        }
    return did_you_mean(word.substr(0, word.find('=')), known);
}

std::vector<TableRow> Options::table() const {
    std::vector<TableRow> rows;
    size_t others = 0;
    for (const auto& o : options_) {
        if (o.get() == config_) continue;
        const bool asked = o->origin == Origin::flag || o->origin == Origin::checkpoint;
        if (asked || o->differs())
            rows.push_back({o->key, o->shown(), o->origin == Origin::by_default ? "found" : name_of(o->origin)});
        else
            ++others;
    }
    rows.push_back({fmt::format("({} others)", others), "as -h says", "default"});
    return rows;
}

std::string Options::as_toml() const {
    std::string text;
    for (const auto& o : options_)
        if (o.get() != config_) text += o->key + " = " + o->as_toml() + "\n";
    return text;
}

}  // namespace atrous::app
