// JPEG through libturbojpeg, with the EXIF orientation applied and CMYK converted.
#include <fmt/core.h>
#include <turbojpeg.h>

#include <cstring>
#include <memory>

#include "base/error.h"
#include "data/codecs.h"
#include "data/exif.h"

namespace atrous::data {

namespace {

struct Handle {
    tjhandle tj;
    explicit Handle(tjhandle handle) : tj(handle) {
        if (!tj) throw IoError("libturbojpeg cannot start; is there memory left?");
    }
    ~Handle() { tjDestroy(tj); }
    Handle(const Handle&) = delete;
};

// Adobe stores inks inverted: 255 is none. The product is rounded as PIL rounds it.
Image cmyk_to_rgb(const Image& inks) {
    Image rgb = make_image<uint8_t>(inks.h, inks.w, 3);
    for (int64_t i = 0; i < inks.h * inks.w; ++i) {
        const uint32_t white = inks.u8[size_t(4 * i + 3)];
        for (int ch = 0; ch < 3; ++ch) {
            const uint32_t product = (255u - inks.u8[size_t(4 * i + ch)]) * white + 128;
            rgb.u8[size_t(3 * i + ch)] = uint8_t(white - (((product >> 8) + product) >> 8));
        }
    }
    return rgb;
}

// A stray byte between markers is harmless; every other warning means that pixels were made up.
bool is_harmless(const char* warning) { return std::strstr(warning, "extraneous bytes") != nullptr; }

void decompress(Handle& handle, codec::Bytes bytes, const std::string& path, Image& image, int format) {
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
    for (int tolerance : {TJFLAG_STOPONWARNING, 0}) {
        if (tjDecompress2(handle.tj, bytes.data(), bytes.size(), image.u8.data(), int(image.w), 0, int(image.h), format,
                          flags | tolerance) == 0)
            return;
        const char* message = tjGetErrorStr2(handle.tj);
        if (tjGetErrorCode(handle.tj) == TJERR_FATAL || !is_harmless(message)) codec::damaged(path, "JPEG", message);
    }
}

}  // namespace

namespace codec {

static bool is_jpeg(Bytes bytes) { return starts_with(bytes, "\xff\xd8\xff"); }

// Of the first EXIF segment before the pixels.
static int orientation_of(Bytes jpeg) {
    size_t at = 2;
    while (at + 4 <= jpeg.size() && jpeg[at] == 0xff) {
        const uint8_t marker = jpeg[at + 1];
        if (marker == 0xff) {  // fill byte
            ++at;
            continue;
        }
        if (marker == 0xda || marker == 0xd9) break;  // pixels follow
        const size_t length = size_t(jpeg[at + 2]) << 8 | jpeg[at + 3];
        if (length < 2 || at + 2 + length > jpeg.size()) break;
        const Bytes segment = jpeg.subspan(at + 4, length - 2);
        if (marker == 0xe1 && segment.size() > 6 && std::memcmp(segment.data(), "Exif\0\0", 6) == 0)
            return exif_orientation(segment.subspan(6));
        at += 2 + length;
    }
    return 1;
}

static Decoded decode_jpeg(Bytes bytes, const std::string& path, bool) {
    Handle handle(tjInitDecompress());
    int w = 0, h = 0, subsampling = 0, colourspace = 0;
    if (tjDecompressHeader3(handle.tj, bytes.data(), bytes.size(), &w, &h, &subsampling, &colourspace) != 0)
        damaged(path, "JPEG", tjGetErrorStr2(handle.tj));
    check_size(h, w, path);
    check_plausible(h, w, 2048, bytes, path, "JPEG");  // a block of 64 takes a bit; four times that for luck
    const bool inks = colourspace == TJCS_CMYK || colourspace == TJCS_YCCK;
    const int format = inks ? TJPF_CMYK : colourspace == TJCS_GRAY ? TJPF_GRAY : TJPF_RGB;
    Image image = make_image<uint8_t>(h, w, tjPixelSize[format]);
    decompress(handle, bytes, path, image, format);
    if (inks) image = cmyk_to_rgb(image);
    const int orientation = orientation_of(bytes);
    return {orientation == 1 ? std::move(image) : apply_orientation(image, orientation)};
}

Codec jpeg() { return {"JPEG", {".jpg", ".jpeg", ".jpe", ".jfif"}, is_jpeg, decode_jpeg}; }

}  // namespace codec

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
    require(!image.is_16bit() && !image.is_float(), "encode_jpeg: 8-bit images only");
    const int format = image.c == 1 ? TJPF_GRAY : image.c == 3 ? TJPF_RGB : TJPF_RGBX;
    Handle handle(tjInitCompress());
    unsigned char* buffer = nullptr;
    unsigned long size = 0;
    const int failed = tjCompress2(handle.tj, image.u8.data(), int(image.w), 0, int(image.h), format, &buffer, &size,
                                   image.c == 1 ? TJSAMP_GRAY : TJSAMP_444, quality, TJFLAG_ACCURATEDCT);
    const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(buffer, tjFree);
    if (failed)
        throw IoError(
            fmt::format("encoding a JPEG of {}x{} pixels failed: {}", image.w, image.h, tjGetErrorStr2(handle.tj)));
    return {buffer, buffer + size};
}

}  // namespace atrous::data
