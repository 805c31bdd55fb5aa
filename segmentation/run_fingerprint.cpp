#include "segmentation/run_fingerprint.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "engine/kernel_choice.h"
#include "segmentation/settings_json.h"

namespace atrous {

static const char* key = "atrous.course";

static RunFingerprint::Samples samples_of(const std::vector<data::Sample>& samples) {
    io::Sha256 hash;
    for (const data::Sample& s : samples) hash.update(s.name.c_str(), s.name.size() + 1);  // with the 0 that ends it
    return {int64_t(samples.size()), hash.hex()};
}

RunFingerprint fingerprint_of(const Settings& settings, const data::Dataset& dataset, Device device) {
    const std::string name = name_of(device);
    RunFingerprint f{name.substr(0, name.find(':')), samples_of(dataset.train), samples_of(dataset.val),
                     libraries_on(device)};
    for (const auto& s : settings.all())
        if (s->resume != Resume::free) f.settings[s->key] = json_of(*s).dump();
    return f;
}

void add_to(io::Metadata& metadata, const RunFingerprint& f) {
    nlohmann::json settings = nlohmann::json::object();
    for (const auto& [name, value] : f.settings) settings[name] = nlohmann::json::parse(value);
    nlohmann::json course{{"device", f.device},           {"train_samples", f.train.count},
                          {"train_names", f.train.names}, {"val_samples", f.val.count},
                          {"val_names", f.val.names},     {"libraries", f.libraries.value_or("")},
                          {"settings", settings}};
    metadata[key] = course.dump();
    if (f.tuned) add_to(metadata, *f.tuned);
}

std::optional<RunFingerprint> saved_fingerprint(const io::TensorFile& file) {
    const auto at = file.metadata().find(key);
    if (at == file.metadata().end()) return std::nullopt;
    try {
        const auto json = nlohmann::json::parse(at->second);
        RunFingerprint f;
        json.at("device").get_to(f.device);
        json.at("train_samples").get_to(f.train.count);
        json.at("train_names").get_to(f.train.names);
        json.at("val_samples").get_to(f.val.count);
        json.at("val_names").get_to(f.val.names);
        if (json.contains("libraries")) f.libraries = json.at("libraries").get<std::string>();
        f.tuned = tuned_record_of(file);
        if (json.contains("settings"))
            for (const auto& [name, value] : json.at("settings").items()) f.settings[name] = value.dump();
        for (const char* name : {"batch_size", "accumulate", "last_batch", "seed"})  // all that earlier files have
            if (std::string setting = name; json.contains(name)) {
                std::replace(setting.begin(), setting.end(), '_', '-');
                f.settings[setting] = json.at(name).dump();
            }
        return f;
    } catch (const nlohmann::json::exception& e) {
        throw FormatError(file.path() + ": its '" + key + "' cannot be read: " + e.what());
    }
}

namespace {

// What is different, in words: "batch-size 4, seed 1" before, "batch-size 8, seed 2" now.
struct Differences {
    std::string before, now;
    bool any() const { return !now.empty(); }
    void add(const std::string& name, const std::string& old_value, const std::string& value) {
        before += (before.empty() ? "" : ", ") + name + " " + old_value;
        now += (now.empty() ? "" : ", ") + name + " " + value;
    }
};

Differences differences(const Settings& settings, const RunFingerprint& mine, const RunFingerprint& saved,
                        Resume rule) {
    Differences d;
    for (const auto& s : settings.all()) {
        const auto now = mine.settings.find(s->key);
        auto then = saved.settings.find(s->key);
        if (then == saved.settings.end()) then = saved.settings.find(s->former_key);
        if (s->resume != rule || now == mine.settings.end() || then == saved.settings.end()) continue;
        if (now->second != then->second) d.add("`" + s->key + "`", then->second, now->second);
    }
    return d;
}

std::string count_text(const RunFingerprint::Samples& now, const RunFingerprint::Samples& then) {
    return now.count != then.count ? fmt::format("{}", now.count) : fmt::format("{} others", now.count);
}

}  // namespace

FingerprintChanges compare(const Settings& settings, const RunFingerprint& mine, const RunFingerprint& saved,
                           const TrainProgress& p, const std::string& path) {
    if (const Differences fixed = differences(settings, mine, saved, Resume::fixed); fixed.any())
        throw UsageError(fmt::format(
            "{}: another training's checkpoint, of {}; the settings here are {}; resume with the config.toml it was "
            "trained with",
            path, fixed.before, fixed.now));
    Differences batches = differences(settings, mine, saved, Resume::within_epoch);
    if (!(mine.train == saved.train))
        batches.add("training samples", std::to_string(saved.train.count), count_text(mine.train, saved.train));
    if (batches.any() && p.batch > 0)
        throw UsageError(
            fmt::format("{}: stands within epoch {}, behind {} batches of {}; here {}, which makes other "
                        "batches; go on with what the epoch began with, and change it at an epoch's end",
                        path, p.epoch + 1, p.batch, batches.before, batches.now));
    FingerprintChanges changes;
    if (batches.any())
        changes.warnings.push_back(
            fmt::format("goes on with {} in place of {}; the learning rate's schedule counts steps, of which {} are "
                        "done",
                        batches.now, batches.before, p.step));
    if (const Differences said = differences(settings, mine, saved, Resume::said); said.any())
        changes.warnings.push_back(fmt::format("goes on with {} in place of {}", said.now, said.before));
    if (!(mine.val == saved.val)) {
        changes.other_validation = true;
        changes.warnings.push_back(
            fmt::format("other validation samples ({} in place of {}): the best score of before does not count, "
                        "best.safetensors begins anew",
                        count_text(mine.val, saved.val), saved.val.count));
    }
    if (mine.device != saved.device) {
        changes.warnings.push_back(
            fmt::format("was trained on {} and goes on with {}: the same training, but not the same bits", saved.device,
                        mine.device));
    } else if (saved.libraries && mine.libraries && saved.libraries != mine.libraries) {
        const auto words = [](const std::string& l) { return l.empty() ? "no library" : l; };
        changes.warnings.push_back(
            fmt::format("was trained with {} and goes on with {}: convolutions are rounded differently, the same "
                        "training, but not the same bits",
                        words(*saved.libraries), words(*mine.libraries)));
    }
    return changes;
}

}  // namespace atrous
