#include "data/sample_check.h"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/error.h"
#include "data/check_index.h"
#include "data/fingerprint.h"
#include "data/large_sample_check.h"
#include "data/parallel.h"

namespace atrous::data {

namespace {

int64_t count_of(const std::vector<RawValue>& values) {
    int64_t count = 0;
    for (const RawValue& v : values) count += v.count;
    return count;
}

void look_at_mask(const RawMask& mask, const MaskRule& rule, SampleFacts& facts) {
    const bool automatic = rule.kind == MaskKind::automatic;
    facts.values = raw_values(mask, {}, automatic ? 4096 : 256);
    facts.all_values = facts.values.size() <= most_kept_values;
    facts.paletted = !mask.palette.empty();
    facts.alpha_mask = mask.alpha_varies && facts.values.size() == 1;
    facts.soft = mask.image.c == 1 && has_soft_edges(facts.values, facts.paletted);
    if (automatic) facts.instances = int32_t(count_instances(mask, facts.values));
    if (facts.all_values)
        measure_widths(mask, facts.values);
    else if (!automatic)
        facts.values = raw_values(mask, rule);
    facts.values.shrink_to_fit();
}

// False where the file cannot be asked.
bool add_file(Fingerprint& state, const std::string& path) {
    struct stat s;
    if (::stat(path.c_str(), &s) != 0) return false;
    state.add(s.st_size).add(s.st_mtim.tv_sec).add(s.st_mtim.tv_nsec);
    // The time of the status changes too where an older file of this size takes its place.
    state.add(s.st_ctim.tv_sec).add(s.st_ctim.tv_nsec);
    return true;
}

// Of an image whose channels are files the hash is that of the files' hashes.
Image image_and_hash(const Sample& sample, uint64_t& hash) {
    if (sample.bands.empty()) {
        const std::vector<uint8_t> bytes = read_file(sample.image_path);
        hash = hash_of_bytes(bytes);
        return decode_image(bytes, sample.image_path);
    }
    Fingerprint all;
    for (const std::string& file : sample.bands) all.add(hash_of_bytes(read_file(file)));
    hash = all.value();
    return load_image(sample);
}

std::vector<RawValue> merged(const std::vector<SampleFacts>& all, const MaskRule& rule) {
    std::map<uint32_t, RawValue> values;
    for (const auto& found : all)
        for (const auto& v : found.values_under(rule))
            values.try_emplace(v.value, RawValue{v.value, 0, v.x, v.y}).first->second.count += v.count;
    std::vector<RawValue> list;
    for (const auto& [value, entry] : values) list.push_back(entry);
    return list;
}

}  // namespace

bool has_soft_edges(const std::vector<RawValue>& all, bool paletted) {
    if (paletted || all.size() < 5 || all.back().value < 128) return false;
    std::vector<RawValue> object = all;
    if (object[0].value == 0) object.erase(object.begin());
    const bool numbers = 3 * object.size() >= 2 * all.back().value && all.back().value < 200;
    const auto most = std::max_element(object.begin(), object.end(),
                                       [](const RawValue& a, const RawValue& b) { return a.count < b.count; });
    return !numbers && 2 * most->count >= count_of(object) && most->value >= 128;
}

SampleFacts look_at(const Sample& sample, const MaskRule& rule) {
    SampleFacts facts;
    try {
        if (is_large(sample)) return look_at_rows(sample, rule);
        uint64_t bytes = 0;
        const Image image = image_and_hash(sample, bytes);
        facts.image = look_at(image);
        facts.print = print_of(image, facts.image.low, facts.image.high);
        facts.print.bytes = bytes;
        look_at_mask(load_mask(sample, image.h, image.w), rule, facts);
    } catch (const DataError& error) {
        facts.problem = error.what();
    }
    return facts;
}

std::vector<RawValue> SampleFacts::values_under(const MaskRule& rule) const {
    if (rule.kind == MaskKind::automatic || !all_values) return values;
    return raw_values(values, rule);
}

SampleKey key_of(const Sample& sample) {
    Fingerprint state;
    Fingerprint name;
    bool known = add_file(state, sample.image_path);
    name.add(sample.image_path).add(sample.mask_path);
    for (const std::string& file : sample.bands) {
        known = known && add_file(state, file);
        name.add(file);
    }
    if (!sample.mask) {
        known = known && add_file(state, sample.mask_path);
    } else {
        const uint64_t mask = sample.mask->fingerprint();
        state.add(mask);
        known = known && mask != 0;
        for (const std::string& file : files_of(*sample.mask)) known = known && add_file(state, file);
    }
    return {name.value(), known ? state.value() : 0};
}

std::vector<SampleFacts> look_at_samples(const std::vector<Sample>& samples, const MaskRule& rule, int threads,
                                         const std::function<void(int64_t done, int64_t of)>& progress,
                                         CheckIndex* index) {
    std::vector<SampleFacts> all(samples.size());
    std::mutex mutex;
    int64_t done = 0;
    parallel_for(int64_t(samples.size()), threads, [&](int64_t i) {
        const Sample& sample = samples[size_t(i)];
        const SampleKey key = index ? key_of(sample) : SampleKey{};
        auto known = index ? index->find(key, rule) : std::nullopt;
        all[size_t(i)] = known ? std::move(*known) : look_at(sample, rule);
        if (index && !known) index->add(key, rule, all[size_t(i)]);
        if (!progress) return;
        const std::lock_guard lock(mutex);
        progress(++done, int64_t(samples.size()));
    });
    return all;
}

MaskRule resolved_rule(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts,
                       const CheckOptions& options) {
    require(!samples.empty(), "resolved_rule: of at least one sample");
    return resolve_mask_rule(options.rule, merged(facts, options.rule), samples[0].mask_path, options.class_count,
                             options.named_classes);
}

}  // namespace atrous::data
