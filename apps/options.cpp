// CLI11 stays in this file.
#include "apps/options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "apps/exit_codes.h"
#include "apps/ui/terminal.h"
#include "base/error.h"
#include "base/suggest.h"
#include "base/text.h"
#include "segmentation/config_file.h"

namespace atrous::app {
namespace {

using io::in_quotes;

// What CLI11 found for one option.
struct Parsed {
    SettingBase* option = nullptr;
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

std::string spelled(const SettingBase& s) { return s.is_positional ? s.key : "--" + s.key; }

// As CLI11 takes it: "-b,--batch-size".
static std::string cli_names(const SettingBase& s) {
    return s.is_positional || !s.short_name ? spelled(s) : fmt::format("-{},--{}", s.short_name, s.key);
}

Options::Options(std::string verb, std::string about) : verb_(std::move(verb)), about_(std::move(about)) {
    bind(config_key, config_, "TOML file with values for these options; the command line overrides it")
        .common()
        .when_resumed(Resume::free);
}

void Options::refuse(const std::string& what) const {
    throw UsageError(fmt::format("{} (`atrous {} -h` lists the options)", what, verb_));
}

void Options::parse(int argc, const char* const* argv) {
    parse(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

void Options::parse(const std::vector<std::string>& words) {
    read_command_line(words);
    try {
        if (!config_.empty()) read_config_file(*this, config_);
    } catch (const UsageError& e) {
        refuse(e.what());
    }
    check_required();
}

void Options::read_command_line(const std::vector<std::string>& words) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();  // refused below, with a suggestion
    bool help_wanted = false;
    app.add_flag("-h,--help,--help-all", help_wanted);
    std::vector<Parsed> parsed(all().size());  // not resized any more: CLI11 writes into it
    for (size_t i = 0; i < all().size(); ++i) {
        SettingBase& o = *all()[i];
        Parsed& p = parsed[i];
        p.option = &o;
        if (o.is_flag())
            p.cli = app.add_flag(cli_names(o) + ",!--no-" + o.key, p.flag);
        else
            p.cli = o.is_list() ? app.add_option(cli_names(o), p.words) : app.add_option(cli_names(o), p.word);
        if (!o.is_list() && !o.is_positional) p.cli->take_last();  // a script's flags, and one's own behind them
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
            refuse(fmt::format("{} takes {}, not {}{}", spelled(*p.option), p.option->rule(), in_quotes(p.as_typed()),
                               did_you_mean(p.as_typed(), p.option->choices())));
        p.option->origin = Origin::flag;
    }
}

// CLI11 says "--lr: 1 required TEXT missing"; the option's own rule says more.
std::string Options::reworded(const std::string& complaint) const {
    for (const auto& o : all()) {
        if (!complaint.starts_with(spelled(*o) + ":")) continue;
        if (complaint.find(" missing") != complaint.npos) return spelled(*o) + " needs a value: " + o->rule();
        if (complaint.find("At Most") != complaint.npos) return spelled(*o) + " is given more than once";
    }
    return complaint;
}

void Options::check_required() const {
    for (const auto& o : all())
        if (o->is_required && o->origin == Origin::by_default)
            refuse(fmt::format("{} is missing: {}", spelled(*o), with_flags(o->help.substr(0, o->help.find(';')))));
}

std::string Options::spelled_similar_to(const std::string& word) const {
    if (!word.starts_with("-")) return "";
    std::vector<std::string> known = {"--help"};
    for (const auto& o : all())
        if (!o->is_positional) {
            if (!o->former_key.empty() && word.substr(0, word.find('=')) == "--" + o->former_key)
                return "; its name is --" + o->key + " now";
            known.push_back("--" + o->key);
            if (o->is_flag()) known.push_back("--no-" + o->key);
        }
    return did_you_mean(word.substr(0, word.find('=')), known);
}

std::vector<TableRow> Options::table() const {
    std::vector<TableRow> rows;
    size_t others = 0;
    for (const auto& o : all()) {
        if (o->key == config_key) continue;
        const bool asked = o->origin == Origin::flag || o->origin == Origin::checkpoint;
        if (asked || o->differs())
            rows.push_back({o->key, o->shown(), o->origin == Origin::by_default ? "found" : name_of(o->origin)});
        else
            ++others;
    }
    rows.push_back({fmt::format("({} others)", others), "as -h says", "default"});
    return rows;
}

std::vector<std::string> Options::without_effect() const {
    std::vector<std::string> lines;
    for (const auto& s : all())
        if (s->origin == Origin::flag && s->counts && !s->counts())
            lines.push_back(
                fmt::format("{} changes nothing here: it belongs to {}", spelled(*s), with_flags(s->counts_with)));
    return lines;
}

}  // namespace atrous::app
