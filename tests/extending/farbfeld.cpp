// An image format: farbfeld, 16 bits of red, green, blue and alpha behind a header of 16 bytes, all big endian.
// https://tools.suckless.org/farbfeld/
#include "data/codecs.h"
#include "tests/extending/extensions.h"

namespace atrous::extending {

using namespace data::codec;

static constexpr size_t header_bytes = 16;

static uint32_t big_endian(Bytes bytes, size_t at, size_t size) {
    uint32_t value = 0;
    for (size_t i = at; i < at + size; ++i) value = value << 8 | bytes[i];
    return value;
}

static bool is_farbfeld(Bytes bytes) { return starts_with(bytes, "farbfeld"); }

static Decoded decode_farbfeld(Bytes bytes, const std::string& path, bool) {
    if (bytes.size() < header_bytes) damaged(path, "farbfeld", "the file ends too early");
    const int64_t w = big_endian(bytes, 8, 4), h = big_endian(bytes, 12, 4);
    check_size(h, w, path);
    if (int64_t(bytes.size() - header_bytes) < 8 * h * w) damaged(path, "farbfeld", "the file ends too early");
    Decoded decoded{data::make_image<uint16_t>(h, w, 4)};
    for (size_t i = 0; i < decoded.image.u16.size(); ++i)
        decoded.image.u16[i] = uint16_t(big_endian(bytes, header_bytes + 2 * i, 2));
    return decoded;
}

void add_farbfeld() { add_codec({"farbfeld", {".ff"}, is_farbfeld, decode_farbfeld}); }

}  // namespace atrous::extending
