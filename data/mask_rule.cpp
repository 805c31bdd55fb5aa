// The text form of mask rules, and the decision behind `auto`.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"
#include "data/mask.h"

namespace atrous::data {

namespace {

constexpr const char* forms =
    "auto, ids, binary, binary:128, a list of values (3,7), pairs (0=0,255=1,128=ignore,*=0) or colours "
    "(#402020,#ff0000)";

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
    throw UsageError(fmt::format("`mask-values` '{}': {}; it takes {}", text, why, forms));
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts(1);
    for (char c : text) {
        if (c == separator)
            parts.emplace_back();
        else if (c != ' ')
            parts.back() += c;
    }
    return parts;
}

uint32_t parse_number(const std::string& whole, const std::string& digits, int base, uint32_t top) {
    uint32_t value = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
    if (digits.empty() || error != std::errc() || stop != end || value > top)
        refuse(whole, fmt::format("'{}' is not a number up to {}", digits, top));
    return value;
}

uint32_t parse_value(const std::string& whole, const std::string& text) {
    if (!text.starts_with('#')) return parse_number(whole, text, 10, 65535);
    if (text.size() != 7) refuse(whole, fmt::format("'{}' is not a colour of six digits", text));
    return colour_flag | parse_number(whole, text.substr(1), 16, 0xffffff);
}

int parse_class(const std::string& whole, const std::string& text) {
    if (text == "ignore" || text == "ignored") return ignored_class;
    return int(parse_number(whole, text, 10, 255));
}

void add_pair(MaskRule& rule, const std::string& whole, const std::string& part) {
    const auto sides = split(part, '=');
    if (sides.size() != 2) refuse(whole, fmt::format("'{}' is not a pair value=class", part));
    const int id = parse_class(whole, sides[1]);
    if (sides[0] == "*") {
        rule.otherwise = id;
    } else if (!rule.classes.emplace(parse_value(whole, sides[0]), id).second) {
        refuse(whole, fmt::format("'{}' is given twice", sides[0]));
    }
}

// Values, colours or pairs of them, all of one kind.
void parse_list(MaskRule& rule, const std::string& whole, const std::vector<std::string>& parts) {
    const bool pairs = parts[0].find('=') != std::string::npos;
    const bool colours = std::any_of(parts.begin(), parts.end(), [](const auto& p) { return p.starts_with('#'); });
    rule.kind = colours ? MaskKind::colours : MaskKind::values;
    int next = colours ? 0 : 1;
    for (const auto& part : parts) {
        if ((part.find('=') != std::string::npos) != pairs) refuse(whole, "pairs and bare values are mixed");
        if (!part.starts_with('*') && part.starts_with('#') != colours) refuse(whole, "values and colours are mixed");
        if (pairs)
            add_pair(rule, whole, part);
        else if (!rule.classes.emplace(parse_value(whole, part), next++).second)
            refuse(whole, fmt::format("'{}' is given twice", part));
    }
    if (!pairs && !colours) rule.otherwise = 0;
}

int highest_class(const MaskRule& rule) {
    int top = rule.otherwise == ignored_class ? -1 : rule.otherwise;
    for (const auto& [value, id] : rule.classes)
        if (id != ignored_class) top = std::max(top, id);
    return top;
}

std::string list_of(const std::vector<RawValue>& values, size_t most) {
    std::string text;
    for (size_t i = 0; i < std::min(values.size(), most); ++i) text += (i ? "," : "") + text_of_value(values[i].value);
    return values.size() > most ? text + ",…" : text;
}

[[noreturn]] void undecided(std::vector<RawValue> values, const std::string& example) {
    const bool colours = values.back().value & colour_flag;
    for (auto& v : values)  // masks without colour among masks in colour
        if (colours && v.value < 256) v.value = colour_flag | v.value * 0x010101u;
    std::string advice;
    if (colours)
        advice =
            values.size() <= 32
                ? fmt::format("give the colours in the order of the classes: `mask-values` '{}'", list_of(values, 32))
                : "so many colours come from JPEG or anti-aliasing: export the masks as PNG without it";
    else if (values.size() > 16)
        advice = "so many values come from JPEG or anti-aliasing (then `mask-values` binary:128) or are ids (then ids)";
    else
        advice = "say what they are: `mask-values` binary, ids, or value=class pairs";
    throw DataError(fmt::format("{}: the masks hold {} different {} ({}), which could mean several things; {}", example,
                                values.size(), colours ? "colours" : "values", list_of(values, 8), advice));
}

MaskRule decide(const std::vector<RawValue>& values, const std::string& example, int class_count) {
    MaskRule rule;
    rule.kind = MaskKind::ids;
    std::set<uint32_t> ids;
    for (const auto& v : values) ids.insert(v.value);
    if (values.empty() || ids == std::set<uint32_t>{0})
        throw DataError(
            fmt::format("{}: every mask of the set is 0 everywhere, so there is nothing to learn; check that "
                        "the masks are the right files",
                        example));
    if (*ids.rbegin() & colour_flag) undecided(values, example);
    const bool has_border = ids.erase(255) > 0;
    if (has_border && (ids.empty() || ids == std::set<uint32_t>{0})) {  // 0 and 255, or 255 alone
        rule.kind = MaskKind::values;
        rule.classes = {{0, 0}, {255, 1}};
        return rule;
    }
    const uint32_t top = *ids.rbegin();
    // Ids leave few gaps; levels of gray do. Two levels such as 0 and 128 are an object in gray, not 129 classes.
    const bool dense = top < 64 && 2 * ids.size() >= top;
    if (!dense && (class_count == 0 || top >= uint32_t(class_count))) undecided(values, example);
    return rule;
}

}  // namespace

