// A verb's options, declared once: from the declaration come the command line, -h, the configuration file and the
// table of what was used.
//
//     Options o("train", "Trains a net.");
//     auto& data = o.text("--data", "", "folder with images and masks").required();
//     auto& batch = o.integer("-b,--batch-size", 4, "images in a step").min(1);
//     auto& lr = o.number("--lr", 1e-4, "learning rate").above(0);
//     o.parse(argc, argv);  // argv[0] is the verb
//     … lr.value …
//
// The command line overrides `--config file.toml`, which overrides the defaults. In the file each option is one line
// `batch-size = 4` (or batch_size), lists are arrays. A flag `--x` can be taken back with `--no-x`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "apps/ui/table.h"

namespace atrous::app {

inline constexpr int64_t most_images = 65536;  // of a batch

enum class Origin { by_default, checkpoint, config, flag };
const char* name_of(Origin origin);  // "default", "checkpoint", "config", "flag"

// A value as it was written. Words of a command line may mean anything; a configuration file knows their type.
struct Word {
    enum class Kind { any, text, integer, number, boolean, other };
    std::string text;
    Kind kind = Kind::any;
};

class OptionBase {
 public:
    OptionBase(std::string names, std::string help);
    virtual ~OptionBase() = default;

    std::string names;  // "-b,--batch-size", or without dashes for a positional one
    std::string key;    // "batch-size"
    std::string help, group;
    std::optional<std::string> when_alone;  // the value of the bare flag, where it may stand without one
    bool is_required = false;
    Origin origin = Origin::by_default;

    bool positional() const { return names.front() != '-'; }
    std::string spelled() const { return positional() ? key : "--" + key; }
    bool is_common = false;            // shown by -h of a verb with many options
    virtual bool differs() const = 0;  // from the default
    virtual bool is_list() const = 0;
    virtual bool is_flag() const = 0;
    virtual std::string kind() const = 0;                     // for -h: NUMBER
    virtual std::string rule() const = 0;                     // what is accepted: "an integer of at least 1"
    virtual bool restricted() const = 0;                      // rule() says more than the type
    virtual std::vector<std::string> words() const = 0;       // that may be the value, where only some may
    virtual std::string shown() const = 0;                    // the value, as one would type it
    virtual std::string as_toml() const = 0;                  // the value, for a configuration file
    virtual bool assign(const std::vector<Word>& words) = 0;  // false: not what rule() says; the value is unchanged
};

template <class T>
struct element_of {
    using type = T;
};
template <class E>
struct element_of<std::vector<E>> {
    using type = E;
};

// T: std::string, int64_t, double, bool, or a vector of text, integers or numbers.
template <class T>
class Option : public OptionBase {
 public:
    using Element = typename element_of<T>::type;
    static constexpr bool list = !std::is_same_v<T, Element>;

    Option(std::string names, T value, std::string help)
        : OptionBase(std::move(names), std::move(help)), value(std::move(value)), default_(this->value) {}

    T value;

    Option& required() {
        is_required = true;
        return *this;
    }
    Option& min(Element low) requires std::is_arithmetic_v<Element> {
        low_ = low;
        return *this;
    }
    Option& max(Element high) requires std::is_arithmetic_v<Element> {
        high_ = high;
        return *this;
    }
    Option& above(Element low) requires std::is_same_v<Element, double> {  // the bound itself is refused
        low_ = low;
        low_open_ = true;
        return *this;
    }
    Option& choices(std::vector<std::string> words) requires std::is_same_v<Element, std::string> {
        choices_ = std::move(words);
        return *this;
    }
    // "--x" without a value is allowed, and means this.
    Option& alone(std::string meaning) requires std::is_same_v<T, std::string> {
        when_alone = std::move(meaning);
        return *this;
    }
    std::string alone() const { return when_alone.value_or(""); }
    // A word that may stand in a number's place, and the value that it sets.
    Option& or_word(std::string word, Element stands_for) requires std::is_arithmetic_v<Element> {
        word_ = {std::move(word), stands_for};
        return *this;
    }
    bool given() const { return origin != Origin::by_default; }
    // Where it is not given: what a checkpoint says in its place.
    void settle(T from_checkpoint) {
        if (given()) return;
        value = std::move(from_checkpoint);
        origin = Origin::checkpoint;
    }

