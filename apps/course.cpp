#include "apps/course.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/sha256.h"

namespace atrous::app {

static const char* key = "atrous.course";

Course::Samples samples_of(const std::vector<data::Sample>& samples) {
    io::Sha256 hash;
    for (const data::Sample& s : samples) hash.update(s.name.c_str(), s.name.size() + 1);  // with the 0 that ends it
    return {int64_t(samples.size()), hash.hex()};
}

void add_to(io::Metadata& metadata, const Course& c) {
    metadata[key] = nlohmann::json{
        {"batch_size", c.batch_size},
        {"accumulate", c.accumulate},
        {"last_batch", c.last_batch},
        {"device", c.device},
        {"seed", c.seed},
        {"train_samples", c.train.count},
        {"train_names", c.train.names},
        {"val_samples", c.val.count},
        {"val_names",
         c.val.names}}.dump();
}

std::optional<Course> course_of(const io::TensorFile& file) {
    const auto at = file.metadata().find(key);
    if (at == file.metadata().end()) return std::nullopt;
    try {
        const auto json = nlohmann::json::parse(at->second);
        Course c;
        json.at("batch_size").get_to(c.batch_size);
        json.at("accumulate").get_to(c.accumulate);
        json.at("last_batch").get_to(c.last_batch);
        json.at("device").get_to(c.device);
        json.at("seed").get_to(c.seed);
        json.at("train_samples").get_to(c.train.count);
        json.at("train_names").get_to(c.train.names);
        json.at("val_samples").get_to(c.val.count);
        json.at("val_names").get_to(c.val.names);
        return c;
    } catch (const nlohmann::json::exception& e) {
        throw FormatError(file.path() + ": its '" + key + "' cannot be read: " + e.what());
    }
}

static std::string words_of(const Course::Samples& now, const Course::Samples& then) {
    return now.count != then.count ? fmt::format("{}", now.count) : fmt::format("{} others", now.count);
}

CourseChanges compare(const Course& mine, const Course& saved, const TrainProgress& p, const std::string& path) {
    std::string then, now;  // what decides which images are a batch
    const auto differ = [&](const char* name, const auto& before, const auto& after) {
        then += fmt::format("{}{} {}", then.empty() ? "" : ", ", name, before);
        now += fmt::format("{}{} {}", now.empty() ? "" : ", ", name, after);
    };
    if (mine.batch_size != saved.batch_size) differ("batch size", saved.batch_size, mine.batch_size);
    if (mine.last_batch != saved.last_batch) differ("last batch", saved.last_batch, mine.last_batch);
    if (mine.seed != saved.seed) differ("seed", saved.seed, mine.seed);
    if (!(mine.train == saved.train)) differ("training samples", saved.train.count, words_of(mine.train, saved.train));
    if (!now.empty() && p.batch > 0)
        throw UsageError(
            fmt::format("{}: stands within epoch {}, behind {} batches of {}; here {}, which makes other "
                        "batches; go on with what the epoch began with, and change it at an epoch's end",
                        path, p.epoch + 1, p.batch, then, now));
    CourseChanges changes;
    if (mine.accumulate != saved.accumulate) differ("accumulate", saved.accumulate, mine.accumulate);
    if (!now.empty())
        changes.warnings.push_back(
            fmt::format("goes on with {} in place of {}; the learning rate's schedule counts "
                        "steps, of which {} are done",
                        now, then, p.step));
    if (!(mine.val == saved.val)) {
        changes.other_validation = true;
        changes.warnings.push_back(
            fmt::format("other validation samples ({} in place of {}): the best Dice of before "
                        "does not count, best.safetensors begins anew",
                        words_of(mine.val, saved.val), saved.val.count));
    }
    if (mine.device != saved.device)
        changes.warnings.push_back(
            fmt::format("was trained on {} and goes on with {}: the same training, but not the "
                        "same bits",
                        saved.device, mine.device));
    return changes;
}

}  // namespace atrous::app
