// The decoders behind load_image and load_mask. Each takes a whole file; `path` is for messages only.
#pragma once

#include <span>
#include <string>

#include "data/image.h"

namespace atrous::data::codec {

using Bytes = std::span<const uint8_t>;

// What a file holds before palettes are expanded: one channel of indices where `palette` is not empty.
// With raw_values, gray PNG of fewer than 8 bits and PNM of any maximum keep their values instead of being stretched to
// 0..255 (PNM above 8 bits: 0..65535).
struct Decoded {
    Image image;
    Palette palette;
};

bool is_jpeg(Bytes bytes);
bool is_png(Bytes bytes);
bool is_gif(Bytes bytes);
bool is_pnm(Bytes bytes);  // P2, P3, P5 and P6

Decoded decode(Bytes bytes, const std::string& path, bool raw_values);
Decoded decode_png(Bytes bytes, const std::string& path, bool raw_values);
Decoded decode_gif(Bytes bytes, const std::string& path);
Image decode_pnm(Bytes bytes, const std::string& path, bool raw_values);
Image decode_jpeg(Bytes bytes, const std::string& path);
Image decode_other(Bytes bytes, const std::string& path);

// Refuses empty and too large pictures.
void check_size(int64_t h, int64_t w, const std::string& path);
// Refuses a picture that the file is too small to hold even if all of it compresses as well as the format can.
void check_plausible(int64_t h, int64_t w, int64_t pixels_per_byte, Bytes bytes, const std::string& path,
                     const char* format);
[[noreturn]] void damaged(const std::string& path, const char* format, const std::string& detail);

}  // namespace atrous::data::codec
