// The text of `loss`: words joined by '+', each with a weight before it and options behind it where they differ from 1
// and from the word's own, such as 0.5*bce + 0.5*dice(smooth=0, groups=sample).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace atrous {

struct WeightedWord {
    std::string word;
    double weight = 1;
    std::vector<std::pair<std::string, std::string>> options = {};  // name and value, as written
};

// Reads the form alone: words and options need not exist. Spaces do not count. Throws UsageError, which says what was
// expected where.
std::vector<WeightedWord> parse_loss(const std::string& text);
// Returns the text without spaces and without weights of 1: what checkpoints hold and what is compared.
std::string text_of(const std::vector<WeightedWord>& words);

bool has_word(const std::string& loss, const std::string& word);  // "ce+dice" has ce and dice; false for any other text

}  // namespace atrous
