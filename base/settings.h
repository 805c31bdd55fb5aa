// Settings are values with a name, a type, a range, a default and a sentence of help, declared once and bound to the
// fields that they set. From the declarations come the command line and its help, configuration files, the table of
// what was used, what a checkpoint says of its training, and what a resumed training may change.
//
//     struct Schedule { double base = 1e-4; … };
//     void describe(Settings& s, Schedule& schedule) {
//         s.bind("lr", schedule.base, "learning rate").above(0);
//         s.bind("warmup-steps", schedule.warmup_steps, "steps of linear warm-up").min(0);
//     }
//
// A setting's default is what its field holds when it is bound. Whoever describes something keeps it in its place while
// the Settings live. Messages name a setting by its key in backquotes; a program shows that as it takes it (`--lr`).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace atrous {

enum class Origin { by_default, checkpoint, config, flag };
const char* name_of(Origin origin);  // "default", "checkpoint", "config", "flag"

// A resumed training may treat a setting in one of these ways.
enum class Resume {
    said,          // it may change, and the change is said
    free,          // it may change without a word: where files are, what machine it is
    within_epoch,  // it decides which images are a batch: it may change between epochs only
    fixed,         // with another value it is another training
};

// A raw value: untyped from a command line, typed from a configuration file.
struct Word {
    enum class Kind { any, text, integer, number, boolean, other };
    std::string text;
    Kind kind = Kind::any;
    bool operator==(const Word&) const = default;
};

class SettingBase {
 public:
    SettingBase(std::string key, std::string help) : key(std::move(key)), help(std::move(help)) {}
    virtual ~SettingBase() = default;

    std::string key;      // "batch-size"
    char short_name = 0;  // 'b': -b on a command line
    std::string help, group, unit_name;
    std::string stored_key;  // in JSON, where that is neither the key nor the key with _ for -
    bool is_positional = false, is_required = false;
    bool is_common = false;                 // shown where the help is short
    std::optional<std::string> when_alone;  // the value of the bare flag, where it may stand without one
    Resume resume = Resume::said;
    Origin origin = Origin::by_default;
    std::function<bool()> counts;  // whether it changes anything beside the others; empty: it does
    std::string former_key;        // in configuration files and checkpoints from before it had its key
    std::string counts_with;       // what it belongs to: "`schedule` plateau"

    bool given() const { return origin != Origin::by_default; }
    virtual bool differs() const = 0;  // from the default
    virtual bool is_list() const = 0;
    virtual bool is_flag() const = 0;
    virtual std::string kind() const = 0;                     // for help: NUMBER
    virtual std::string rule() const = 0;                     // what is accepted: "an integer of at least 1"
    virtual bool restricted() const = 0;                      // rule() says more than the type
    virtual std::vector<std::string> choices() const = 0;     // that may be the value, where only some may
    virtual std::string shown() const = 0;                    // the value, as one would type it
    virtual std::string shown_default() const = 0;            // the default, likewise
    virtual std::vector<Word> words() const = 0;              // the value, of a list its elements
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

// T: text, a number, bool, or a vector of text or numbers.
template <class T>
class Setting : public SettingBase {
 public:
    using Element = typename element_of<T>::type;
    static constexpr bool list = !std::is_same_v<T, Element>;

    Setting(std::string key, T& field, std::string help)
        : SettingBase(std::move(key), std::move(help)), value(field), default_(field) {}

    T& value;

    Setting& letter(char c) { return short_name = c, *this; }
    Setting& positional() { return is_positional = true, *this; }
    Setting& required() { return is_required = true, *this; }
    Setting& common() { return is_common = true, *this; }
    Setting& unit(std::string name) { return unit_name = std::move(name), *this; }
    Setting& when_resumed(Resume rule) { return resume = rule, *this; }
    Setting& stored_as(std::string key) { return stored_key = std::move(key), *this; }  // as files of before have it
    Setting& formerly(std::string key) { return former_key = std::move(key), *this; }
    // The setting changes nothing where `when` is false, which looks at the values of other settings.
    Setting& only_with(std::string others, std::function<bool()> when) {
        counts_with = std::move(others);
        counts = std::move(when);
        return *this;
    }
    Setting& min(Element low) requires std::is_arithmetic_v<Element> { return low_ = low, *this; }
    Setting& max(Element high) requires std::is_arithmetic_v<Element> { return high_ = high, *this; }
    Setting& above(Element low) requires std::is_same_v<Element, double> {  // the bound itself is refused
        low_open_ = true;
        return low_ = low, *this;
    }
    Setting& one_of(std::vector<std::string> words) requires std::is_same_v<Element, std::string> {
        return choices_ = std::move(words), *this;
    }
    // "--x" without a value is allowed, and means this.
    Setting& alone(std::string meaning) requires std::is_same_v<T, std::string> {
        return when_alone = std::move(meaning), *this;
    }
    std::string alone() const { return when_alone.value_or(""); }
    // A word that may stand in a number's place, and the value that it sets.
    Setting& or_word(std::string word, Element stands_for) requires std::is_arithmetic_v<Element> {
        return word_ = {std::move(word), stands_for}, *this;
    }
    // Takes the value that a checkpoint gives, where the setting is not given.
    void default_from(T checkpoint) {
        if (given()) return;
        value = std::move(checkpoint);
        origin = Origin::checkpoint;
    }

