#include "engine/train/losses/loss_expression.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/error.h"

namespace atrous {

namespace {

bool is_name_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; }

class Reader {
 public:
    explicit Reader(const std::string& text) : text_(text) {}

    std::vector<WeightedWord> words() {
        std::vector<WeightedWord> all;
        do all.push_back(word());
        while (takes('+'));
        if (!at_end()) expected(all.back().options.empty() ? "'+' or '('" : "'+'");
        return all;
    }

 private:
    WeightedWord word() {
        WeightedWord w;
        if (begins_number()) {
            w.weight = number();
            if (!takes('*')) expected("'*' between a weight and its word");
        }
        w.word = name("a word such as ce");
        if (!takes('(')) return w;
        do w.options.push_back(option(w));
        while (takes(','));
        if (!takes(')')) expected("',' or ')'");
        return w;
    }
    std::pair<std::string, std::string> option(const WeightedWord& w) {
        const std::string key = name("an option such as smooth=1");
        for (const auto& [other, value] : w.options)
            if (other == key) expected(fmt::format("'{}' only once", key));
        if (!takes('=')) expected(fmt::format("'=' after '{}'", key));
        skip_spaces();
        const size_t end = std::min(text_.find_first_of(" \t,()=*", at_), text_.size());
        if (end == at_) expected(fmt::format("a value of '{}'", key));
        const std::string value = text_.substr(at_, end - at_);
        at_ = end;
        return {key, value};
    }
    std::string name(const std::string& what) {
        skip_spaces();
        const size_t begin = at_;
        while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
        if (begin == at_) expected(what);
        return text_.substr(begin, at_ - begin);
    }
    bool begins_number() {
        skip_spaces();
        return at_ < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.');
    }
    double number() {
        double value = 0;
        const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
        if (error != std::errc() || !(value > 0) || std::isinf(value)) expected("a weight above 0");
        at_ = size_t(end - text_.data());
        return value;
    }
    bool takes(char c) {
        skip_spaces();
        const bool there = at_ < text_.size() && text_[at_] == c;
        at_ += there;
        return there;
    }
    bool at_end() {
        skip_spaces();
        return at_ == text_.size();
    }
    void skip_spaces() {
        while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    }
    [[noreturn]] void expected(const std::string& what) const {
        const std::string where = at_ >= text_.size() ? "at its end" : fmt::format("at '{}'", text_.substr(at_));
        throw UsageError(
            fmt::format("`loss` {}: expected {} {}, as in 0.5*bce+0.5*dice(smooth=1)", text_, what, where));
    }

    const std::string& text_;
    size_t at_ = 0;
};

}  // namespace

std::vector<WeightedWord> parse_loss(const std::string& text) { return Reader(text).words(); }

bool is_word(const std::string& name) {
    return !name.empty() && std::isalpha(static_cast<unsigned char>(name[0])) &&
           std::all_of(name.begin(), name.end(), is_name_character);
}

std::string text_of(const std::vector<WeightedWord>& words) {
    std::string text;
    for (const WeightedWord& w : words) {
        text += text.empty() ? "" : "+";
        if (w.weight != 1) text += fmt::format("{}*", w.weight);
        text += w.word;
        std::string separator = "(";
        for (const auto& [name, value] : w.options) text += separator + name + "=" + value, separator = ",";
        if (!w.options.empty()) text += ")";
    }
    return text;
}

template <class Is>
static bool any_word(const std::string& loss, const Is& is) {
    try {
        const std::vector<WeightedWord> words = parse_loss(loss);
        return std::any_of(words.begin(), words.end(), is);
    } catch (const UsageError&) {
        return false;
    }
}

bool has_word(const std::string& loss, const std::string& word) {
    return any_word(loss, [&](const WeightedWord& w) { return w.word == word; });
}

bool leaves_option(const std::string& loss, const std::string& word, const std::string& option) {
    return any_word(loss, [&](const WeightedWord& w) {
        const auto is_it = [&](const auto& given) { return given.first == option; };
        return w.word == word && std::none_of(w.options.begin(), w.options.end(), is_it);
    });
}

}  // namespace atrous
