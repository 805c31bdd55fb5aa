// `atrous data check`: everything that a training would find wrong with a data set, and what else is worth knowing,
// without a net.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "data/sample_check.h"
#include "segmentation/experiment.h"
#include "segmentation/messages.h"

namespace atrous {

struct DataCheck {
    std::string folder;
    data::Dataset dataset;
    std::vector<data::Sample> samples;          // those that can be read: of train, val and test in this order
    std::vector<data::SampleFacts> facts;       // of each
    std::vector<size_t> parts;                  // how many of them each part has
    std::optional<data::DatasetReport> report;  // of train and val; none where they cannot be trained on
    std::vector<std::string> problems;          // each forbids a training; no more than the first 20 files are named
    std::vector<std::string> warnings;
    bool can_train() const { return problems.empty(); }
};

// Looks at every sample of every part. DataError where no data set is found, UsageError for settings that do not fit.
DataCheck check_data(const Experiment& experiment, Messages& messages);

// Pixels of a part by class, and how many of its masks hold each.
struct PartClasses {
    std::string name;                               // "train"
    int64_t samples = 0, ignored = 0, counted = 0;  // pixels that are ignored, and the others
    std::vector<int64_t> pixels, samples_with;
};
std::vector<PartClasses> classes_of_parts(const DataCheck& check);  // of parts that have samples; none without a report

// Images that share channels and type.
struct ImageKind {
    int channels = 0, bits = 0;  // bits: 8, 16; 32 for floats
    int64_t images = 0;
    float low = 0, high = 0;
    std::string example;
};
std::vector<ImageKind> image_kinds(const DataCheck& check);

std::string text_of(const DataCheck& check);
nlohmann::json json_of(const DataCheck& check);

}  // namespace atrous
