// Which samples of a set validate, where neither its layout nor a list says so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace atrous::data {

// Each of these moves samples from train to val, which may hold some; both keep their order.
//
// Samples whose names have the same first group of the regular expression `group_pattern`, or without groups the same
// match, stay together; a name that does not match is a group by itself, which is warned of. Empty: each sample is.
// UsageError where the expression is none, DataError where it matches no name, or all alike.

// `classes`, where it is not empty: of each sample in train the classes that it holds, ascending; each class is then on both
// sides where it can be (data/class_split.h).
using SampleClasses = std::vector<std::vector<int>>;

// Moves groups, those whose hash of (seed, name of the group) is smallest, until round(fraction * n) samples, at least one
// of two or more, are moved: adding a sample moves few others.
void split_by_fraction(Dataset& dataset, double fraction, uint64_t seed, const std::string& group_pattern = "",
                       const SampleClasses& classes = {});

// `fold`: "K/N", K from 1 to N. Groups in the order of these hashes are dealt out, each to the fold with the fewest
// samples; the K-th validates. UsageError for another form, DataError where there are fewer groups than folds.
void split_by_fold(Dataset& dataset, const std::string& fold, uint64_t seed, const std::string& group_pattern = "",
                   const SampleClasses& classes = {});

// The first, the (n+1)-th, (2n+1)-th … sample in the order of their names validates.
void split_by_count(Dataset& dataset, int64_t every);

// Those whose images' file names match the glob. DataError where none or all do.
void split_by_pattern(Dataset& dataset, const std::string& pattern);

}  // namespace atrous::data
