#include "segmentation/split_record.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/paths.h"
#include "base/text.h"

namespace atrous {

static std::string absolute(const std::string& path) { return path.empty() ? path : absolute_path(path); }

// Kept below 2^48: numbers in JSON are exact to 2^53.
static uint64_t hash_of(const std::string& text) { return data::name_hash(text, 0) >> 16; }

// data::file_key of many samples: a folder's path is resolved once.
class FileKeys {
 public:
    std::string of(const data::Sample& sample) {
        const std::string& path = sample.image_path;
        const size_t slash = path.rfind('/');
        const std::string name = path.substr(slash + 1);
        std::error_code error;
        const bool plain = slash != std::string::npos && slash > 0 && !name.empty() && name != "." && name != ".." &&
                           std::filesystem::is_regular_file(std::filesystem::symlink_status(path, error));
        if (!plain) return data::file_key(sample);
        const auto [folder, fresh] = folders_.try_emplace(path.substr(0, slash));
        if (fresh) folder->second = canonical_path(folder->first);
        return folder->second.ends_with('/') ? folder->second + name : folder->second + "/" + name;
    }

 private:
    std::map<std::string, std::string> folders_;
};

static void keep_smallest(std::vector<uint64_t>& hashes) {
    std::sort(hashes.begin(), hashes.end());
    hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
    if (hashes.size() > sketch_size) hashes.resize(sketch_size);
}

static std::map<std::string, std::string> settings_of(const data::DatasetOptions& o) {
    std::map<std::string, std::string> settings{{"images", o.images},
                                                {"masks", o.masks},
                                                {"val-images", o.val_images},
                                                {"val-masks", o.val_masks},
                                                {"test-images", o.test_images},
                                                {"test-masks", o.test_masks},
                                                {"fold", o.fold},
                                                {"group-pattern", o.group_pattern}};
    if (o.rle_order != "auto") settings["rle-order"] = o.rle_order;
    if (o.split_by_class) settings["split-by-class"] = "true";
    if (o.val_every > 0) settings["val-every"] = std::to_string(o.val_every);
    std::erase_if(settings, [](const auto& s) { return s.second.empty(); });
    return settings;
}

SplitRecord record_split(const data::DatasetOptions& options, const data::Dataset& dataset) {
    SplitRecord split{.train_list = absolute(options.train_list),
                      .val_list = absolute(options.val_list),
                      .val_pattern = options.val_pattern,
                      .settings = settings_of(options),
                      .val_fraction = options.val_fraction,
                      .seed = options.seed,
                      .trained = int64_t(dataset.train.size()),
                      .validated = int64_t(dataset.val.size()),
                      .sketch = {},
                      .files = {}};
    FileKeys keys;
    for (const data::Sample& sample : dataset.train) {
        split.sketch.push_back(hash_of(sample.name));
        if (!sample.image_path.empty()) split.files.push_back(hash_of(keys.of(sample)));
    }
    keep_smallest(split.sketch);
    keep_smallest(split.files);
    return split;
}

SplitRecord joined(SplitRecord now, const SplitRecord& before) {
    now.sketch.insert(now.sketch.end(), before.sketch.begin(), before.sketch.end());
    keep_smallest(now.sketch);
    now.files.insert(now.files.end(), before.files.begin(), before.files.end());
    keep_smallest(now.files);
    now.trained = std::max({now.trained, before.trained, int64_t(now.sketch.size())});
    return now;
}

int64_t trained_among(const SplitRecord& split, const std::vector<data::Sample>& samples) {
    const auto is_among = [](const std::vector<uint64_t>& hashes, const std::string& text) {
        return std::binary_search(hashes.begin(), hashes.end(), hash_of(text));
    };
    int64_t by_name = 0, by_file = 0, found = 0;
    FileKeys keys;
    for (const data::Sample& sample : samples) {
        const bool name = is_among(split.sketch, sample.name);
        const bool file = !split.files.empty() && !sample.image_path.empty() && is_among(split.files, keys.of(sample));
        by_name += name, by_file += file, found += name || file;
    }
    if (split.sketch.size() < sketch_size || found == 0) return found;
    const double share = double(split.trained) / double(split.sketch.size());
    const int64_t estimate = std::llround(double(std::max(by_name, by_file)) * share);
    return std::min(std::max(estimate, found), int64_t(samples.size()));
}

std::string text_of(const SplitRecord& split) {
    std::string text;
    for (const auto& [key, value] : split.settings)
        text += key == "split-by-class" ? fmt::format("`{}` ", key) : fmt::format("`{}` '{}' ", key, value);
    if (!split.train_list.empty()) text += "`train-list` '" + split.train_list + "' ";
    if (!split.val_list.empty()) return text + "`val-list` '" + split.val_list + "'";
    if (!split.val_pattern.empty()) return text + "`val-pattern` '" + split.val_pattern + "'";
    if (split.settings.contains("val-every")) return text.substr(0, text.size() - 1);
    if (split.settings.contains("fold")) return text + fmt::format("`seed` {}", split.seed);
    return text + fmt::format("`val-fraction` {:g} `seed` {}", split.val_fraction, split.seed);
}

void to_json(nlohmann::json& json, const SplitRecord& s) {
    json = {{"train_list", io::as_utf8(s.train_list)},
            {"val_list", io::as_utf8(s.val_list)},
            {"val_pattern", io::as_utf8(s.val_pattern)},
            {"seed", s.seed},
            {"val_fraction", s.val_fraction},
            {"trained", s.trained},
            {"validated", s.validated},
            {"trained_sketch", s.sketch},
            {"trained_files", s.files}};
    for (const auto& [key, value] : s.settings) json["settings"][key] = io::as_utf8(value);
}

}  // namespace atrous
