// Everything that determines a run's batches and its validation set, stored so that a resumed run notices a change: the
// samples, the kind of device, and the values of the settings.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/settings.h"
#include "data/dataset.h"
#include "engine/io/checkpoint.h"
#include "segmentation/tuned_record.h"

namespace atrous {

struct RunFingerprint {
    std::string device;  // a kind: cpu, cuda, …
    struct Samples {
        int64_t count = 0;
        std::string names;  // SHA-256 of the names, in order; what the files hold is not looked at
        bool operator==(const Samples&) const = default;
    } train, val;
    // The libraries that compute on the device, with versions; "": none; absent in checkpoints from before it was kept.
    std::optional<std::string> libraries = {};
    std::map<std::string, std::string> settings = {};  // JSON by key, of those that a run may not change unnoticed
    std::optional<TunedRecord> tuned = {};             // absent: none
};

RunFingerprint fingerprint_of(const Settings& settings, const data::Dataset& dataset, Device device);

void add_to(io::Metadata& metadata, const RunFingerprint& fingerprint);
// Throws FormatError where it cannot be read; returns nothing for a file from before there was one.
std::optional<RunFingerprint> saved_fingerprint(const io::TensorFile& file);

struct FingerprintChanges {
    std::vector<std::string> warnings;
    bool other_validation = false;  // scores from before are of other samples
};
// Tells how a run that stands at `progress` with `saved` may go on with `mine`, whose settings are described by
// `settings`. Throws UsageError where a fixed setting differs, and where the run stands within an epoch and the rest of
// that epoch would be other batches: samples would be seen twice and others not at all.
FingerprintChanges compare(const Settings& settings, const RunFingerprint& mine, const RunFingerprint& saved,
                           const TrainProgress& progress, const std::string& path);

}  // namespace atrous
