#include "data/split.h"

#include <fmt/core.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>
#include <optional>
#include <regex>
#include <set>

#include "base/error.h"
#include "data/class_split.h"
#include "data/few.h"

namespace atrous::data {

namespace {

// Samples that stay together, as indices into train.
struct Group {
    uint64_t hash;
    std::vector<size_t> samples;
};

// Empty where the name does not match.
std::optional<std::string> group_of(const std::string& name, const std::regex& pattern) {
    std::smatch found;
    if (!std::regex_search(name, found, pattern)) return {};
    return found.size() > 1 ? found[1].str() : found[0].str();
}

// In the order of their hashes; without a pattern every sample is a group.
std::vector<Group> groups_of(Dataset& dataset, const std::string& pattern, uint64_t seed) {
    const std::vector<Sample>& samples = dataset.train;
    std::vector<Group> groups;
    std::map<std::string, size_t> known;
    std::vector<std::string> unmatched;
    try {
        const std::regex expression(pattern);
        for (size_t i = 0; i < samples.size(); ++i) {
            const auto name = pattern.empty() ? std::nullopt : group_of(samples[i].name, expression);
            if (!name) {
                if (!pattern.empty()) unmatched.push_back(samples[i].name);
                groups.push_back({name_hash(samples[i].name, seed), {i}});
            } else if (const auto [at, fresh] = known.emplace(*name, groups.size()); fresh) {
                groups.push_back({name_hash(*name, seed), {i}});
            } else {
                groups[at->second].samples.push_back(i);
            }
        }
    } catch (const std::regex_error& e) {
        throw UsageError(fmt::format(
            "`group-pattern` '{}' is no regular expression ({}); one such as '^([^_]+)_' keeps together what its "
            "parentheses match alike",
            pattern, e.what()));
    }
    if (!unmatched.empty() && unmatched.size() == samples.size())
        throw DataError(fmt::format("`group-pattern` '{}' matches none of the samples' names, such as {}", pattern,
                                    unmatched.front()));
    if (!unmatched.empty())
        dataset.warnings.push_back(
            fmt::format("`group-pattern` matches {} of {} names; each of the others is a group by "
                        "itself: {}",
                        samples.size() - unmatched.size(), samples.size(), few_of(unmatched)));
    std::stable_sort(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
        return a.hash != b.hash ? a.hash < b.hash : a.samples < b.samples;
    });
    if (!pattern.empty() && groups.size() < 2)
        throw DataError(
            fmt::format("`group-pattern` '{}' puts all {} samples into one group, so that none can validate; its "
                        "parentheses are to match "
                        "what differs, such as a patient's number",
                        pattern, samples.size()));
    return groups;
}

void move_to_val(Dataset& dataset, const std::vector<bool>& validates) {
    std::vector<Sample> train;
    for (size_t i = 0; i < validates.size(); ++i)
        (validates[i] ? dataset.val : train).push_back(std::move(dataset.train[i]));
    dataset.train = std::move(train);
}

std::vector<ClassGroup> without_classes(const std::vector<Group>& groups) {
    std::vector<ClassGroup> out;
    for (const Group& group : groups) out.push_back({group.samples.size()});
    return out;
}

std::vector<ClassGroup> with_classes(const std::vector<Group>& groups, const SampleClasses& classes) {
    std::vector<ClassGroup> out;
    for (const Group& group : groups) {
        std::set<int> held;
        for (const size_t i : group.samples) held.insert(classes[i].begin(), classes[i].end());
        out.push_back({group.samples.size(), {held.begin(), held.end()}});
    }
    return out;
}

struct Fold {
    size_t index, of;
};

Fold parse_fold(const std::string& text) {
    long k = 0, n = 0;
    int end = 0;
    if (std::sscanf(text.c_str(), "%ld/%ld%n", &k, &n, &end) != 2 || end != int(text.size()) || k < 1 || n < 2 || k > n)
        throw UsageError(
            fmt::format("`fold` '{}' is none; expected the fold that validates and their number, such as 2/5", text));
    return {size_t(k - 1), size_t(n)};
}

}  // namespace

void split_by_fraction(Dataset& dataset, double fraction, uint64_t seed, const std::string& group_pattern,
                       const SampleClasses& classes) {
    if (!(fraction >= 0 && fraction < 1))
        throw UsageError(
            fmt::format("`val-fraction` {} is not in [0, 1); 0.1 validates on every tenth sample", fraction));
    const size_t n = dataset.train.size();
    size_t count = size_t(std::llround(fraction * double(n)));
    if (fraction > 0 && n >= 2) count = std::clamp<size_t>(count, 1, n - 1);
    if (count == 0) return;
    const std::vector<Group> groups = groups_of(dataset, group_pattern, seed);
    std::vector<bool> chosen(groups.size(), false), validates(n, false);
    size_t moved = 0;
    for (size_t g = 0; g + 1 < groups.size() && moved < count; ++g) chosen[g] = true, moved += groups[g].samples.size();
    if (!classes.empty()) keep_classes_on_both_sides(with_classes(groups, classes), chosen);
    for (size_t g = 0; g < groups.size(); ++g)
        for (const size_t i : groups[g].samples) validates[i] = chosen[g];
    move_to_val(dataset, validates);
}

void split_by_fold(Dataset& dataset, const std::string& fold, uint64_t seed, const std::string& group_pattern,
                   const SampleClasses& classes) {
    const Fold chosen = parse_fold(fold);
    const std::vector<Group> groups = groups_of(dataset, group_pattern, seed);
    if (groups.size() < chosen.of)
        throw DataError(fmt::format("`fold` {}: there are only {} {} to make folds of", fold, groups.size(),
                                    group_pattern.empty() ? "samples" : "groups"));
    const std::vector<size_t> folds =
        folds_by_class(classes.empty() ? without_classes(groups) : with_classes(groups, classes), chosen.of);
    std::vector<bool> validates(dataset.train.size(), false);
    for (size_t g = 0; g < groups.size(); ++g)
        for (const size_t i : groups[g].samples) validates[i] = folds[g] == chosen.index;
    move_to_val(dataset, validates);
}

void split_by_count(Dataset& dataset, int64_t every) {
    std::vector<size_t> order(dataset.train.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return dataset.train[a].name < dataset.train[b].name; });
    std::vector<bool> validates(order.size(), false);
    for (size_t k = 0; k < order.size() && order.size() > 1; k += size_t(every)) validates[order[k]] = true;
    move_to_val(dataset, validates);
}

void split_by_pattern(Dataset& dataset, const std::string& pattern) {
    std::vector<bool> validates;
    for (const Sample& sample : dataset.train) {
        const std::string file = std::filesystem::path(sample.image_path).filename().string();
        validates.push_back(fnmatch(pattern.c_str(), file.c_str(), 0) == 0);
    }
    move_to_val(dataset, validates);
    if (dataset.val.empty() || dataset.train.empty())
        throw DataError(
            fmt::format("`val-pattern` '{}' matches {} of the images; it is a glob on file names, such as "
                        "'*9.png'",
                        pattern, dataset.val.empty() ? "none" : "all"));
}

}  // namespace atrous::data
