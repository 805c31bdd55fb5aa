#include "data/classes_toml.h"

#include <fmt/core.h>

#include <charconv>

#include "base/suggest.h"
#include "base/text.h"
#include "base/toml_file.h"
#include "data/mask.h"

namespace atrous::data {

namespace {

using io::TomlValue;
using Kind = TomlValue::Kind;

// The file being read, and the rule of values that grows from it.
class Reader {
 public:
    explicit Reader(const std::string& path) : path_(path) { found_.file = path; }

    ClassNames read(const TomlValue& file) {
        const TomlValue* classes = nullptr;
        for (const auto& [key, value] : file.entries) {
            if (key == "class" || key == "classes")
                classes = &value;
            else if (key != "ignore")
                refuse_key(key, value.line, {"class", "ignore"});
        }
        if (!classes || classes->kind != Kind::list)
            throw NotClassNames(path_ + ": no [[class]] in it; expected one for each class, with its name");
        for (const TomlValue& item : classes->items) add_class(item);
        for (const auto& [key, value] : file.entries)
            if (key == "ignore") add_values(value, "ignore");
        return finish();
    }

 private:
    [[noreturn]] void refuse(int line, const std::string& what) const {
        throw DataError(fmt::format("{}:{}: {}", path_, line, what));
    }
    [[noreturn]] void refuse_key(const std::string& key, int line, const std::vector<std::string>& known) const {
        refuse(line, fmt::format("unknown key {}{}", io::in_quotes(key), did_you_mean(key, known)));
    }

    void add_class(const TomlValue& item) {
        if (item.kind != Kind::table) refuse(item.line, "expected a [[class]] with a name");
        const std::string id = std::to_string(found_.names.size());
        bool named = false;
        for (const auto& [key, value] : item.entries) {
            if (key == "name") {
                if (value.kind != Kind::text || value.text.empty()) refuse(value.line, "a class's name is a text");
                found_.names.push_back(value.text);
                named = true;
            } else if (key == "colour" || key == "color") {
                found_.colours.push_back(colour_of(value));
            } else if (key == "values" || key == "value") {
                add_values(value, id);
                ++with_values_;
            } else {
                refuse_key(key, value.line, {"name", "colour", "values"});
            }
        }
        if (!named) refuse(item.line, "a [[class]] without a name");
    }

    static bool is_colour(const TomlValue& value) {
        return value.kind == Kind::text && value.text.size() == 7 && value.text[0] == '#' &&
               value.text.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
    }
    uint32_t colour_of(const TomlValue& value) const {
        uint32_t colour = 0;
        if (!is_colour(value)) refuse(value.line, "a colour is a text such as \"#804080\"");
        std::from_chars(value.text.data() + 1, value.text.data() + 7, colour, 16);
        return colour;
    }

    // As parse_mask_rule takes them: "7=0,8=0".
    void add_values(const TomlValue& value, const std::string& class_id) {
        if (value.is_single()) return add_value(value, class_id);
        if (value.kind == Kind::table) refuse(value.line, "values are a list such as [7, 8]");
        for (const TomlValue& item : value.items) add_value(item, class_id);
    }
    void add_value(const TomlValue& value, const std::string& class_id) {
        const bool number = value.kind == Kind::integer && value.text[0] != '-';
        if (!number && !is_colour(value)) refuse(value.line, "a mask's value is a number from 0, or \"#804080\"");
        (number ? numbers_ : colours_) = true;
        if (numbers_ && colours_) refuse(value.line, "values are all numbers, or all colours");
        rule_ += fmt::format("{}{}={}", rule_.empty() ? "" : ",", value.text, class_id);
    }

    ClassNames finish() {
        const size_t count = found_.names.size();
        if (count > size_t(max_classes))
            throw DataError(fmt::format("{}: {} names; at most {} classes are trained", path_, count, max_classes));
        if (!found_.colours.empty() && found_.colours.size() != count)
            throw DataError(fmt::format("{}: {} of {} classes have a colour; give each one, or none", path_,
                                        found_.colours.size(), count));
        if (with_values_ != 0 && with_values_ != count)
            throw DataError(
                fmt::format("{}: {} of {} classes have values; give each some, or none", path_, with_values_, count));
        if (with_values_ != 0) {
            try {
                parse_mask_rule(rule_);
            } catch (const Error& e) {
                throw DataError(fmt::format("{}: {}", path_, e.what()));
            }
            found_.mask_values = rule_;
        }
        return std::move(found_);
    }

    const std::string path_;
    ClassNames found_;
    std::string rule_;
    size_t with_values_ = 0;
    bool numbers_ = false, colours_ = false;
};

}  // namespace

ClassNames read_classes_toml(const std::string& path) {
    try {
        return Reader(path).read(io::read_toml(path, {"file of classes", "name = \"road\""}));
    } catch (const IoError& e) {
        throw DataError(e.what());
    }
}

}  // namespace atrous::data
