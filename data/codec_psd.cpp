#include <fmt/core.h>

#include "base/error.h"
#include "data/codec_stb.h"

namespace atrous::data::codec {

static bool is_psd(Bytes bytes) { return starts_with(bytes, "8BPS"); }

static uint64_t big_endian(Bytes bytes, size_t at, size_t size) {
    uint64_t value = 0;
    for (size_t i = at; i < at + size; ++i) value = value << 8 | (i < bytes.size() ? bytes[i] : 0u);
    return value;
}

// stb_image looks for a PSD's depth in a wrong place, and takes compressed values of 16 bits for ones of 8.
static bool is_deep(Bytes psd, const std::string& path) {
    if (big_endian(psd, 22, 2) != 16) return false;
    size_t at = 26;  // after the header come three blocks that say their size, then how the pixels are compressed
    for (int block = 0; block < 3; ++block) at += 4 + big_endian(psd, at, 4);
    if (big_endian(psd, at, 2) != 0)
        throw DataError(fmt::format("{}: a PSD of 16 bits with compressed pixels is not read; save it as PNG", path));
    return true;
}

static Decoded decode_psd(Bytes bytes, const std::string& path, bool) {
    return {decode_by_stb(bytes, path, "PSD", is_deep(bytes, path))};
}

Codec psd() { return {"PSD", {".psd"}, is_psd, decode_psd}; }

}  // namespace atrous::data::codec
