#include "data/value_range.h"

#include <fmt/core.h>

#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "data/transform.h"

namespace atrous::data {

ValueRange ValueRange::of(const Image& image) const {
    if (given()) return *this;
    return {0, image.is_float() ? 1.f : image.is_16bit() ? 65535.f : 255.f};
}

// The whole of the text as a number; NaN for anything else.
static float number_of(const std::string& text) {
    char* end = nullptr;
    const float value = std::strtof(text.c_str(), &end);
    return text.empty() || std::isspace(static_cast<unsigned char>(text[0])) || *end ? NAN : value;
}

RangeRule parse_value_range(const std::string& text) {
    if (text == "auto") return {};
    if (text == "measured") return {.measured = true};
    const size_t dots = text.find("..");
    const float low = dots == text.npos ? NAN : number_of(text.substr(0, dots));
    const float high = dots == text.npos ? NAN : number_of(text.substr(dots + 2));
    if (!std::isfinite(low) || !std::isfinite(high) || !(low < high) ||
        std::max(std::abs(low), std::abs(high)) > most_in_range)
        throw UsageError(
            fmt::format("`value-range` {}: expected auto, measured, or two numbers such as 0..4095", text));
    return {.range = {low, high}};
}

std::string text_of(const ValueRange& range) {
    return range.given() ? fmt::format("{}..{}", range.low, range.high) : "auto";
}

Image as_net_takes_it(Image image, int channels, const ValueRange& range, const std::string& path) {
    if (!can_become(image, channels))
        throw DataError(
            fmt::format("{}: the image has {} channels, expected {} (`channels`)", path, image.c, channels));
    if (image.is_float() && !range.given())
        throw DataError(
            fmt::format("{}: the image holds floats or integers of more than 16 bits, whose range is not "
                        "known; train with `value-range`, or save 8 or 16 bits",
                        path));
    return to_channels(std::move(image), channels);
}

}  // namespace atrous::data
