// Values of settings: reading, checking and showing them.
#include "base/settings.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace atrous {
namespace {

bool is(const Word& w, Word::Kind kind) { return w.kind == Word::Kind::any || w.kind == kind; }

template <class N>
bool read_digits(const std::string& text, N& to) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
    return error == std::errc() && end == text.data() + text.size();
}
bool read_word(const Word& w, std::string& to) {
    if (!is(w, Word::Kind::text)) return false;
    to = w.text;
    return true;
}
bool read_word(const Word& w, double& to) {
    return (is(w, Word::Kind::number) || w.kind == Word::Kind::integer) && read_digits(w.text, to) && std::isfinite(to);
}
bool read_word(const Word& w, bool& to) {
    to = w.text == "true";
    return is(w, Word::Kind::boolean) && (to || w.text == "false");
}
template <class I>
requires std::is_integral_v<I>
bool read_word(const Word& w, I& to) { return is(w, Word::Kind::integer) && read_digits(w.text, to); }

std::string show(const std::string& v) { return v.empty() ? "\"\"" : v; }
std::string show(bool v) { return v ? "true" : "false"; }
template <class N>
std::string show(N v) {
    return fmt::format("{}", v);
}

Word as_word(const std::string& v) { return {v, Word::Kind::text}; }
Word as_word(bool v) { return {show(v), Word::Kind::boolean}; }
Word as_word(double v) { return {show(v), Word::Kind::number}; }
template <class I>
requires std::is_integral_v<I> Word as_word(I v) { return {show(v), Word::Kind::integer}; }

template <class E>
const std::vector<E>& elements(const std::vector<E>& values) {
    return values;
}
template <class E>
std::vector<E> elements(const E& value) {
    return {value};
}

template <class Element>
constexpr bool is_whole_number = std::is_integral_v<Element> && !std::is_same_v<Element, bool>;

}  // namespace

const char* name_of(Origin origin) {
    static constexpr const char* names[] = {"default", "checkpoint", "config", "flag"};
    return names[size_t(origin)];
}

static std::string joined(const std::vector<std::string>& words, const char* before_last) {
    std::string text;
    for (size_t i = 0; i < words.size(); ++i)
        text += (i == 0 ? "" : i + 1 == words.size() ? before_last : ", ") + words[i];
    return text;
}

std::string alternatives(const std::vector<std::string>& words) { return joined(words, " or "); }
std::string enumeration(const std::vector<std::string>& words) { return joined(words, " and "); }

template <class T>
std::string Setting<T>::kind() const {
    if constexpr (std::is_same_v<Element, bool>) return "";
    const char* word = std::is_same_v<Element, std::string> ? "TEXT" : is_whole_number<Element> ? "INTEGER" : "NUMBER";
    return std::string(choices_.empty() ? word : "WORD") + (list ? "..." : "");
}

template <class T>
std::string Setting<T>::rule() const {
    if constexpr (std::is_same_v<Element, bool>) return "true or false";
    if (!choices_.empty()) return (list ? "any of " : "") + alternatives(choices_);
    std::string what = std::is_same_v<Element, std::string> ? "text"
                       : is_whole_number<Element>           ? list ? "integers" : "an integer"
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
bool Setting<T>::is_word(const T& v) const {
    if constexpr (list)
        return false;
    else
        return word_ && v == word_->second;
}

template <class T>
std::string Setting<T>::text_of(const T& v) const {
    if (is_word(v)) return word_->first;
    std::string text;
    for (const auto& e : elements(v)) text += (text.empty() ? "" : " ") + show(Element(e));
    return text;
}

template <class T>
std::vector<Word> Setting<T>::words() const {
    if (is_word(value)) return {{word_->first, Word::Kind::text}};
    std::vector<Word> all;
    for (const auto& e : elements(value)) all.push_back(as_word(Element(e)));
    return all;
}

template <class T>
bool Setting<T>::accepts(const Element& e) const {
    if (!choices_.empty()) {
        if constexpr (std::is_same_v<T, std::string>)
            return (e.empty() && default_.empty()) || std::find(choices_.begin(), choices_.end(), e) != choices_.end();
        else if constexpr (std::is_same_v<Element, std::string>)
            return std::find(choices_.begin(), choices_.end(), e) != choices_.end();
    }
    if (low_ && (low_open_ ? e <= *low_ : e < *low_)) return false;
    return !high_ || e <= *high_;
}

template <class T>
bool Setting<T>::assign(const std::vector<Word>& words) {
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

template class Setting<std::string>;
template class Setting<int>;
template class Setting<int64_t>;
template class Setting<uint64_t>;
template class Setting<double>;
template class Setting<bool>;
template class Setting<std::vector<std::string>>;
template class Setting<std::vector<int64_t>>;
template class Setting<std::vector<double>>;

Settings::Settings() = default;
Settings::~Settings() = default;

void Settings::keep(std::unique_ptr<SettingBase> setting) {
    if (find(setting->key)) throw Error("setting '" + setting->key + "' is declared twice");
    setting->group = group_;
    all_.push_back(std::move(setting));
}

SettingBase* Settings::find(const std::string& key) const {
    const auto at = std::find_if(all_.begin(), all_.end(), [&](const auto& s) {
        return s->key == key || (!s->former_key.empty() && s->former_key == key);
    });
    return at == all_.end() ? nullptr : at->get();
}

SettingBase& Settings::at(const std::string& key) const {
    if (SettingBase* found = find(key)) return *found;
    throw Error("setting '" + key + "' is not declared");
}

void Settings::mark_common(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) at(key).is_common = true;
}

std::string with_flags(const std::string& message) {
    std::string text;
    for (size_t at = 0; at < message.size();) {
        const size_t end = message[at] == '`' ? message.find('`', at + 1) : std::string::npos;
        const std::string word = end == std::string::npos ? "" : message.substr(at + 1, end - at - 1);
        const bool key = !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == word.npos;
        text += key ? "--" + word : std::string(1, message[at]);
        at = key ? end + 1 : at + 1;
    }
    return text;
}

}  // namespace atrous
