#include "data/image.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/paths.h"
#include "data/codecs.h"
#include "data/folder.h"

namespace atrous::data {

namespace codec {

void check_size(int64_t h, int64_t w, const std::string& path) {
    if (h <= 0 || w <= 0)
        throw DataError(fmt::format("{}: a picture of {}x{} pixels holds nothing; remove it", path, w, h));
    if (h > max_pixels / w)
        throw DataError(fmt::format("{}: {}x{} pixels exceed the limit of {} pixels; shrink it or cut it into tiles",
                                    path, w, h, max_pixels));
}

void check_plausible(int64_t h, int64_t w, int64_t pixels_per_byte, Bytes bytes, const std::string& path,
                     const char* format) {
    if (h * w / pixels_per_byte > int64_t(bytes.size()))
        damaged(path, format, fmt::format("{} bytes cannot hold {}x{} pixels", bytes.size(), w, h));
}

void damaged(const std::string& path, const char* format, const std::string& detail) {
    throw DataError(
        fmt::format("{}: the {} is truncated or damaged ({}); export it again or remove it", path, format, detail));
}

Decoded decode(Bytes bytes, const std::string& path, bool raw_values) {
    if (bytes.empty()) throw DataError(fmt::format("{}: the file is empty; export it again or remove it", path));
    if (is_png(bytes)) return decode_png(bytes, path, raw_values);
    if (is_gif(bytes)) return decode_gif(bytes, path);
    if (is_pnm(bytes)) return {decode_pnm(bytes, path, raw_values), {}};
    if (is_jpeg(bytes)) return {decode_jpeg(bytes, path), {}};
    return {decode_other(bytes, path), {}};
}

}  // namespace codec

namespace {

Image expand_palette(const codec::Decoded& decoded, const std::string& path) {
    const Image& indices = decoded.image;
    Image rgb = make_image<uint8_t>(indices.h, indices.w, 3);
    for (size_t i = 0; i < indices.u8.size(); ++i) {
        const size_t index = indices.u8[i];
        if (index >= decoded.palette.size())
            throw DataError(
                fmt::format("{}: pixel ({}, {}) has palette index {}, but the palette has {} colours; "
                            "export it again",
                            path, i % size_t(indices.w), i / size_t(indices.w), index, decoded.palette.size()));
        const uint32_t colour = decoded.palette[index];
        rgb.u8[3 * i] = uint8_t(colour >> 16);
        rgb.u8[3 * i + 1] = uint8_t(colour >> 8);
        rgb.u8[3 * i + 2] = uint8_t(colour);
    }
    return rgb;
}

}  // namespace

Image load_image(const std::string& path) {
    const auto bytes = read_file(path);
    codec::Decoded decoded = codec::decode(bytes, path, false);
    return decoded.palette.empty() ? std::move(decoded.image) : expand_palette(decoded, path);
}

std::vector<uint8_t> read_file(const std::string& path) {
    if (!path_exists(path)) throw DataError(fmt::format("{}: {}; check the path", path, absence(path, "file")));
    if (!is_file(path))
        throw DataError(fmt::format("{}: not a file but a folder or a device; give the path of a picture", path));
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file)
        throw DataError(fmt::format("{}: cannot be opened ({}); check its permissions", path, std::strerror(errno)));
    std::vector<uint8_t> bytes(size_t(std::streamoff(file.tellg())));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(bytes.data()), std::streamsize(bytes.size()));
    if (!file) throw DataError(fmt::format("{}: cannot be read; check the disk", path));
    return bytes;
}

void write_file(const std::string& path, std::span<const uint8_t> bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    if (!file)
        throw IoError(fmt::format("{}: cannot be created ({}); check the folder and its permissions", path,
                                  std::strerror(errno)));
    file.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
    file.flush();
    if (!file) throw IoError(fmt::format("{}: writing {} bytes failed; is the disk full?", path, bytes.size()));
}

void save_png(const std::string& path, const Image& image, const Palette& palette, PngMark mark) {
    write_file(path, encode_png(image, palette, mark));
}

void save_jpeg(const std::string& path, const Image& image, int quality) {
    write_file(path, encode_jpeg(image, quality));
}

}  // namespace atrous::data