MaskRule parse_mask_rule(const std::string& text) {
    MaskRule rule;
    const auto parts = split(text, ',');
    if (text.empty() || std::any_of(parts.begin(), parts.end(), [](const auto& p) { return p.empty(); }))
        refuse(text, "an entry is empty");
    if (parts[0] == "auto" && parts.size() == 1) return rule;
    if (parts[0] == "ids") {
        rule.kind = MaskKind::ids;
        for (size_t i = 1; i < parts.size(); ++i) add_pair(rule, text, parts[i]);
        if (rule.otherwise >= 0) refuse(text, "'*' does not go with ids");
        return rule;
    }
    if (parts[0].starts_with("binary") && parts.size() == 1) {
        rule.kind = MaskKind::binary;
        if (parts[0].starts_with("binary:"))
            rule.threshold = int(parse_number(text, parts[0].substr(7), 10, 65535));
        else if (parts[0] != "binary")
            refuse(text, "that is not a kind of mask");
        if (rule.threshold == 0) refuse(text, "a threshold of 0 makes everything foreground");
        return rule;
    }
    parse_list(rule, text, parts);
    return rule;
}

std::string text_of(const MaskRule& rule) {
    if (rule.kind == MaskKind::automatic) return "auto";
    if (rule.kind == MaskKind::binary) return rule.threshold == 1 ? "binary" : fmt::format("binary:{}", rule.threshold);
    const auto class_text = [](int id) { return id == ignored_class ? std::string("ignore") : std::to_string(id); };
    std::vector<std::string> entries;
    if (rule.kind == MaskKind::ids) entries.push_back("ids");
    for (const auto& [value, id] : rule.classes) entries.push_back(text_of_value(value) + "=" + class_text(id));
    if (rule.otherwise >= 0) entries.push_back("*=" + class_text(rule.otherwise));
    std::string text;
    for (const std::string& entry : entries) text += (text.empty() ? "" : ",") + entry;
    return text;
}

MaskRule resolve_mask_rule(const MaskRule& asked, const std::vector<RawValue>& values, const std::string& example,
                           int class_count) {
    MaskRule rule = asked.kind == MaskKind::automatic ? decide(values, example, class_count) : asked;
    int needed = 0;
    if (rule.kind == MaskKind::ids) {
        for (const auto& v : values) {
            const auto listed = rule.classes.find(v.value);
            const int id = listed != rule.classes.end() ? listed->second : int(v.value);
            if (id < max_classes) needed = std::max(needed, id + 1);
        }
    } else {
        needed = rule.kind == MaskKind::binary ? 2 : highest_class(rule) + 1;
        if (class_count > 0 && needed > class_count)
            throw UsageError(fmt::format("`mask-values` gives {} classes, but `classes` is {}; make them agree", needed,
                                         class_count));
    }
    rule.class_count = class_count > 0 ? class_count : std::max(needed, 2);
    return rule;
}

std::string MaskRule::allowed() const {
    std::string text;
    if (kind == MaskKind::ids)
        text = fmt::format("0 to {}, 255 (ignored)", (class_count > 0 ? class_count : max_classes) - 1);
    size_t listed = 0;
    for (const auto& [value, id] : classes) {
        if (++listed > 24) return text + ", …";
        text += (text.empty() ? "" : ", ") + text_of_value(value);
    }
    return otherwise >= 0 ? "any value" : text;
}

std::string MaskRule::describe() const {
    if (kind == MaskKind::automatic) return "decided from the masks";
    std::string text;
    if (kind == MaskKind::ids) text = "the value is the class, 255 is ignored";
    if (kind == MaskKind::binary)
        text = threshold == 1 ? "0 is class 0, everything else class 1"
                              : fmt::format("class 1 where the value is at least {}", threshold);
    const auto name = [](int id) { return id == ignored_class ? std::string("ignored") : fmt::format("class {}", id); };
    for (const auto& [value, id] : classes)
        text += fmt::format("{}{} is {}", text.empty() ? "" : ", ", text_of_value(value), name(id));
    if (otherwise >= 0) text += ", the rest is " + name(otherwise);
    return text;
}

}  // namespace atrous::data
