#include "segmentation/report/run_record.h"

#include <fmt/core.h>

#include <cmath>
#include <fstream>

#include "base/durable_file.h"
#include "base/paths.h"
#include "segmentation/outputs.h"

namespace atrous::report {

Json number(double value) {
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    return std::isnan(value) ? Json() : Json(value);
}

static std::string text_of(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

void write_json(const Json& value, const std::function<void(const std::string& piece)>& write) {
    if (!value.is_structured()) return write(text_of(value));
    const bool is_object = value.is_object();
    std::string before = is_object ? "{" : "[";
    for (const auto& [key, item] : value.items()) {
        write(is_object ? before + text_of(Json(key)) + ":" : before);
        write_json(item, write);
        before = ",";
    }
    if (value.empty()) write(before);
    write(is_object ? "}" : "]");
}

Json new_record() {
    Json record;
    record[std::string(json_mark_key)] = json_mark;  // first, so that the file is known by its beginning
    record["format"] = record_format;
    for (const char* table : {"net", "data", "best"}) record[table] = Json::object();
    for (const char* list : {"classes", "sessions", "terms", "steps", "epochs"}) record[list] = Json::array();
    return record;
}

// Every part is there and of its type; what is in them may still be anything.
static bool has_parts(const Json& record) {
    if (!record.is_object()) return false;
    const Json expected = new_record();
    for (const auto& [key, part] : expected.items())
        if (!record.contains(key) || record[key].is_object() != part.is_object() ||
            record[key].is_array() != part.is_array())
            return false;
    return true;
}

Json read_record(const std::string& folder, std::string& note) {
    note.clear();
    const std::string path = folder + "/" + record_name;
    if (!path_exists(path)) {
        note = path + ": is not there, so that there are no tables by class and no pictures";
        return new_record();
    }
    std::ifstream in(path, std::ios::binary);
    Json record = Json::parse(in, nullptr, false);
    if (record.is_object() && record.contains("format") && record["format"].is_number() &&
        record["format"] != record_format)
        note = fmt::format("{}: is of format {}, expected {}; it is left out", path, record["format"].dump(),
                           record_format);
    else if (!has_parts(record))
        note = path + ": is damaged and left out";
    return note.empty() ? record : new_record();
}

void write_record(const std::string& folder, const Json& record, bool keep_previous) {
    const auto fill = [&](io::FileSink& sink) {
        write_json(record, [&](const std::string& piece) { sink.write(std::string_view(piece)); });
    };
    io::write_durably(folder + "/" + record_name, fill, {.keep_previous = keep_previous});
}

static int64_t integer(const Json& value, int64_t otherwise) {
    return value.is_number() ? value.get<int64_t>() : otherwise;
}

void forget_after(Json& record, int64_t epochs, int64_t step, int64_t best_epoch) {
    const auto drop = [](Json& list, const auto& is_late) {
        Json kept = Json::array();
        for (Json& item : list)
            if (!is_late(item)) kept.push_back(std::move(item));
        list = std::move(kept);
    };
    drop(record["epochs"],
         [&](const Json& e) { return !e.is_object() || integer(e.value("epoch", Json()), 0) > epochs; });
    drop(record["steps"], [&](const Json& s) { return !s.is_array() || s.empty() || integer(s[0], 0) > step; });
    const auto is_best = [&](const Json& best) {
        return best.is_object() && best_epoch >= 0 && integer(best.value("epoch", Json()), 0) == best_epoch + 1;
    };
    if (!is_best(record["best"]))
        record["best"] = is_best(record["best_before"]) ? record["best_before"] : Json::object();
    record.erase("best_before");
}

}  // namespace atrous::report
