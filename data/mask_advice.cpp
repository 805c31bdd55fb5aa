// What to do about masks whose values could mean several things, and how to tell ids of objects from ids of classes.
#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "data/mask.h"

namespace atrous::data {

namespace {

std::string list_of(const std::vector<RawValue>& values, size_t most) {
    std::string text;
    for (size_t i = 0; i < std::min(values.size(), most); ++i) text += (i ? "," : "") + text_of_value(values[i].value);
    return values.size() > most ? text + ",…" : text;
}

int64_t pixels_of(const std::vector<RawValue>& values) {
    return std::accumulate(values.begin(), values.end(), int64_t{0},
                           [](int64_t sum, const RawValue& v) { return sum + v.count; });
}

// The values that many pixels have, the commonest first; the others are between them or noise.
std::vector<RawValue> common_values(std::vector<RawValue> values, double share) {
    const double least = share * double(pixels_of(values));
    std::erase_if(values, [&](const RawValue& v) { return double(v.count) < least; });
    std::stable_sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
    return values;
}

std::string shares_of(const std::vector<RawValue>& common, int64_t pixels) {
    std::string text;
    for (const RawValue& v : common)
        text += fmt::format("{}{} {:.1f} %", text.empty() ? "" : ", ", text_of_value(v.value),
                            100.0 * double(v.count) / double(pixels));
    return text;
}

uint32_t channel(uint32_t colour, int shift) { return colour >> shift & 255; }

int distance(uint32_t a, uint32_t b) {
    int largest = 0;
    for (int shift : {0, 8, 16}) largest = std::max(largest, std::abs(int(channel(a, shift)) - int(channel(b, shift))));
    return largest;
}

// How far the furthest value is from the nearest common one.
int reach_of(const std::vector<RawValue>& values, const std::vector<RawValue>& common) {
    int reach = 0;
    for (const RawValue& v : values) {
        int least = 255;
        for (const RawValue& c : common) least = std::min(least, distance(v.value, c.value));
        reach = std::max(reach, least);
    }
    return reach;
}

std::string advice_on_colours(const std::vector<RawValue>& values) {
    if (values.size() <= 32)
        return fmt::format("give the colours in the order of the classes: `mask-values` '{}'", list_of(values, 32));
    const auto common = common_values(values, 0.005);
    if (common.size() < 2 || common.size() > 32 || 2 * pixels_of(common) < pixels_of(values))
        return "so many colours come from JPEG or anti-aliasing: export the masks as PNG without it";
    const int reach = values.size() >= 4096 ? 255 : std::max(reach_of(values, common), 1);
    return fmt::format(
        "so many colours come from JPEG or anti-aliasing; the commonest are {}: `mask-values` '{},within={}' takes "
        "each "
        "pixel for the nearest of them (put them in the order of the classes), or export the masks without soft edges",
        shares_of(common, pixels_of(values)), list_of(common, 32), reach);
}

std::string levels_as_classes(std::vector<RawValue> levels) {
    std::sort(levels.begin(), levels.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
    std::string text;
    for (size_t i = 0; i < levels.size(); ++i) text += fmt::format("{}{}={}", i ? "," : "", levels[i].value, i);
    return text;
}

// A threshold for an object in values up to the last.
uint32_t middle_of(const std::vector<RawValue>& values) {
    const uint32_t top = values.back().value;
    return top > 128 && top < 256 ? 128 : top / 2 + 1;
}

// A threshold is offered only where it parts two levels, so that it drops nothing between more.
std::string advice_on_values(const std::vector<RawValue>& values) {
    const std::string ids = "or are ids (then ids)";
    if (values.size() <= 16)
        return fmt::format(
            "say what they are: for a class a level `mask-values` {}; for one object `mask-values` binary, or "
            "binary:{} for the brighter half; ids where the value is the class",
            levels_as_classes(values), middle_of(values));
    const auto common = common_values(values, 0.02);
    const std::string shares = shares_of(common, pixels_of(values));
    if (common.size() == 2 && values.back().value > 64) {
        const uint32_t middle = (common[0].value + common[1].value + 1) / 2;
        return fmt::format("so many values come from JPEG or anti-aliasing ({}; then `mask-values` binary:{}) {}",
                           shares, middle, ids);
    }
    std::string colours;
    for (const RawValue& v : common)
        if (v.value < 256) colours += fmt::format("{}#{:06x}", colours.empty() ? "" : ",", v.value * 0x010101);
    if (common.size() > 2 && common.size() <= 8 && values.back().value < 256)
        return fmt::format(
            "so many values come from JPEG or anti-aliasing between the levels {} (then `mask-values` "
            "'{},within={}') {}",
            shares, colours, reach_of(values, common), ids);
    return fmt::format(
        "so many values are numbers of objects (then `mask-values` binary), come from JPEG or anti-aliasing "
        "(then a threshold such as binary:{}) {}",
        middle_of(values), ids);
}

}  // namespace

[[noreturn]] void refuse_undecided(std::vector<RawValue> values, const std::string& example) {
    const bool colours = values.back().value & colour_flag;
    for (auto& v : values)  // masks without colour among masks in colour
        if (colours && v.value < 256) v.value = colour_flag | v.value * 0x010101u;
    throw DataError(fmt::format("{}: the masks hold {} different {} ({}), which could mean several things; {}", example,
                                values.size(), colours ? "colours" : "values", list_of(values, 8),
                                colours ? advice_on_colours(values) : advice_on_values(values)));
}

namespace {

// Pieces of equal values other than 0, each connected to eight neighbours.
class Pieces {
 public:
    explicit Pieces(const RawMask& mask) : parent_(size_t(mask.image.h * mask.image.w)) {
        const int64_t h = mask.image.h, w = mask.image.w;
        for (int64_t i = 0; i < h * w; ++i) {
            const uint32_t value = mask.value(i);
            parent_[size_t(i)] = i;
            if (value == 0) continue;
            ++count_;
            const int64_t x = i % w, y = i / w;
            if (x > 0 && mask.value(i - 1) == value) join(i, i - 1);
            for (int64_t dx = -1; dx <= 1 && y > 0; ++dx)
                if (x + dx >= 0 && x + dx < w && mask.value(i - w + dx) == value) join(i, i - w + dx);
        }
    }
    int64_t count() const { return count_; }

 private:
    int64_t root(int64_t i) {
        while (parent_[size_t(i)] != i) i = parent_[size_t(i)] = parent_[size_t(parent_[size_t(i)])];
        return i;
    }
    void join(int64_t a, int64_t b) {
        a = root(a), b = root(b);
        if (a == b) return;
        parent_[size_t(std::max(a, b))] = std::min(a, b);
        --count_;
    }
    std::vector<int64_t> parent_;
    int64_t count_ = 0;
};

}  // namespace

int64_t count_instances(const RawMask& mask, const std::vector<RawValue>& values) {
    if (mask.image.c != 1 || values.empty() || values.size() >= 4096) return -1;
    const int64_t top = values.back().value, objects = int64_t(values.size()) - (values[0].value == 0);
    if (3 * objects < 2 * top) return -1;
    if (objects < 2) return top;
    return Pieces(mask).count() == objects ? top : -1;
}

}  // namespace atrous::data
