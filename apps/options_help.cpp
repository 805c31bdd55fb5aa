// The text for -h.
#include <algorithm>

#include "apps/options.h"
#include "apps/ui/terminal.h"
#include "base/text_columns.h"

namespace atrous::app {
namespace {

constexpr int help_column = 30;

// "  -b, --batch-size INTEGER    text behind it, wrapped"
std::string help_line(const std::string& left, const std::string& right, int width) {
    std::string text, begin = "  " + left;
    for (const std::string& part : wrap(right, width - help_column)) {
        if (columns_of(begin) >= help_column) {
            text += begin + "\n";
            begin.clear();
        }
        text += begin + std::string(size_t(help_column - columns_of(begin)), ' ') + part + "\n";
        begin.clear();
    }
    return text;
}

std::string help_line(const SettingBase& o, int width) {
    const std::string value = o.shown();
    const bool no_default = value.empty() || value == "\"\"" || (o.is_flag() && value == "false");
    std::string notes = o.restricted() ? o.rule() : "";
    const std::string state = o.is_required ? "required"
                              : no_default  ? ""
                                            : "default " + value + (o.unit_name.empty() ? "" : " " + o.unit_name);
    if (!state.empty()) notes += (notes.empty() ? "" : "; ") + state;
    const std::string names = (o.short_name ? std::string{'-', o.short_name} + ", " : "") + spelled(o);
    return help_line(names + (o.is_flag() || o.is_positional ? "" : " " + o.kind()),
                     with_flags(o.help) + (notes.empty() ? "" : " [" + notes + "]"), width);
}

}  // namespace

std::string Options::help(int width, bool whole) const {
    width = std::clamp(width, 60, 110);
    std::string usage = "usage: atrous " + verb_ + " [options]", text;
    std::vector<std::string> groups = {"Options"};
    for (const auto& o : all()) {
        if (std::find(groups.begin(), groups.end(), o->group) == groups.end()) groups.push_back(o->group);
        if (!o->is_positional) continue;
        const std::string name = o->key + (o->is_list() ? "..." : "");
        usage += o->is_required ? " " + name : " [" + name + "]";
    }
    size_t left_out = 0;
    for (const std::string& group : groups) {
        std::string lines;
        if (group == groups.front()) {
            lines += help_line("-h, --help", "this text", width);
            if (!examples_.empty()) lines += help_line("--help-all", "every option", width);
        }
        for (const auto& o : all()) {
            if (o->group != group) continue;
            const bool shown = whole || o->is_common || o->is_required || o->is_positional;
            if (shown) lines += help_line(*o, width);
            left_out += !shown;
        }
        if (!lines.empty()) text += "\n" + group + ":\n" + lines;
    }
    std::string examples;
    for (const std::string& line : examples_) examples += "  " + line + "\n";
    if (!examples.empty()) examples = "\nexamples:\n" + examples;
    if (left_out) text += "\n" + std::to_string(left_out) + " more: atrous " + verb_ + " --help-all\n";
    return about_ + "\n\n" + usage + "\n" + examples + text;
}

}  // namespace atrous::app
