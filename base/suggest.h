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

// "; did you mean x?", or "". Other programs' words come before near ones.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

// What this program calls what other programs call otherwise: "--learning-rate" is --lr, "mIoU" iou. "" for a word that
// is none of theirs. Case does not count.
std::string our_word_for(std::string_view theirs);

}  // namespace atrous
