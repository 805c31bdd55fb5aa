#include "segmentation/sweep/grid.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <set>

#include "base/error.h"
#include "base/split.h"
#include "base/suggest.h"
#include "base/text.h"
#include "segmentation/experiment.h"

namespace atrous::sweep {
namespace {

constexpr size_t max_points = 10000, max_name = 120;
using Words = std::vector<std::string>;

// The settings of an experiment that can vary, to read values with.
struct Known {
    Experiment experiment;
    Settings settings;

    Known() { describe(settings, experiment); }

    SettingBase& find(const std::string& key, const std::string& word) const {
        if (SettingBase* setting = settings.find(key); setting && can_vary(*setting)) return *setting;
        Words keys;
        for (const auto& s : settings.all())
            if (can_vary(*s)) keys.push_back(s->key);
        if (settings.find(key))
            throw UsageError(fmt::format(
                "`grid` {}: `{}` is the same for all trainings of a sweep; vary a setting that changes their results",
                io::printable(word), key));
        throw UsageError(fmt::format("`grid` {}: no setting is called {}{}; docs/settings.md lists them",
                                     io::printable(word), io::in_quotes(key), did_you_mean(key, keys)));
    }
    size_t place_of(const std::string& key) const {
        if (repeats(key)) return settings.all().size() + (key == "fold");
        size_t at = 0;
        while (at < settings.all().size() && settings.all()[at]->key != key) ++at;
        return at;
    }

