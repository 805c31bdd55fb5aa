// A split record is what a checkpoint knows of its training's split, so that eval scores the samples that were held
// out, and says so where it does not.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace atrous {

struct SplitRecord {
    // These settings split the data set: DatasetOptions without the root; the lists' paths are absolute.
    std::string train_list, val_list, val_pattern;
    // `images`, `masks`, `fold` and others that choose samples, by setting: those that are given.
    std::map<std::string, std::string> settings;
    double val_fraction = 0.1;
    int64_t seed = 0;
    int64_t trained = 0, validated = 0;  // samples
    // Hashes of the names of the samples trained on, ascending: all of them where there are few, else the smallest,
    // which are a fair sample of them that does not depend on what else is in the set. A name holds on another machine;
    // `files`, likewise of the canonical paths of the images, finds a file again by whatever name.
    std::vector<uint64_t> sketch, files;
};
inline constexpr size_t sketch_size = 1024;

// Settings that say where samples lie, and, of those that split them, the ones that SplitRecord::settings has.
inline constexpr const char* place_settings[] = {"images",    "masks",       "val-images",
                                                 "val-masks", "test-images", "test-masks"};
inline constexpr const char* drawn_settings[] = {"fold", "group-pattern", "split-by-class", "val-every"};

SplitRecord record_split(const data::DatasetOptions& options, const data::Dataset& dataset);

// Joins the records of a resumed training, perhaps with other samples than before: what either part trained on.
SplitRecord joined(SplitRecord now, const SplitRecord& before);

// Counts the samples that were trained on, by their name or their file: exactly up to `sketch_size` samples trained on,
// else by an estimate, which is 0 only where none was found.
int64_t trained_among(const SplitRecord& split, const std::vector<data::Sample>& samples);

std::string text_of(const SplitRecord& split);  // "`val-fraction` 0.1 `seed` 3", as one would type it

void to_json(nlohmann::json& json, const SplitRecord& split);

}  // namespace atrous
