// A catalogue lists things of one kind by their names: those of this tree, in the order in which they are listed, and
// those that a program adds at its start. Update rules, schedules, losses, models and augmentations are such things;
// each has settings of its own.
//
//     class Lion : public Copied<Lion, UpdateRule> {
//         double beta = 0.99;
//         std::string name() const override { return "lion"; }
//         void describe(Settings& s, …) override { s.bind("lion-beta", beta, "decay of the mean in lion"); }
//         …
//     };
//     add_update_rule(Lion());      // from now on `optimizer` lion
//
// A kind T has name(), copy() and a static catalogue().
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/settings.h"

namespace atrous {

template <class T>
class Catalogue {
 public:
    // `kind` names the setting that chooses one: "optimizer".
    template <class... Things>
    explicit Catalogue(std::string kind, const Things&... things) : kind_(std::move(kind)) {
        (add(things), ...);
    }

    // Must be called before there are threads. Throws Error where the name is taken or is empty.
    template <class Thing>
    void add(const Thing& thing) {
        const std::string name = thing.name();
        if (name.empty() || find(name)) throw Error(kind_ + " '" + name + "' is described twice, or has no name");
        all_.push_back(std::make_unique<Thing>(thing));
    }

    const T* find(const std::string& name) const {  // null where there is none
        for (const auto& thing : all_)
            if (thing->name() == name) return thing.get();
        return nullptr;
    }
    const T& at(const std::string& name) const {  // UsageError where there is none
        if (const T* found = find(name)) return *found;
        throw UsageError(kind_ + " '" + name + "' is unknown; expected " + alternatives(names()));
    }
    std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& thing : all_) names.push_back(thing->name());
        return names;
    }
    const std::vector<std::unique_ptr<T>>& all() const { return all_; }

 private:
    std::string kind_;
    std::vector<std::unique_ptr<T>> all_;
};

// A thing that its catalogue can copy, settings and all; `Base` where it derives from another thing of its kind.
template <class Thing, class Kind, class Base = Kind>
class Copied : public Base {
 public:
    using Base::Base;
    std::unique_ptr<Kind> copy() const override { return std::make_unique<Thing>(static_cast<const Thing&>(*this)); }
};

// One of each thing of a catalogue, with settings that differ from the catalogue's: what an experiment holds. Copying
// copies them all.
template <class T>
class OneOfEach {
 public:
    OneOfEach() = default;
    OneOfEach(const OneOfEach& other) { *this = other; }
    OneOfEach(OneOfEach&&) = default;
    OneOfEach& operator=(OneOfEach&&) = default;
    OneOfEach& operator=(const OneOfEach& other) {
        if (this == &other) return *this;
        mine_.clear();
        for (const auto& [name, thing] : other.mine_) mine_.emplace(name, thing->copy());
        return *this;
    }

    // UsageError where the catalogue has no such thing.
    const T& of(const std::string& name) const {
        const auto at = mine_.find(name);
        return at == mine_.end() ? T::catalogue().at(name) : *at->second;
    }
    T& of(const std::string& name) {  // stays in its place
        const auto at = mine_.find(name);
        return at != mine_.end() ? *at->second : *mine_.emplace(name, T::catalogue().at(name).copy()).first->second;
    }
    template <class Thing>
    Thing& of(const std::string& name) {
        return dynamic_cast<Thing&>(of(name));
    }
    template <class Thing>
    const Thing& of(const std::string& name) const {
        return dynamic_cast<const Thing&>(of(name));
    }

 private:
    std::map<std::string, std::unique_ptr<T>> mine_;
};

}  // namespace atrous
