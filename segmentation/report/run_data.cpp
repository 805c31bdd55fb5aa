#include "segmentation/report/run_data.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "base/toml_file.h"
#include "segmentation/experiment.h"
#include "segmentation/report/run_facts.h"

namespace atrous::report {

namespace {

using io::as_utf8;

// ---- config.toml

std::vector<Word> words_of(const io::TomlValue& value) {
    const auto word = [](const io::TomlValue& v) {
        using Kind = io::TomlValue::Kind;
        const auto kind = v.kind == Kind::text      ? Word::Kind::text
                          : v.kind == Kind::integer ? Word::Kind::integer
                          : v.kind == Kind::number  ? Word::Kind::number
                          : v.kind == Kind::boolean ? Word::Kind::boolean
                                                    : Word::Kind::other;
        return Word{v.text, kind};
    };
    std::vector<Word> words;
    if (value.kind != io::TomlValue::Kind::list) return {word(value)};
    for (const io::TomlValue& item : value.items) words.push_back(word(item));
    return words;
}

Json texts_of(const std::vector<Word>& words) {
    Json texts = Json::array();
    for (const Word& word : words) texts.push_back(as_utf8(word.text));
    return texts;
}

Json json_of(const SettingBase& s) {
    return {{"key", s.key},
            {"group", s.group},
            {"value", as_utf8(s.shown())},
            {"default", as_utf8(s.shown_default())},
            {"differs", s.differs()},
            {"is_flag", s.is_flag()},
            {"words", texts_of(s.words())}};
}

std::string joined(const std::vector<Word>& words) {
    std::string text;
    for (const Word& word : words) text += (text.empty() ? "" : " ") + word.text;
    return text;
}

Json unknown_setting(const std::string& key, const std::vector<Word>& words) {
    return {{"key", as_utf8(key)},
            {"group", "Of another version"},
            {"value", as_utf8(joined(words))},
            {"default", Json()},
            {"differs", true},
            {"is_flag", false},
            {"words", texts_of(words)}};
}

Json settings_of(const std::string& path, Json& notes) {
    Experiment experiment;
    Settings settings;
    describe(settings, experiment);
    Json all = Json::array(), unknown = Json::array();
    try {
        for (const auto& [written, value] : io::read_toml(path, {"configuration file", "batch-size = 8"}).entries) {
            std::string key = written;
            std::replace(key.begin(), key.end(), '_', '-');
            SettingBase* setting = settings.find(key);
            const std::vector<Word> words = words_of(value);
            if (!setting || !setting->assign(words)) unknown.push_back(unknown_setting(key, words));
        }
    } catch (const Error& e) {
        notes.push_back(as_utf8(fmt::format("{}; settings are left out", e.what())));
        return all;
    }
    for (const auto& setting : settings.all())
        if (setting->key != "config") all.push_back(json_of(*setting));
    if (!unknown.empty())
        notes.push_back(fmt::format("{}: {} setting{} of another version, shown as written", as_utf8(path),
                                    unknown.size(), unknown.size() == 1 ? "" : "s"));
    all.insert(all.end(), unknown.begin(), unknown.end());
    return all;
}

// ---- metrics.csv

std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields(1);
    for (const char c : line) c == ',' ? void(fields.emplace_back()) : fields.back().push_back(c);
    return fields;
}

Json column_of(const std::string& key) {
    const std::string metric = key.starts_with("val_") ? key.substr(4) : "";
    if (Metric::catalogue().find(metric)) {
        const Metric& m = Metric::catalogue().at(metric);
        return {{"key", as_utf8(key)},
                {"title", title_of(m)},
                {"higher_is_better", m.higher_is_better},
                {"monitor", as_utf8(m.monitor)},
                {"detail", m.detail}};
    }
    Json higher_is_better;  // not known
    if (key == "val_loss" || key == "train_loss") higher_is_better = false;
    return {{"key", as_utf8(key)}, {"title", as_utf8(key)}, {"higher_is_better", higher_is_better}};
}

// Empty: not defined. Nothing where the text is no number.
std::optional<Json> number_of(const std::string& text) {
    if (text.empty()) return Json();
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (*end) return std::nullopt;
    return number(value);
}

std::optional<Json> row_of(const std::string& line, size_t columns) {
    const std::vector<std::string> fields = fields_of(line);
    if (fields.size() != columns) return std::nullopt;
    Json row = Json::array();
    for (const std::string& field : fields) {
        const std::optional<Json> value = number_of(field);
        if (!value) return std::nullopt;
        row.push_back(*value);
    }
    return row;
}

Json metrics_of(const std::string& path, Json& notes) {
    Json columns = Json::array(), rows = Json::array();
    std::ifstream in(path);
    std::string line;
    if (!std::getline(in, line)) notes.push_back(as_utf8(path) + ": is missing or empty, so that there are no curves");
    const std::vector<std::string> keys = line.empty() ? std::vector<std::string>{} : fields_of(line);
    for (const std::string& key : keys) columns.push_back(column_of(key));
    for (int64_t number = 2; std::getline(in, line); ++number)
        if (std::optional<Json> row = row_of(line, keys.size()))
            rows.push_back(std::move(*row));
        else
            notes.push_back(fmt::format("{}:{}: is cut off or damaged, and left out", as_utf8(path), number));
    return {{"columns", columns}, {"rows", rows}};
}

// ---- log.txt

Json warnings_of(const std::string& path) {
    constexpr int most = 30;
    constexpr std::string_view mark = "warning: ";
    std::ifstream in(path);
    Json warnings = Json::array();
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(mark)) warnings.push_back(as_utf8(line.substr(mark.size())));
    if (warnings.size() > size_t(most)) warnings.erase(warnings.begin(), warnings.end() - most);
    return warnings;
}