    bool differs() const override { return value != default_; }
    bool is_list() const override { return list; }
    bool is_flag() const override { return std::is_same_v<T, bool>; }
    std::string kind() const override;
    std::string rule() const override;
    bool restricted() const override { return low_ || high_ || !choices_.empty(); }
    std::vector<std::string> words() const override {
        std::vector<std::string> all = choices_;
        if (word_) all.push_back(word_->first);
        return all;
    }
    std::string shown() const override;
    std::string as_toml() const override;
    bool assign(const std::vector<Word>& words) override;

 private:
    bool accepts(const Element& e) const;
    bool is_word() const;  // the value is what or_word stands for

    T default_;
    std::optional<Element> low_, high_;
    bool low_open_ = false;
    std::vector<std::string> choices_;
    std::optional<std::pair<std::string, Element>> word_;
};

extern template class Option<std::string>;
extern template class Option<int64_t>;
extern template class Option<double>;
extern template class Option<bool>;
extern template class Option<std::vector<std::string>>;
extern template class Option<std::vector<int64_t>>;
extern template class Option<std::vector<double>>;

class Options {
 public:
    Options(std::string verb, std::string about);
    ~Options();
    Options(const Options&) = delete;

    // Options declared after this stand under this title in -h.
    void group(std::string title) { group_ = std::move(title); }

    Option<std::string>& text(std::string names, std::string value, std::string help);
    Option<std::string>& choice(std::string names, std::vector<std::string> words, std::string value, std::string help);
    Option<int64_t>& integer(std::string names, int64_t value, std::string help);
    Option<double>& number(std::string names, double value, std::string help);
    Option<bool>& flag(std::string names, std::string help, bool value = false);
    Option<std::vector<std::string>>& texts(std::string names, std::vector<std::string> value, std::string help);
    Option<std::vector<int64_t>>& integers(std::string names, std::vector<int64_t> value, std::string help);
    Option<std::vector<double>>& numbers(std::string names, std::vector<double> value, std::string help);

    // UsageError names the option, what was found and what is accepted; TextRequested carries the help for -h.
    void parse(int argc, const char* const* argv);
    void parse(const std::vector<std::string>& words);

    const std::string& config_file() const { return config_->value; }  // of --config; empty where there is none
    // Of a verb with examples the common options alone, unless `all`.
    std::string help(int width, bool all = true) const;
    // A line an example, shown by -h before the options, of which it then shows the common ones: --help-all shows all.
    void examples(std::vector<std::string> lines) { examples_ = std::move(lines); }
    // What was asked for, and what differs from the defaults; the last row counts the others.
    std::vector<TableRow> table() const;
    std::string as_toml() const;  // a configuration file that gives these values again

 private:
    static constexpr const char* default_group = "Options";

    template <class T>
    Option<T>& add(std::string names, T value, std::string help);
    void read_command_line(const std::vector<std::string>& words);
    void read_config_file(const std::string& path);
    void check_required() const;
    std::string reworded(const std::string& complaint) const;
    std::string spelled_similar_to(const std::string& word) const;
    [[noreturn]] void refuse(const std::string& what) const;

    std::string verb_, about_, group_ = default_group;
    std::vector<std::unique_ptr<OptionBase>> options_;
    Option<std::string>* config_;
    std::vector<std::string> examples_;
};

// A configuration file's lines (options_toml.cpp). IoError, or UsageError with file and line.
struct ConfigEntry {
    std::string key;  // as written, with - for _
    int line = 0;
    bool list = false;
    std::vector<Word> words;
};
std::vector<ConfigEntry> read_config(const std::string& path);

}  // namespace atrous::app
