#include "data/rle.h"

#include <fmt/core.h>

#include <charconv>

#include "base/error.h"

namespace atrous::data {

static Image transposed(const Image& mask) {
    Image out = make_image<uint8_t>(mask.w, mask.h, 1);
    for (int64_t y = 0; y < mask.h; ++y)
        for (int64_t x = 0; x < mask.w; ++x) out.u8[size_t(x * mask.h + y)] = mask.u8[size_t(y * mask.w + x)];
    return out;
}

Image decode_rle(const std::string& text, int64_t h, int64_t w, const std::string& where, RunOrder order) {
    const bool by_columns = order == RunOrder::columns;
    Image mask = by_columns ? make_image<uint8_t>(w, h, 1) : make_image<uint8_t>(h, w, 1);
    if (text == "-1") return by_columns ? transposed(mask) : mask;
    const char *at = text.data(), *const end = at + text.size();
    int64_t number = 0, last = 0;  // numbers read, end of the run before
    const auto next = [&](int64_t& value) {
        while (at < end && (*at == ' ' || *at == '\t')) ++at;
        if (at == end) return false;
        const auto [stop, error] = std::from_chars(at, end, value);
        ++number;
        if (error != std::errc() || value < 1 || (stop < end && *stop != ' ' && *stop != '\t'))
            throw DataError(fmt::format(
                "{}: run-length mask, number {}: '{}' is not a positive integer; expected pairs 'start length'", where,
                number, std::string(at, size_t(std::min<ptrdiff_t>(end - at, 12)))));
        at = stop;
        return true;
    };
    for (int64_t start = 0, length = 0; next(start);) {
        if (!next(length))
            throw DataError(
                fmt::format("{}: run-length mask: {} numbers; expected pairs 'start length'", where, number));
        if (start <= last)
            throw DataError(
                fmt::format("{}: run-length mask: the run at {} begins before the end of the one before it ({}); runs "
                            "ascend and do not overlap",
                            where, start, last));
        if (length > h * w || start - 1 > h * w - length)
            throw DataError(
                fmt::format("{}: run-length mask: the run '{} {}' leaves the image of {}x{} pixels; starts count "
                            "from 1 {}",
                            where, start, length, w, h, by_columns ? "down the columns" : "along the rows"));
        std::fill_n(mask.u8.begin() + (start - 1), length, uint8_t(1));
        last = start - 1 + length;
    }
    return by_columns ? transposed(mask) : mask;
}

std::string encode_rle(const Image& mask) {
    std::string text;
    for (size_t i = 0; i < mask.u8.size();) {
        if (!mask.u8[i]) {
            ++i;
            continue;
        }
        const size_t start = i;
        while (i < mask.u8.size() && mask.u8[i]) ++i;
        text += fmt::format("{}{} {}", text.empty() ? "" : " ", start + 1, i - start);
    }
    return text;
}

}  // namespace atrous::data
