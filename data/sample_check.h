// What a check finds out about one sample by decoding its image and its mask.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/image_check.h"
#include "data/image_print.h"

namespace atrous::data {

inline constexpr int32_t not_counted = -2;

// Up to so many values of a mask are kept whatever the rule is; of more those that the rule tells apart.
inline constexpr size_t most_kept_values = 40;

struct SampleFacts {
    FoundImage image;
    ImagePrint print;
    std::vector<RawValue> values;     // of the mask
    bool all_values = false;          // values are those of `auto`, whatever the rule
    bool paletted = false;            // of the mask
    bool alpha_mask = false;          // one value everywhere, and an alpha that varies
    bool soft = false;                // levels between background and object, as anti-aliasing and JPEG leave them
    int32_t instances = not_counted;  // count_instances, with `auto`
    std::string problem;              // why the sample cannot be used; nothing else counts then

    // The mask's values as the rule tells them apart (raw_values).
    std::vector<RawValue> values_under(const MaskRule& rule) const;
};

SampleFacts look_at(const Sample& sample, const MaskRule& rule);

// Of all values of a mask of one channel: one level has most of the object, several others lie about, and they number no
// objects (1 to n without large gaps).
bool has_soft_edges(const std::vector<RawValue>& all, bool paletted);

// What the facts depend on, in two hashes: the sample's paths, and its files' sizes and times with what else there is of
// its mask. `state` is 0 where they cannot be known beforehand; such a sample is looked at each time.
struct SampleKey {
    uint64_t name = 0, state = 0;
};
SampleKey key_of(const Sample& sample);

// Looks at every sample, on several threads, unless the index (may be null) knows it; new facts go into the index, whose
// file is the caller's to save.
// `progress` as in CheckOptions.
std::vector<SampleFacts> look_at_samples(const std::vector<Sample>& samples, const MaskRule& rule, int threads,
                                         const std::function<void(int64_t done, int64_t of)>& progress,
                                         CheckIndex* index);

// The rule that `auto` becomes for these samples, as check_dataset decides it; another rule gets its number of classes.
MaskRule resolved_rule(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts,
                       const CheckOptions& options);

}  // namespace atrous::data