    bool differs() const override { return value != default_; }
    bool is_list() const override { return list; }
    bool is_flag() const override { return std::is_same_v<T, bool>; }
    std::string kind() const override;
    std::string rule() const override;
    bool restricted() const override { return low_ || high_ || !choices_.empty(); }
    std::vector<std::string> choices() const override {
        std::vector<std::string> all = choices_;
        if (word_) all.push_back(word_->first);
        return all;
    }
    std::string shown() const override { return text_of(value); }
    std::string shown_default() const override { return text_of(default_); }
    std::vector<Word> words() const override;
    bool assign(const std::vector<Word>& words) override;

 private:
    bool accepts(const Element& e) const;
    bool is_word(const T& v) const;  // v is what or_word stands for
    std::string text_of(const T& v) const;

    T default_;
    std::optional<Element> low_, high_;
    bool low_open_ = false;
    std::vector<std::string> choices_;
    std::optional<std::pair<std::string, Element>> word_;
};

// A value of an enumeration, by its words.
template <class E>
class EnumSetting : public SettingBase {
 public:
    using Named = std::pair<std::string, E>;
    EnumSetting(std::string key, E& field, std::vector<Named> named, std::string help)
        : SettingBase(std::move(key), std::move(help)), value(field), default_(field), named_(std::move(named)) {}

    E& value;
    EnumSetting& common() { return is_common = true, *this; }
    EnumSetting& when_resumed(Resume rule) { return resume = rule, *this; }

    bool differs() const override { return value != default_; }
    bool is_list() const override { return false; }
    bool is_flag() const override { return false; }
    std::string kind() const override { return "WORD"; }
    std::string rule() const override;
    bool restricted() const override { return true; }
    std::vector<std::string> choices() const override {
        std::vector<std::string> all;
        for (const Named& n : named_) all.push_back(n.first);
        return all;
    }
    std::string shown() const override { return word_of(value); }
    std::string shown_default() const override { return word_of(default_); }
    std::vector<Word> words() const override { return {{shown(), Word::Kind::text}}; }
    bool assign(const std::vector<Word>& words) override {
        if (words.size() != 1) return false;
        for (const Named& n : named_)
            if (n.first == words[0].text) return value = n.second, true;
        return false;
    }

 private:
    std::string word_of(E v) const {
        for (const Named& n : named_)
            if (n.second == v) return n.first;
        return "?";
    }

    E default_;
    std::vector<Named> named_;
};

std::string alternatives(const std::vector<std::string>& words);  // "a, b or c"
std::string enumeration(const std::vector<std::string>& words);   // "a, b and c"

template <class E>
std::string EnumSetting<E>::rule() const {
    return alternatives(choices());
}

class Settings {
 public:
    Settings();
    virtual ~Settings();
    Settings(const Settings&) = delete;
    Settings& operator=(const Settings&) = delete;

    // Settings declared after this stand under this title in help.
    void group(std::string title) { group_ = std::move(title); }
    const std::string& group() const { return group_; }

    // Binds a setting to a field that outlives the settings. Throws Error where the key is taken.
    template <class T>
    Setting<T>& bind(std::string key, T& field, std::string help) {
        return add(std::make_unique<Setting<T>>(std::move(key), field, std::move(help)));
    }
    template <class E>
    EnumSetting<E>& choice(std::string key, E& field, std::vector<std::pair<std::string, E>> named, std::string help) {
        return add(std::make_unique<EnumSetting<E>>(std::move(key), field, std::move(named), std::move(help)));
    }

    const std::vector<std::unique_ptr<SettingBase>>& all() const { return all_; }
    SettingBase* find(const std::string& key) const;  // by its key or its former key; null where there is none
    SettingBase& at(const std::string& key) const;    // Error where there is none
    // Gives a setting the checkpoint's value where it is not given itself.
    template <class T>
    void default_from(const std::string& key, T checkpoint) {
        dynamic_cast<Setting<T>&>(at(key)).default_from(std::move(checkpoint));
    }
    // Marks these as those that a short help shows.
    void mark_common(const std::vector<std::string>& keys);
    // Takes a setting of a class of its own. Throws Error where the key is taken.
    template <class S>
    S& add(std::unique_ptr<S> setting) {
        S& added = *setting;
        keep(std::move(setting));
        return added;
    }

 private:
    void keep(std::unique_ptr<SettingBase> setting);

    std::string group_ = "Options";
    std::vector<std::unique_ptr<SettingBase>> all_;
};

// Shows the settings that a message names as a command line has them, with two dashes in front; other text in
// backquotes stays as it is.
std::string with_flags(const std::string& message);

}  // namespace atrous
