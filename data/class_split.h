// Splits that keep each class on both sides. Groups are samples that stay together (data/split.h), in the order in which
// they are drawn.
#pragma once

#include <cstddef>
#include <vector>

namespace atrous::data {

struct ClassGroup {
    size_t samples = 1;
    std::vector<int> classes = {};  // which some of its samples hold, ascending
};

// Changes a drawn split so that each class that two groups hold is on both sides, and one that a single group holds is
// trained on, as long as a group is left that validates; rarer classes come first. For each group that is moved another one, of as many samples where there is one, goes the
// other way if no class is lost by that. As few groups as that takes are moved.
void keep_classes_on_both_sides(const std::vector<ClassGroup>& groups, std::vector<bool>& validates);

// Deals groups out to folds, those with the rarest class first, each to the fold that has the fewest groups with that
// class, of these to the one with the fewest samples. Returns the fold of each group.
std::vector<size_t> folds_by_class(const std::vector<ClassGroup>& groups, size_t folds);

}  // namespace atrous::data
