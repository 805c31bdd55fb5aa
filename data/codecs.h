// Image formats. Each is described in its own codec_*.cpp and listed in codecs.cpp; a program may add its own.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/image_rows.h"

namespace atrous::data::codec {

using Bytes = std::span<const uint8_t>;

// The contents of a file before palettes are expanded: one channel of indices where `palette` is not empty.
struct Decoded {
    Image image;
    Palette palette = {};
    bool alpha_varies = false;  // of gray, with raw_values: the alpha that was dropped
};

struct Codec {
    std::string name;  // "PNG"
    std::vector<std::string>
        extensions;  // of its files, in small letters: ".png"; they say what is an image in a folder
    // Recognizes a file by its first bytes, of which there may be few. Null: the format has no signature, its extension
    // tells.
    bool (*recognizes)(Bytes bytes);
    // Decodes a whole file; `path` is for messages only. With raw_values, gray values that are stored with other than 8
    // or 16 bits, or with a largest value of their own, are kept instead of being stretched to 0..255 or 0..65535.
    // Throws DataError for what is damaged, truncated or too large. Null: the format is known, and is not read.
    Decoded (*decode)(Bytes bytes, const std::string& path, bool raw_values);
    // Opens a file to decode it row by row, to what load_image gives, or with raw_values to what decode gives. Gives null for a file that it can only decode as a
    // whole. Null itself: that is so of every file.
    std::unique_ptr<ImageRows> (*rows)(const std::string& path, bool raw_values) = nullptr;
};

// Codecs in the order in which names are listed; no two take the same signature.
const std::vector<Codec>& codecs();
// Must be called before there are threads. Replaces a codec of this name that is not read; throws Error where one is.
void add_codec(Codec codec);
std::string names_of_codecs();  // those that are read: "JPEG, PNG and GIF"
// Of the program and the libraries that decode: another one may make other pixels of the same file.
uint64_t hash_of_versions();

// Decodes by signature, else by extension. Throws DataError where no codec takes the file, and lists those there are.
Decoded decode(Bytes bytes, const std::string& path, bool raw_values);
// The codec that decode() would take, by the file's first bytes, or null.
const Codec* codec_of(Bytes bytes, const std::string& path);

// What load_image makes of it: palettes are expanded, numbers must be finite. `first_row` is the file's row at the top,
// `first_column` its column on the left.
Image finish(Decoded decoded, const std::string& path, int64_t first_row = 0, int64_t first_column = 0);

// Decodes the rows of `all`, a whole image, and gives these columns of them.
std::unique_ptr<ImageRows> some_columns(std::unique_ptr<ImageRows> all, const std::string& path, Columns columns);

// Decoders call this: it refuses empty and too large images.
void check_size(int64_t h, int64_t w, const std::string& path);
std::string text_of_limit(int64_t h, int64_t w, const std::string& path);  // of check_size, for too large ones
void check_size_by_rows(int64_t h, int64_t w, const std::string& path);    // of one that is read row by row
// Refuses an image that the file is too small to hold even if all of it compresses as well as the format can.
void check_plausible(int64_t h, int64_t w, int64_t pixels_per_byte, Bytes bytes, const std::string& path,
                     const char* format);
[[noreturn]] void damaged(const std::string& path, const char* format, const std::string& detail);
bool starts_with(Bytes bytes, std::string_view signature);

}  // namespace atrous::data::codec
