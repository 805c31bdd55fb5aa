#include "segmentation/sweep/plan.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/toml_file.h"
#include "segmentation/config_file.h"

namespace atrous::sweep {
namespace {

constexpr io::TomlPurpose purpose{"plan of a sweep", "trainings = [\"lr=0.0001\"]"};

struct StoredPlan {
    std::vector<std::string> names;  // of the points
    std::map<std::string, std::string> settings, failures;
};

std::string text_of(const io::TomlValue& value) {
    std::string text = value.text;
    for (const io::TomlValue& item : value.items) text += item.text + "\n";
    return text;
}

std::map<std::string, std::string> texts_of(const io::TomlValue& table) {
    std::map<std::string, std::string> texts;
    for (const auto& [key, value] : table.entries) texts[key] = text_of(value);
    return texts;
}

StoredPlan read_plan(const std::string& path) {
    StoredPlan plan;
    for (const auto& [key, value] : io::read_toml(path, purpose).entries) {
        if (key == "trainings")
            for (const io::TomlValue& name : value.items) plan.names.push_back(name.text);
        if (key == "settings") plan.settings = texts_of(value);
        if (key == "failures") plan.failures = texts_of(value);
    }
    if (plan.names.empty() || plan.settings.empty())
        throw FormatError(path + ": is no plan of a sweep; choose another `output-dir`");
    return plan;
}

[[noreturn]] void refuse(const std::string& folder, const std::string& difference) {
    throw UsageError(fmt::format(
        "{}: holds another sweep, {}; give the settings it began with and go on, or choose another `output-dir`",
        folder, difference));
}

void check_settings(const std::string& folder, const StoredPlan& stored, const std::string& base) {
    for (const auto& [key, value] : texts_of(io::parse_toml(base, "the settings", purpose))) {
        const auto before = stored.settings.find(key);
        if (before == stored.settings.end() || before->second == value || changes_no_result(key)) continue;
        refuse(folder, fmt::format("of `{}` {}, here {}", key, before->second.empty() ? "\"\"" : before->second,
                                   value.empty() ? "\"\"" : value));
    }
}

void set_threads(Plan& plan, const std::string& threads) {
    Settings settings;
    Experiment e;
    describe(settings, e);
    read_config_text(settings, plan.base, "the settings");
    settings.at("threads").assign({{threads}});
    plan.base = config_of(e);
}

}  // namespace

Experiment experiment_of(const Plan& plan, const Point& point) {
    Settings settings;
    Experiment e;
    describe(settings, e);
    read_config_text(settings, plan.base, "the settings");
    for (const Value& value : point) {
        SettingBase& setting = settings.at(value.key);
        std::vector<Word> words;
        if (!setting.is_list()) words.push_back({value.text});
        for (size_t at = 0; setting.is_list() && at < value.text.size();) {
            const size_t end = std::min(value.text.find(' ', at), value.text.size());
            words.push_back({value.text.substr(at, end - at)});
            at = end + 1;
        }
        const std::string before = setting.shown();
        if (!setting.assign(words))
            throw UsageError(
                fmt::format("{}: `{}` takes {}, not {}", name_of(point), value.key, setting.rule(), value.text));
        if (setting.shown() != before) setting.origin = Origin::flag;  // what the point only repeats asks for nothing
    }
    try {
        check(settings, e);
    } catch (const UsageError& why) {
        throw UsageError(fmt::format("{}: {}", name_of(point), why.what()));
    }
    return e;
}

void write_plan(const std::string& folder, const Plan& plan) {
    std::string text = "# What `atrous sweep` trains in this folder, and the settings that all trainings share.\n";
    text += "trainings = [\n";
    for (const Point& point : plan.points) text += "  \"" + name_of(point) + "\",\n";
    text += "]\n\n[settings]\n" + plan.base;
    if (!plan.failures.empty()) text += "\n[failures]\n";
    for (const auto& [name, why] : plan.failures) text += fmt::format("{} = {}\n", toml_text(name), toml_text(why));
    io::write_durably(folder + "/" + plan_name, text);
}

std::vector<Point> continue_plan(const std::string& folder, Plan& plan, bool threads_given) {
    const std::string path = folder + "/" + plan_name;
    if (!path_exists(path)) return plan.points;
    const StoredPlan stored = read_plan(path);
    if (const auto threads = stored.settings.find("threads"); threads != stored.settings.end() && !threads_given)
        set_threads(plan, threads->second);
    check_settings(folder, stored, plan.base);
    plan.failures = stored.failures;
    std::set<std::string> before(stored.names.begin(), stored.names.end());
    std::vector<Point> added;
    for (const Point& point : plan.points)
        if (before.erase(name_of(point)) == 0) added.push_back(point);
    if (!before.empty())
        refuse(folder, fmt::format("with the training {}, which is not among those here", *before.begin()));
    return added;
}

}  // namespace atrous::sweep
