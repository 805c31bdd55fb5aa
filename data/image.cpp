#include "data/image.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/posix.h"
#include "data/codecs.h"
#include "data/folder.h"

namespace atrous::data {

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

void refuse_infinite(const Image& image, const std::string& path) {
    const auto odd = std::find_if(image.f32.begin(), image.f32.end(), [](float v) { return !std::isfinite(v); });
    if (odd == image.f32.end()) return;
    const int64_t pixel = (odd - image.f32.begin()) / image.c;
    throw DataError(fmt::format("{}: pixel ({}, {}) is {}; write a number where there is no value", path,
                                pixel % image.w, pixel / image.w, *odd));
}

}  // namespace

Image load_image(const std::string& path) { return decode_image(read_file(path), path); }

Image decode_image(const std::vector<uint8_t>& bytes, const std::string& path) {
    codec::Decoded decoded = codec::decode(bytes, path, false);
    refuse_infinite(decoded.image, path);
    return decoded.palette.empty() ? std::move(decoded.image) : expand_palette(decoded, path);
}

std::vector<uint8_t> read_file(const std::string& path) {
    if (!path_exists(path)) throw DataError(fmt::format("{}: {}; check the path", path, absence(path, "file")));
    if (!is_file(path))
        throw DataError(fmt::format("{}: not a file but a folder or a device; give the path of an image", path));
    const io::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file)
        throw DataError(fmt::format("{}: cannot be opened ({}); check its permissions", path, std::strerror(errno)));
    try {
        std::vector<uint8_t> bytes(size_t(io::stamp_of(file, path).bytes));
        if (io::read_at(file, bytes.data(), bytes.size(), 0, path) == bytes.size()) return bytes;
    } catch (const IoError&) {  // it is a data set's image, and said so below
    }
    throw DataError(fmt::format("{}: cannot be read; check the disk", path));
}

void save_png(const std::string& path, const Image& image, const Palette& palette, PngMark mark) {
    io::write_durably(path, encode_png(image, palette, mark), {.quick = true});
}

void save_jpeg(const std::string& path, const Image& image, int quality) {
    io::write_durably(path, encode_jpeg(image, quality), {.quick = true});
}

}  // namespace atrous::data
