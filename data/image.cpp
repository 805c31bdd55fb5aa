#include "data/image.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/durable_file.h"
#include "base/error.h"
#include "data/codecs.h"

namespace atrous::data {

namespace {

Image expand_palette(const codec::Decoded& decoded, const std::string& path, int64_t first_row, int64_t first_column) {
    const Image& indices = decoded.image;
    Image rgb = make_image<uint8_t>(indices.h, indices.w, 3);
    for (size_t i = 0; i < indices.u8.size(); ++i) {
        const size_t index = indices.u8[i];
        if (index >= decoded.palette.size())
            throw DataError(
                fmt::format("{}: pixel ({}, {}) has palette index {}, but the palette has {} colours; "
                            "export it again",
                            path, int64_t(i) % indices.w + first_column, int64_t(i) / indices.w + first_row, index,
                            decoded.palette.size()));
        const uint32_t colour = decoded.palette[index];
        rgb.u8[3 * i] = uint8_t(colour >> 16);
        rgb.u8[3 * i + 1] = uint8_t(colour >> 8);
        rgb.u8[3 * i + 2] = uint8_t(colour);
    }
    return rgb;
}

void refuse_infinite(const Image& image, const std::string& path, int64_t first_row, int64_t first_column) {
    const auto odd = std::find_if(image.f32.begin(), image.f32.end(), [](float v) { return !std::isfinite(v); });
    if (odd == image.f32.end()) return;
    const int64_t pixel = (odd - image.f32.begin()) / image.c;
    throw DataError(fmt::format("{}: pixel ({}, {}) is {}; write a number where there is no value", path,
                                pixel % image.w + first_column, pixel / image.w + first_row, *odd));
}

}  // namespace

Image load_image(const std::string& path) { return decode_image(read_file(path), path); }

Image decode_image(const std::vector<uint8_t>& bytes, const std::string& path) {
    return codec::finish(codec::decode(bytes, path, false), path);
}

Image codec::finish(Decoded decoded, const std::string& path, int64_t first_row, int64_t first_column) {
    refuse_infinite(decoded.image, path, first_row, first_column);
    return decoded.palette.empty() ? std::move(decoded.image) : expand_palette(decoded, path, first_row, first_column);
}

void save_png(const std::string& path, const Image& image, const Palette& palette, PngMark mark) {
    io::write_durably(path, encode_png(image, palette, mark), {.quick = true});
}

void save_jpeg(const std::string& path, const Image& image, int quality) {
    io::write_durably(path, encode_jpeg(image, quality), {.quick = true});
}

}  // namespace atrous::data
