// A PNG as a row of chunks, looked at without decoding anything.
#pragma once

#include <algorithm>
#include <string>

#include "data/codecs.h"

namespace atrous::data::codec {

inline bool is_png(Bytes bytes) { return starts_with(bytes, "\x89PNG\r\n\x1a\n"); }

// Images marked by encode_png carry this tEXt chunk before the pixels.
inline constexpr char mark_key[] = "Software", mark_text[] = "atrous";

struct PngChunk {
    Bytes name;           // four letters
    uint32_t length = 0;  // as announced
    Bytes data;           // what there is of it
    bool is(const char* other) const { return std::equal(name.begin(), name.end(), other); }
};

// Calls f(chunk) for each, IEND being the last, until it returns false, or the bytes end.
template <class F>
void for_each_chunk(Bytes png, F f) {
    for (Bytes rest = png.subspan(std::min<size_t>(png.size(), 8)); rest.size() >= 8;) {
        const uint32_t length =
            uint32_t(rest[0]) << 24 | uint32_t(rest[1]) << 16 | uint32_t(rest[2]) << 8 | uint32_t(rest[3]);
        const PngChunk chunk{rest.subspan(4, 4), length, rest.subspan(8, std::min<size_t>(length, rest.size() - 8))};
        if (!f(chunk) || chunk.is("IEND")) return;
        rest = rest.subspan(std::min(rest.size(), size_t(length) + 12));  // its length, name and checksum
    }
}

// Refuses a chunk that announces more than the file holds: libpng takes the memory before it looks.
void check_chunks(Bytes png, const std::string& path);

}  // namespace atrous::data::codec
