// The points of a sweep: combinations of values of settings, all of them or some that are drawn.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/settings.h"

namespace atrous::sweep {

struct Value {
    std::string key, text;  // a setting, and its value in the one form that equal values have
    auto operator<=>(const Value&) const = default;
};

// One of the trainings: what it has for each setting that varies, in the order in which settings are declared, and
// `seed` and `fold` at the end.
using Point = std::vector<Value>;

struct Axis {
    std::string key;
    std::vector<std::string> values = {};  // none: it is a range
    struct Range {
        double low = 0, high = 0;
        bool whole = false;  // integers alone
    } range = {};
};

// What a sweep is asked for: words "lr=1e-4,2e-4", whose values are separated by ; where they hold commas, or
// "lr=1e-5..1e-2", a range; so many folds and seeds, the first of which is the experiment's.
struct Request {
    std::vector<std::string> grid = {};
    int64_t folds = 0, seeds = 0;  // 0: none
    int64_t random = 0;            // points of the grid that are drawn; 0: all
    int64_t seed = 0;              // of the experiment, and of what is drawn
    bool one_at_a_time = false;    // points that differ from the experiment in one setting at most
    std::map<std::string, std::string> experiment = {};  // its values by setting, for that
};

// The value of a setting in the one form that equal values have.
std::string value_of(const SettingBase& setting);

// UsageError where a word names no setting that can vary, a value that it does not take, or one value twice.
std::vector<Axis> axes_of(const Request& request);

// All combinations of the axes, the last of which varies fastest; folds and seeds among them. With `random` so many
// distinct ones of the grid, each with all folds and seeds: of a range, values of three digits, uniform in their
// logarithm. They follow from the seed, and more of them begin with the same. UsageError where there are not as many,
// or a range is not drawn from.
// One at a time, they are the experiment itself and those that have one value of the grid in place of its own. UsageError
// also where two of them have one name.
std::vector<Point> points_of(const Request& request);

// Settings that change how trainings run and not what they find. A training that goes on takes them from the start that it
// goes on with.
const std::vector<std::string>& settings_without_result();
bool changes_no_result(const std::string& key);

// Seeds and folds repeat a point: results are averaged over them.
bool repeats(const std::string& key);

// "lr=0.0001,batch-size=16": fit for a folder on any file system. What is long or has other characters than most
// names is told apart by eight digits of its hash.
std::string name_of(const Point& point);

}  // namespace atrous::sweep
