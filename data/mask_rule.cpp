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
    "auto, ids, ids-from-1, bits, binary, binary:128, a list of values (3,7), pairs (0=0,255=1,128=ignore,*=0) or "
    "colours "
    "(#402020,#ff0000, also with within=48)";

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

// Takes "within=48" out of the parts.
void parse_within(MaskRule& rule, const std::string& whole, std::vector<std::string>& parts) {
    for (const std::string& part : parts)
        if (part.starts_with("within=")) rule.within = int(parse_number(whole, part.substr(7), 10, 255));
    std::erase_if(parts, [](const std::string& part) { return part.starts_with("within="); });
    const bool colours = std::any_of(parts.begin(), parts.end(), [](const auto& p) { return p.starts_with('#'); });
    if (rule.within > 0 && !colours) refuse(whole, "within goes with colours");
}

// Values, colours or pairs of them, all of one kind.
void parse_list(MaskRule& rule, const std::string& whole, std::vector<std::string> parts) {
    parse_within(rule, whole, parts);
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

}  // namespace

// data/mask_advice.cpp
[[noreturn]] void refuse_undecided(std::vector<RawValue> values, const std::string& example);

namespace {

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
    if (*ids.rbegin() & colour_flag) refuse_undecided(values, example);
    const bool has_border = ids.erase(255) > 0;
    if (has_border && (ids.empty() || ids == std::set<uint32_t>{0})) {  // 0 and 255, or 255 alone
        rule.kind = MaskKind::values;
        rule.classes = {{0, 0}, {255, 1}};
        return rule;
    }
    const uint32_t top = *ids.rbegin();
    // Ids leave few gaps; levels of gray do. Two levels such as 0 and 128 are an object in gray, not 129 classes.
    const bool dense = top < 64 && 2 * ids.size() >= top;
    if (!dense && top >= uint32_t(class_count)) refuse_undecided(values, example);
    return rule;
}

}  // namespace

MaskRule parse_mask_rule(const std::string& text) {
    MaskRule rule;
    const auto parts = split(text, ',');
    if (text.empty() || std::any_of(parts.begin(), parts.end(), [](const auto& p) { return p.empty(); }))
        refuse(text, "an entry is empty");
    if (parts[0] == "auto" && parts.size() == 1) return rule;
    if (parts[0] == "bits" && parts.size() == 1) {
        rule.kind = MaskKind::bits;
        return rule;
    }
    if (parts[0] == "ids" || parts[0] == "ids-from-1") {
        rule.kind = MaskKind::ids;
        rule.first_id = parts[0] == "ids" ? 0 : 1;
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
    if (rule.kind == MaskKind::bits) return "bits";
    if (rule.kind == MaskKind::binary) return rule.threshold == 1 ? "binary" : fmt::format("binary:{}", rule.threshold);
    const auto class_text = [](int id) { return id == ignored_class ? std::string("ignore") : std::to_string(id); };
    std::vector<std::string> entries;
    if (rule.kind == MaskKind::ids) entries.push_back(rule.first_id == 0 ? "ids" : "ids-from-1");
    for (const auto& [value, id] : rule.classes) entries.push_back(text_of_value(value) + "=" + class_text(id));
    if (rule.otherwise >= 0) entries.push_back("*=" + class_text(rule.otherwise));
    if (rule.within > 0) entries.push_back(fmt::format("within={}", rule.within));
    std::string text;
    for (const std::string& entry : entries) text += (text.empty() ? "" : ",") + entry;
    return text;
}

// As many classes as are asked for or named, or as the highest bit says.
static MaskRule resolve_bits(MaskRule rule, const std::vector<RawValue>& values, const std::string& example,
                             int class_count, int named_classes) {
    int needed = 0;
    for (const auto& v : values)
        for (int c = 0; c < max_bit_classes && v.value < (1u << max_bit_classes); ++c)
            if (v.value >> c & 1) needed = std::max(needed, c + 1);
    rule.class_count = class_count > 0 ? class_count : std::max(named_classes, needed);
    if (rule.class_count > max_bit_classes)
        throw UsageError(
            fmt::format("`multi-label`: {} classes; a label is a byte, with a bit a class and 255 for "
                        "ignored, so that there are at most {}; leave out masks of some, or leave out `multi-label`",
                        rule.class_count, max_bit_classes));
    if (rule.class_count < 2)
        throw DataError(
            fmt::format("{}: the masks of the set have {} class{}, which overlaps with no other; leave out "
                        "`multi-label`",
                        example, needed, needed == 1 ? "" : "es"));
    return rule;
}

MaskRule resolve_mask_rule(const MaskRule& asked, const std::vector<RawValue>& values, const std::string& example,
                           int class_count, int named_classes) {
    if (asked.kind == MaskKind::bits) return resolve_bits(asked, values, example, class_count, named_classes);
    MaskRule rule =
        asked.kind == MaskKind::automatic ? decide(values, example, std::max(class_count, named_classes)) : asked;
    int needed = 0;
    if (rule.kind == MaskKind::ids) {
        for (const auto& v : values) {
            const auto listed = rule.classes.find(v.value);
            const int id = listed != rule.classes.end() ? listed->second : int(v.value) - rule.first_id;
            if (id < max_classes && v.value != ignored_class) needed = std::max(needed, id + 1);
        }
    } else {
        needed = rule.kind == MaskKind::binary ? 2 : highest_class(rule) + 1;
        if (class_count > 0 && needed > class_count)
            throw UsageError(fmt::format("`mask-values` gives {} classes, but `classes` is {}; make them agree", needed,
                                         class_count));
    }
    const bool by_name = rule.kind == MaskKind::ids && needed <= named_classes;
    rule.class_count = class_count > 0 ? class_count : std::max(by_name ? named_classes : needed, 2);
    return rule;
}

std::string MaskRule::allowed() const {
    std::string text;
    if (kind == MaskKind::ids)
        text = fmt::format("{} to {}, 255 (ignored)", 0, (class_count > 0 ? class_count : max_classes) - 1 + first_id);
    if (kind == MaskKind::bits)
        return fmt::format("0 to {}, the bits of {} classes, or 255 (ignored)", label_values(form(), class_count) - 1,
                           class_count);
    size_t listed = 0;
    for (const auto& [value, id] : classes) {
        if (++listed > 24) return text + ", …";
        text += (text.empty() ? "" : ", ") + text_of_value(value);
    }
    return otherwise >= 0 ? "any value" : text;
}

std::string MaskRule::describe() const {
    if (kind == MaskKind::automatic) return "decided from the masks";
    if (kind == MaskKind::bits) return "each bit of the value is a class, 255 is ignored";
    std::string text;
    if (kind == MaskKind::ids)
        text = first_id == 0 ? "the value is the class, 255 is ignored"
                             : "the value less 1 is the class, 0 and 255 are ignored";
    if (kind == MaskKind::binary)
        text = threshold == 1 ? "0 is class 0, everything else class 1"
                              : fmt::format("class 1 where the value is at least {}", threshold);
    const auto name = [](int id) { return id == ignored_class ? std::string("ignored") : fmt::format("class {}", id); };
    for (const auto& [value, id] : classes)
        text += fmt::format("{}{} is {}", text.empty() ? "" : ", ", text_of_value(value), name(id));
    if (otherwise >= 0) text += ", the rest is " + name(otherwise);
    if (within > 0)
        text += fmt::format("; colours no further than {} from one of these are taken for the nearest", within);
    return text;
}

}  // namespace atrous::data
