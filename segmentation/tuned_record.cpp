#include "segmentation/tuned_record.h"

#include <nlohmann/json.hpp>

#include "engine/tuning_file.h"

namespace atrous {

static const char* key = "atrous.tuned";

void add_to(io::Metadata& metadata, const TunedRecord& record) {
    metadata[key] =
        nlohmann::json{{"machine", record.machine}, {"kernels", nlohmann::json::parse(tuning_json(record.kernels))}}
            .dump();
}

std::optional<TunedRecord> tuned_record_of(const io::TensorFile& file) {
    const auto at = file.metadata().find(key);
    if (at == file.metadata().end()) return std::nullopt;
    try {
        const auto json = nlohmann::json::parse(at->second);
        return TunedRecord{json.at("machine").get<std::string>(), parse_tuning(json.at("kernels").dump(), file.path())};
    } catch (const nlohmann::json::exception& e) {
        throw FormatError(file.path() + ": its '" + key + "' cannot be read: " + e.what());
    }
}

}  // namespace atrous
