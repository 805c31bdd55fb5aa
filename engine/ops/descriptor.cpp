#include "engine/ops/descriptor.h"

#include <charconv>

namespace atrous {

Tensor OpArguments::tensor(const std::string& name) const {
    const auto at = tensors.find(name);
    return at == tensors.end() ? Tensor() : at->second;
}

static UsageError refused(const OpArguments& a, const std::string& name, const std::string& expected) {
    return UsageError("attribute " + name + "=" + a.attributes.at(name) + ": expected " + expected);
}

template <class T>
static T parsed(const OpArguments& a, const std::string& name, const char* expected) {
    const std::string& text = a.attributes.at(name);
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) throw refused(a, name, expected);
    return value;
}

int64_t OpArguments::integer(const std::string& name) const { return parsed<int64_t>(*this, name, "a whole number"); }
double OpArguments::number(const std::string& name) const { return parsed<double>(*this, name, "a number"); }

int64_t OpArguments::integer(const std::string& name, int64_t least) const {
    const int64_t value = integer(name);
    if (value < least || value > 65536)
        throw UsageError("attribute " + name + "=" + std::to_string(value) + ": expected " + std::to_string(least) +
                         " to 65536");
    return value;
}

bool OpArguments::flag(const std::string& name) const {
    const std::string& text = attributes.at(name);
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    throw refused(*this, name, "true or false");
}

size_t OpArguments::choice(const std::string& name, std::initializer_list<const char*> words) const {
    std::string expected;
    size_t at = 0;
    for (const char* word : words) {
        if (attributes.at(name) == word) return at;
        expected += (at == 0 ? "" : at + 1 == words.size() ? " or " : ", ") + std::string(word);
        ++at;
    }
    throw refused(*this, name, expected);
}

OpResults result(const Tensor& y, OperandKind kind) { return {{{"y", kind}, y}}; }

}  // namespace atrous
