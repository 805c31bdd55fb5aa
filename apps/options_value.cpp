// Values of options: reading, checking and showing them.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "apps/options.h"
#include "base/text.h"

namespace atrous::app {
namespace {

bool is(const Word& w, Word::Kind kind) { return w.kind == Word::Kind::any || w.kind == kind; }

bool read_word(const Word& w, std::string& to) {
    if (!is(w, Word::Kind::text)) return false;
    to = w.text;
    return true;
}
template <class N>
bool read_digits(const std::string& text, N& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc() && end == text.data() + text.size();
}
bool read_word(const Word& w, int64_t& to) { return is(w, Word::Kind::integer) && read_digits(w.text, to); }
bool read_word(const Word& w, double& to) {
    return (is(w, Word::Kind::number) || w.kind == Word::Kind::integer) && read_digits(w.text, to) && std::isfinite(to);
}
bool read_word(const Word& w, bool& to) {
    to = w.text == "true";
    return is(w, Word::Kind::boolean) && (to || w.text == "false");
}

std::string show(const std::string& v) { return v.empty() ? "\"\"" : v; }
std::string show(bool v) { return v ? "true" : "false"; }
std::string show(int64_t v) { return fmt::format("{}", v); }
std::string show(double v) { return fmt::format("{}", v); }

std::string toml_of(const std::string& v) {
    std::string text = "\"";
    for (const char c : io::as_utf8(v)) {
        if (c == '"' || c == '\\')
            text += std::string("\\") + c;
        else if (static_cast<unsigned char>(c) < 32 || c == 127)
            text += fmt::format("\\u{:04x}", int(c));
        else
            text += c;
    }
    return text + '"';
}
template <class N>
std::string toml_of(N v) {
    return show(v);
}

template <class E>
const std::vector<E>& elements(const std::vector<E>& values) {
    return values;
}
template <class E>
std::vector<E> elements(const E& value) {
    return {value};
}

// With a comma and "or" before the last: "a, b or c".
std::string alternatives(const std::vector<std::string>& words) {
    std::string text;
    for (size_t i = 0; i < words.size(); ++i) text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
    return text;
}

}  // namespace

template <class T>
std::string Option<T>::kind() const {
    if constexpr (std::is_same_v<Element, bool>) return "";
    const char* word = std::is_same_v<Element, std::string> ? "TEXT"
                       : std::is_same_v<Element, int64_t>   ? "INTEGER"
                                                            : "NUMBER";
    return std::string(choices_.empty() ? word : "WORD") + (list ? "..." : "");
}

template <class T>
std::string Option<T>::rule() const {
    if constexpr (std::is_same_v<Element, bool>) return "true or false";
    if (!choices_.empty()) return (list ? "any of " : "") + alternatives(choices_);
    std::string what = std::is_same_v<Element, std::string> ? "text"
                       : std::is_same_v<Element, int64_t>   ? list ? "integers" : "an integer"
                       : list                               ? "numbers"
                                                            : "a number";
    if (list && std::is_same_v<Element, std::string>) what = "a list of text";
    if constexpr (std::is_arithmetic_v<Element>) {
        if (low_ && high_)
            what += fmt::format(" {} {} {} {}", low_open_ ? "above" : "from", show(*low_),
                                low_open_ ? "and up to" : "to", show(*high_));
        else if (low_)
            what += fmt::format(" {} {}", low_open_ ? "above" : "of at least", show(*low_));
        else if (high_)
            what += " of at most " + show(*high_);
    }
    if (word_) what += " or " + word_->first;
    return what;
}

template <class T>
bool Option<T>::is_word() const {
    if constexpr (list)
        return false;
    else
        return word_ && value == word_->second;
}

template <class T>
std::string Option<T>::shown() const {
    if (is_word()) return word_->first;
    std::string text;
    for (const auto& e : elements(value)) text += (text.empty() ? "" : " ") + show(Element(e));
    return text;
}

template <class T>
std::string Option<T>::as_toml() const {
    if (is_word()) return toml_of(word_->first);
    if constexpr (!list) return toml_of(value);
    std::string text;
    for (const auto& e : elements(value)) text += (text.empty() ? "" : ", ") + toml_of(Element(e));
    return "[" + text + "]";
}

template <class T>
bool Option<T>::accepts(const Element& e) const {
    if (!choices_.empty())
        if constexpr (std::is_same_v<Element, std::string>)
            return std::find(choices_.begin(), choices_.end(), e) != choices_.end();
    if (low_ && (low_open_ ? e <= *low_ : e < *low_)) return false;
    return !high_ || e <= *high_;
}

template <class T>
bool Option<T>::assign(const std::vector<Word>& words) {
    if (!list && words.size() != 1) return false;
    std::vector<Element> read;
    for (const Word& w : words) {
        Element e{};
        if (word_ && w.text == word_->first && is(w, Word::Kind::text)) {
            read.push_back(word_->second);
            continue;
        }
        if (!read_word(w, e) || !accepts(e)) return false;
        read.push_back(e);
    }
    if constexpr (list)
        value = std::move(read);
    else
        value = read.front();
    return true;
}

template class Option<std::string>;
template class Option<int64_t>;
template class Option<double>;
template class Option<bool>;
template class Option<std::vector<std::string>>;
template class Option<std::vector<int64_t>>;
template class Option<std::vector<double>>;

}  // namespace atrous::app
