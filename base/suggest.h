// "did you mean …": the word someone meant when they mistyped it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atrous {

// Insertions, deletions, replacements and swaps of neighbours that turn a into b (bytes).
int edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to the word, or "" if none is near.
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

// "; did you mean x?", or "". What other programs call a candidate comes before near words: "learning-rate" is lr,
// "mIoU" iou. Case, and dashes in front, do not count.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace atrous
