// WebP through libwebp, lossy and lossless, with the EXIF orientation applied.
#include <fmt/core.h>
#include <webp/decode.h>

#include <cstring>

#include "base/error.h"
#include "data/codecs.h"
#include "data/exif.h"

namespace atrous::data::codec {

namespace {

bool is_webp(Bytes bytes) {
    return starts_with(bytes, "RIFF") && bytes.size() >= 12 && std::memcmp(bytes.data() + 8, "WEBP", 4) == 0;
}

const char* words_of(VP8StatusCode status) {
    switch (status) {
        case VP8_STATUS_NOT_ENOUGH_DATA:
            return "the file ends too early";
        case VP8_STATUS_UNSUPPORTED_FEATURE:
            return "it uses what libwebp does not know";
        case VP8_STATUS_OUT_OF_MEMORY:
            return "libwebp gets no memory";
        default:
            return "its structure is not understood";
    }
}

// Of the chunk "EXIF", which comes behind the pixels: a name, four bytes of size, the contents filled up to even bytes.
int orientation_of(Bytes webp) {
    for (size_t at = 12; at + 8 <= webp.size();) {
        size_t size = 0;
        for (size_t i = 4; i-- > 0;) size = size << 8 | webp[at + 4 + i];
        if (size > webp.size() - at - 8) break;
        Bytes chunk = webp.subspan(at + 8, size);
        if (std::memcmp(webp.data() + at, "EXIF", 4) == 0) {
            if (chunk.size() > 6 && std::memcmp(chunk.data(), "Exif\0\0", 6) == 0) chunk = chunk.subspan(6);
            return exif_orientation(chunk);
        }
        at += 8 + size + size % 2;
    }
    return 1;
}

// One colour takes no bits in a lossless file, so that small images are believed whatever their files' size.
void check_contents(const WebPBitstreamFeatures& features, Bytes bytes, const std::string& path) {
    constexpr int64_t believed = int64_t{1} << 24;
    check_size(features.height, features.width, path);
    if (int64_t(features.height) * features.width > believed)
        check_plausible(features.height, features.width, 4096, bytes, path, "WebP");
    if (features.has_animation)
        throw DataError(fmt::format("{}: a WebP with an animation is not read; save one of its frames", path));
}

Decoded decode_webp(Bytes bytes, const std::string& path, bool) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) throw IoError("libwebp is of another version than its header");
    VP8StatusCode status = WebPGetFeatures(bytes.data(), bytes.size(), &config.input);
    if (status != VP8_STATUS_OK) damaged(path, "WebP", words_of(status));
    check_contents(config.input, bytes, path);
    Image image = make_image<uint8_t>(config.input.height, config.input.width, config.input.has_alpha ? 4 : 3);
    config.output.colorspace = image.c == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = {image.u8.data(), int(image.w) * image.c, image.u8.size()};
    status = WebPDecode(bytes.data(), bytes.size(), &config);
    WebPFreeDecBuffer(&config.output);
    if (status != VP8_STATUS_OK) damaged(path, "WebP", words_of(status));
    const int orientation = orientation_of(bytes);
    return {orientation == 1 ? std::move(image) : apply_orientation(image, orientation)};
}

}  // namespace

Codec webp() { return {"WebP", {".webp"}, is_webp, decode_webp}; }

}  // namespace atrous::data::codec
