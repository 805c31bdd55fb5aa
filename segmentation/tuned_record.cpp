#include "segmentation/tuned_record.h"

#include <nlohmann/json.hpp>

#include "engine/tuning_file.h"

namespace atrous {

static const char *key = "atrous.tuned", *former_key = "atrous.course";

void add_to(io::Metadata& metadata, const TunedRecord& record) {
    metadata[key] =
        nlohmann::json{{"machine", record.machine}, {"kernels", nlohmann::json::parse(tuning_json(record.kernels))}}
            .dump();
}

// Files of before have it as a part of the run fingerprint.
std::optional<TunedRecord> tuned_record_of(const io::TensorFile& file) {
    const bool former = !file.metadata().contains(key);
    const auto at = file.metadata().find(former ? former_key : key);
    if (at == file.metadata().end()) return std::nullopt;
    try {
        auto json = nlohmann::json::parse(at->second);
        if (former && !json.contains("tuned")) return std::nullopt;
        if (former) json = nlohmann::json(json.at("tuned"));
        return TunedRecord{json.at("machine").get<std::string>(), parse_tuning(json.at("kernels").dump(), file.path())};
    } catch (const nlohmann::json::exception& e) {
        throw FormatError(file.path() + ": its '" + at->first + "' cannot be read: " + e.what());
    }
}

}  // namespace atrous
