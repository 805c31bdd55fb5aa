// Images in host memory, and reading and writing image files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace atrous::data {

inline constexpr int max_channels = 16;

// Row-major, interleaved: element (y, x, ch) is at ((y * w + x) * c + ch). Exactly one of u8, u16 and f32 is filled.
// c is 1 (gray), 3 (RGB) or 4 (RGB and alpha); of a file of bands it is anything up to max_channels.
struct Image {
    int64_t h = 0, w = 0;
    int c = 0;
    std::vector<uint8_t> u8;
    std::vector<uint16_t> u16;
    std::vector<float> f32 = {};
    bool bands = false;  // as decoded: the fourth channel of four is no alpha
    int pages = 1;       // as decoded: 2 where the file holds more images than this, its first

    bool is_16bit() const { return !u16.empty(); }
    bool is_float() const { return !f32.empty(); }
    int64_t count() const { return h * w * c; }
    int64_t bytes() const { return int64_t(u8.size() + 2 * u16.size() + 4 * f32.size()); }
    template <class T>
    std::vector<T>& pixels();
    template <class T>
    const std::vector<T>& pixels() const {
        return const_cast<Image*>(this)->pixels<T>();
    }
};
template <>
inline std::vector<uint8_t>& Image::pixels<uint8_t>() {
    return u8;
}
template <>
inline std::vector<uint16_t>& Image::pixels<uint16_t>() {
    return u16;
}

template <>
inline std::vector<float>& Image::pixels<float>() {
    return f32;
}

// A zeroed image with elements of type T (uint8_t, uint16_t or float).
template <class T>
Image make_image(int64_t h, int64_t w, int c) {
    Image image{.h = h, .w = w, .c = c, .u8 = {}, .u16 = {}};
    image.pixels<T>().resize(size_t(h * w * c));
    return image;
}

// Calls f with a value of the image's element type.
template <class F>
auto dispatch_pixels(const Image& image, F f) {
    return image.is_float() ? f(float{}) : image.is_16bit() ? f(uint16_t{}) : f(uint8_t{});
}

// Larger images are refused before memory is taken for them.
inline constexpr int64_t max_pixels = int64_t{1} << 28;

// Reads what the codecs take (data/codecs.h): JPEG, PNG, TIFF (the first page), WebP, NumPy's .npy, GIF (the first
// frame), BMP, PNM (P2, P3, P5, P6), PSD by content, and TGA, which has no signature, by its extension. CMYK is
// converted to RGB, palettes are expanded, gray with alpha becomes gray. JPEG, PNG, TIFF, WebP: the orientation is
// applied. PNM: the header's largest value becomes 255, or 65535 where it is above 255. 16 bits are kept; integers with
// signs or of more bits, and floating point numbers, become floats. Throws DataError with the path for anything that is
// missing, damaged or truncated, and for numbers that are not finite.
Image load_image(const std::string& path);
Image decode_image(const std::vector<uint8_t>& bytes, const std::string& path);  // the same of the file's contents

bool is_image_name(const std::string& path);  // by the codecs' extensions; hidden files are not

// One colour of a palette is 0xrrggbb.
using Palette = std::vector<uint32_t>;

// A PNG may say that this program wrote it, so that results can be told from the images they lie among.
enum class PngMark { none, ours };

// IoError where an image cannot be written; the file that was there is then unchanged.
// Writes gray, RGB or RGBA, 8 or 16 bits. With a palette, a gray 8-bit image is written as indices into it. A mark is
// the text "Software: atrous" before the pixels.
void save_png(const std::string& path, const Image& image, const Palette& palette = {}, PngMark mark = PngMark::none);
// Writes gray or RGB, 8 bits; alpha is dropped. Quality is 1 to 100.
void save_jpeg(const std::string& path, const Image& image, int quality = 92);

// Encodes in memory as save_png and save_jpeg write.
std::vector<uint8_t> encode_png(const Image& image, const Palette& palette = {}, PngMark mark = PngMark::none);
std::vector<uint8_t> encode_jpeg(const Image& image, int quality = 92);

// Tells whether the file is a PNG with the mark, by its first 4 KiB. The answer is no for whatever cannot be read.
bool is_our_png(const std::string& path);

std::vector<uint8_t> read_file(const std::string& path);  // DataError

}  // namespace atrous::data
