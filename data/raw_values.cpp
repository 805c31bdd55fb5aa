// The distinct values of a mask: how often each comes, where first, and how wide what it fills is.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "data/mask.h"

namespace atrous::data {

namespace {

RawValue first_at(const RawMask& mask, uint32_t value, int64_t i) {
    return {value, 0, int32_t(i % mask.image.w), int32_t(i / mask.image.w), mask.colour(i)};
}

bool is_small(const RawMask& mask) { return mask.image.c == 1 && !mask.image.is_16bit(); }

std::vector<RawValue> values_of_bytes(const RawMask& mask) {
    std::array<int64_t, 256> count{}, first{};
    const auto& pixels = mask.image.u8;
    for (size_t i = 0; i < pixels.size(); ++i)
        if (count[pixels[i]]++ == 0) first[pixels[i]] = int64_t(i);
    std::vector<RawValue> values;
    for (uint32_t v = 0; v < 256; ++v) {
        if (count[v] == 0) continue;
        values.push_back(first_at(mask, v, first[v]));
        values.back().count = count[v];
    }
    return values;
}

std::vector<RawValue> sorted(const std::unordered_map<uint32_t, RawValue>& seen) {
    std::vector<RawValue> values;
    for (const auto& [key, entry] : seen) values.push_back(entry);
    std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
    return values;
}

// Each pixel as the position of its value among `values`, which are all there are, at most 256.
std::vector<uint8_t> positions(const RawMask& mask, const std::vector<RawValue>& values) {
    std::unordered_map<uint32_t, uint8_t> position;
    for (size_t k = 0; k < values.size(); ++k) position[values[k].value] = uint8_t(k);
    std::vector<uint8_t> out(size_t(mask.image.h * mask.image.w));
    uint32_t last = values[0].value;
    uint8_t at = 0;
    for (size_t i = 0; i < out.size(); ++i) {
        if (const uint32_t value = mask.value(int64_t(i)); value != last) at = position.at(last = value);
        out[i] = at;
    }
    return out;
}

}  // namespace

std::vector<RawValue> raw_values(const RawMask& mask, const MaskRule& rule, size_t limit) {
    const bool colours = rule.by_colour(), by_value = rule.kind == MaskKind::automatic;
    if (by_value && is_small(mask) && limit >= 256) return values_of_bytes(mask);
    std::unordered_map<uint32_t, RawValue> seen;  // by value or by class
    RawValue* last = nullptr;
    uint32_t last_value = 0;
    for (int64_t i = 0; i < mask.image.h * mask.image.w; ++i) {
        const uint32_t value = colours ? mask.colour(i) : mask.value(i);
        if (!last || last_value != value) {  // neighbours are mostly equal
            const uint32_t key = by_value ? value : uint32_t(rule.class_of(value));
            const auto found = seen.find(key);
            if (by_value && found == seen.end() && seen.size() == limit) {
                last = nullptr;
                continue;
            }
            last = found != seen.end() ? &found->second : &seen.emplace(key, first_at(mask, value, i)).first->second;
            last_value = value;
        }
        ++last->count;
    }
    return sorted(seen);
}

std::vector<RawValue> raw_values(const std::vector<RawValue>& all, const MaskRule& rule) {
    std::unordered_map<uint32_t, RawValue> seen;  // by class
    for (RawValue v : all) {
        if (rule.by_colour()) v.value = v.colour;
        const auto [at, fresh] = seen.emplace(uint32_t(rule.class_of(v.value)), v);
        RawValue& of_class = at->second;
        if (fresh) continue;
        const int64_t count = of_class.count + v.count;
        const uint16_t width = std::max(of_class.width, v.width);
        if (std::pair(v.y, v.x) < std::pair(of_class.y, of_class.x)) of_class = v;
        of_class.count = count, of_class.width = width;
    }
    return sorted(seen);
}

void measure_widths(const RawMask& mask, std::vector<RawValue>& values) {
    if (values.empty() || values.size() > 256) return;
    const bool bytes = is_small(mask);
    const std::vector<uint8_t> own = bytes ? std::vector<uint8_t>{} : positions(mask, values);
    const uint8_t* pixels = bytes ? mask.image.u8.data() : own.data();
    const int64_t h = mask.image.h, w = mask.image.w;
    // The side of the largest square of equal pixels whose last corner is a pixel, in the row above and in this one.
    std::vector<uint16_t> above(size_t(w), 0), here(size_t(w), 0);
    std::array<uint16_t, 256> widest{};
    for (int64_t y = 0; y < h; ++y, pixels += w, std::swap(above, here))
        for (int64_t x = 0; x < w; ++x) {
            const uint8_t value = pixels[x];
            uint16_t side = 1;
            if (x > 0 && y > 0 && pixels[x - 1] == value && pixels[x - w] == value && pixels[x - w - 1] == value)
                side = uint16_t(
                    std::min<int>(1 + std::min({here[size_t(x - 1)], above[size_t(x)], above[size_t(x - 1)]}), 65535));
            here[size_t(x)] = side;
            widest[value] = std::max(widest[value], side);
        }
    for (size_t k = 0; k < values.size(); ++k) values[k].width = widest[bytes ? values[k].value : uint32_t(k)];
}

}  // namespace atrous::data