 private:
    static bool can_vary(const SettingBase& s) {
        static const Words fixed{"output-dir", "resume", "overwrite", "dry-run", "profile", "profile-steps", "monitor"};
        return std::find(fixed.begin(), fixed.end(), s.key) == fixed.end() && !changes_no_result(s.key);
    }
};

std::string canonical(SettingBase& setting, const std::string& text, const std::string& word) {
    std::vector<Word> words;
    for (const std::string& part : setting.is_list() ? split(text, ' ') : Words{text})
        if (!setting.is_list() || !part.empty()) words.push_back({part});
    if (!setting.assign(words))
        throw UsageError(fmt::format("`grid` {}: `{}` takes {}, not {}{}", io::printable(word), setting.key,
                                     setting.rule(), io::in_quotes(text), did_you_mean(text, setting.choices())));
    return value_of(setting);
}

std::optional<double> number_of(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

// "1e-5..1e-2" of a number; nothing where it is no range.
std::optional<Axis::Range> range_of(SettingBase& setting, const std::string& text, const std::string& word) {
    const size_t dots = text.find("..");
    const bool whole = setting.kind() == "INTEGER";
    if (dots == text.npos || (!whole && setting.kind() != "NUMBER")) return std::nullopt;
    const auto low = number_of(text.substr(0, dots)), high = number_of(text.substr(dots + 2));
    if (!low || !high || *low <= 0 || *high <= *low)
        throw UsageError(fmt::format(
            "`grid` {}: expected a range of two numbers, the first above 0 and the second above the first, such as "
            "1e-5..1e-2",
            io::printable(word)));
    for (const double bound : {*low, *high}) canonical(setting, fmt::format("{}", bound), word);
    return Axis::Range{*low, *high, whole};
}

Axis axis_of(const std::string& word, const Known& known) {
    const size_t equals = word.find('=');
    std::string key = word.substr(0, equals);
    key.erase(0, std::min(key.find_first_not_of('-'), key.size()));
    std::replace(key.begin(), key.end(), '_', '-');
    if (equals == word.npos || key.empty())
        throw UsageError(
            fmt::format("`grid` {}: expected a setting and its values, such as lr=1e-4,2e-4", io::printable(word)));
    SettingBase& setting = known.find(key, word);
    const std::string all = word.substr(equals + 1);
    Axis axis{setting.key};
    if (const auto range = range_of(setting, all, word)) {
        axis.range = *range;
        return axis;
    }
    for (const std::string& text : split(all, all.find(';') != all.npos ? ';' : ',')) {
        const std::string value = canonical(setting, text, word);
        if (std::find(axis.values.begin(), axis.values.end(), value) != axis.values.end())
            throw UsageError(fmt::format("`grid` {}: the value {} appears twice", io::printable(word), value));
        axis.values.push_back(value);
    }
    return axis;
}

void add_axis(std::vector<Axis>& axes, Axis axis, const char* from) {
    for (const Axis& other : axes)
        if (other.key == axis.key)
            throw UsageError(fmt::format("`{}`: values of `{}` are given twice; name them once", from, axis.key));
    axes.push_back(std::move(axis));
}

// Uniform in 0..1, of the draw's number and the setting: the same on every machine.
double uniform(int64_t draw, const std::string& key, int64_t seed) {
    return double(data::name_hash(fmt::format("sweep {} {}", draw, key), uint64_t(seed)) >> 11) * 0x1p-53;
}

std::string drawn_value(const Axis& axis, double u) {
    if (!axis.values.empty())
        return axis.values[std::min(size_t(u * double(axis.values.size())), axis.values.size() - 1)];
    const Axis::Range& r = axis.range;
    const double value = r.low * std::pow(r.high / r.low, u);
    if (r.whole) return fmt::format("{}", std::clamp(std::llround(value), std::llround(r.low), std::llround(r.high)));
    const double rounded = number_of(fmt::format("{:.3g}", value)).value_or(value);
    return fmt::format("{}", std::clamp(rounded, r.low, r.high));
}

[[noreturn]] void refuse_small_grid(int64_t random, size_t points) {
    throw UsageError(
        fmt::format("`random` {}: the grid has only {} points; name more values, or draw fewer", random, points));
}

// How many points there are where no axis is a range; else more than can be drawn.
size_t combinations(const std::vector<Axis>& axes) {
    size_t all = 1;
    for (const Axis& axis : axes) {
        if (axis.values.empty()) return max_points + 1;
        all = std::min(all * axis.values.size(), max_points + 1);
    }
    return all;
}

std::vector<Point> drawn_points(const std::vector<Axis>& axes, const Request& request) {
    if (const size_t all = combinations(axes); int64_t(all) < request.random) refuse_small_grid(request.random, all);
    std::vector<Point> points;
    std::set<Point> drawn;
    const int64_t tries = 1000 + 200 * request.random;
    for (int64_t draw = 0; draw < tries && int64_t(points.size()) < request.random; ++draw) {
        Point point;
        for (const Axis& axis : axes)
            point.push_back({axis.key, drawn_value(axis, uniform(draw, axis.key, request.seed))});
        if (drawn.insert(point).second) points.push_back(std::move(point));
    }
    if (int64_t(points.size()) < request.random) refuse_small_grid(request.random, points.size());
    return points;
}

[[noreturn]] void refuse_range(const Axis& axis) {
    throw UsageError(fmt::format("`grid` {}={}..{}: values of a range are drawn; say with `random` how many", axis.key,
                                 axis.range.low, axis.range.high));
}

// Each of the points with each value of the axis.
std::vector<Point> times(const std::vector<Point>& points, const Axis& axis) {
    if (axis.values.empty()) refuse_range(axis);
    if (points.size() * axis.values.size() > max_points)
        throw UsageError(
            fmt::format("`grid`: more than {} trainings; name fewer values, or draw some with `random`", max_points));
    std::vector<Point> all;
    for (const Point& point : points)
        for (const std::string& value : axis.values) {
            all.push_back(point);
            all.back().push_back({axis.key, value});
        }
    return all;
}

// The experiment, and then each value of each axis in it by itself.
std::vector<Point> points_one_at_a_time(const std::vector<Axis>& axes, const Request& request) {
    std::vector<Point> points(1);
    for (const Axis& axis : axes) points[0].push_back({axis.key, request.experiment.at(axis.key)});
    for (size_t i = 0; i < axes.size(); ++i) {
        if (axes[i].values.empty()) refuse_range(axes[i]);
        for (const std::string& value : axes[i].values) {
            Point point = points[0];
            point[i].text = value;
            if (point != points[0]) points.push_back(point);
        }
    }
    return points;
}

// A name has 32 bits of a hash where values do not stand in it as they are.
void check_names(const std::vector<Point>& points) {
    std::map<std::string, const Point*> names;
    const auto text_of = [](const Point& point) {
        std::string text;
        for (const Value& value : point) text += (text.empty() ? "" : ", ") + value.key + " " + value.text;
        return text;
    };
    for (const Point& point : points) {
        const auto [other, is_new] = names.emplace(name_of(point), &point);
        if (is_new) continue;
        throw UsageError(
            fmt::format("`grid`: the trainings {} and {} would have one run folder, {}; write one of their values in "
                        "another form, or leave one out",
                        io::printable(text_of(*other->second)), io::printable(text_of(point)), other->first));
    }
}

Axis numbered(const char* key, int64_t count, const std::function<std::string(int64_t)>& value) {
    Axis axis{key};
    for (int64_t i = 0; i < count; ++i) axis.values.push_back(value(i));
    return axis;
}

}  // namespace

std::string value_of(const SettingBase& setting) {
    std::string text;
    for (const Word& word : setting.words()) text += (text.empty() ? "" : " ") + word.text;
    return text;
}

const Words& settings_without_result() {
    static const Words keys{"workers", "cache", "check-cache", "max-hours", "save-every", "sheet-rows", "memory-limit"};
    return keys;
}

bool changes_no_result(const std::string& key) {
    const Words& keys = settings_without_result();
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool repeats(const std::string& key) { return key == "seed" || key == "fold"; }

std::vector<Axis> axes_of(const Request& request) {
    const Known known;
    std::vector<Axis> axes;
    for (const std::string& word : request.grid) add_axis(axes, axis_of(word, known), "grid");
    if (request.seeds > 0)
        add_axis(axes, numbered("seed", request.seeds, [&](int64_t i) { return fmt::format("{}", request.seed + i); }),
                 "seeds");
    if (request.folds > 0)
        add_axis(axes,
                 numbered("fold", request.folds, [&](int64_t i) { return fmt::format("{}/{}", i + 1, request.folds); }),
                 "folds");
    if (axes.empty())
        throw UsageError(
            "nothing varies; name settings and their values with `grid`, such as lr=1e-4,2e-4, or say `folds` or "
            "`seeds`");
    std::stable_sort(axes.begin(), axes.end(),
                     [&](const Axis& a, const Axis& b) { return known.place_of(a.key) < known.place_of(b.key); });
    return axes;
}

std::vector<Point> points_of(const Request& request) {
    std::vector<Axis> varied, repeated;
    for (Axis& axis : axes_of(request)) (repeats(axis.key) ? repeated : varied).push_back(std::move(axis));
    std::vector<Point> points(1);
    if (request.random > 0 && request.one_at_a_time)
        throw UsageError("`random` and `one-at-a-time` are both given; give one of them");
    if (request.random > 0) points = drawn_points(varied, request);
    if (request.one_at_a_time) points = points_one_at_a_time(varied, request);
    if (request.random > 0 || request.one_at_a_time) varied.clear();
    for (const Axis& axis : varied) points = times(points, axis);
    for (const Axis& axis : repeated) points = times(points, axis);
    check_names(points);
    return points;
}

std::string name_of(const Point& point) {
    static constexpr const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
    std::string name, exact;
    for (const Value& value : point) {
        std::string text = value.text;
        if (value.key == "fold") std::replace(text.begin(), text.end(), '/', '-');
        exact += value.key + "=" + text + "\n";
        for (char& c : text)
            if (!std::strchr(plain, c)) c = '_';
        name += (name.empty() ? "" : ",") + value.key + "=" + text;
    }
    std::string same;
    for (const char c : name) same += c == ',' ? '\n' : c;
    if (same + "\n" == exact && name.size() <= max_name) return name;
    const auto digits = uint32_t(data::name_hash(exact, 0));
    return fmt::format("{}~{:08x}", name.substr(0, max_name - 9), digits);
}

}  // namespace atrous::sweep
