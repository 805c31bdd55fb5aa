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
// What a word may be called: letters, digits, - and _, a letter first.
bool is_word(const std::string& name);
// Returns the text without spaces and without weights of 1: what checkpoints hold and what is compared.
std::string text_of(const std::vector<WeightedWord>& words);

// Whether the text has the word: "ce+dice" has ce and dice. False where it is no loss's text.
bool has_word(const std::string& loss, const std::string& word);
// Whether the text has the word and leaves the option to the settings.
bool leaves_option(const std::string& loss, const std::string& word, const std::string& option);

}  // namespace atrous