// ---- report.json

int64_t last_epoch_of(const Json& list, const std::function<Json(const Json&)>& epoch) {
    const Json last = list.empty() ? Json() : epoch(list.back());
    return last.is_number() ? last.get<int64_t>() : 0;
}

// The rows of metrics.csv go further where the record could not be written, or where a version without reports went on
// with the run: another epoch may have become the best.
void distrust_old_record(Json& record, const Json& metrics, Json& notes) {
    const int64_t noted = last_epoch_of(
        record["epochs"], [](const Json& e) { return e.is_object() ? e.value("epoch", Json()) : Json(); });
    const int64_t trained =
        last_epoch_of(metrics["rows"], [](const Json& row) { return row.empty() ? Json() : row[0]; });
    if (noted >= trained || (record["epochs"].empty() && record["best"].empty())) return;
    record["best"] = Json::object();
    notes.push_back(
        fmt::format("{}: ends at epoch {}, metrics.csv at epoch {}; what it says of the best epoch is left out",
                    record_name, noted, trained));
}

// Without what names the same folder at its end: "runs/1/" and "runs/1/." are runs/1.
std::string plain_path(std::string path) {
    while (path.size() > 1 && (path.ends_with('/') || path.ends_with("/."))) path.pop_back();
    return path;
}

}  // namespace

Json run_data(const std::string& folder, Json* record) {
    if (!is_folder(folder)) throw IoError(folder + ": is no folder; expected the run folder of a training");
    Json run, notes = Json::array();
    std::string note;
    const std::string path = plain_path(absolute_path(folder));
    run["name"] = as_utf8(std::filesystem::path(path).filename().string());
    run["folder"] = as_utf8(path);
    run["settings"] = settings_of(folder + "/config.toml", notes);
    run["metrics"] = metrics_of(folder + "/metrics.csv", notes);
    run["warnings"] = warnings_of(folder + "/log.txt");
    Json read = record ? Json() : read_record(folder, note);
    if (!record) distrust_old_record(read, run["metrics"], notes);
    if (!note.empty()) notes.push_back(as_utf8(note));
    Json& shown = run["record"] = std::move(record ? *record : read);
    shown.erase("best_before");
    run["notes"] = notes;
    return run;
}

}  // namespace atrous::report
