// BMP, PSD and TGA through stb_image. Its GIF, JPEG, PNG and PNM readers are left out.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "data/codecs.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_GIF
#define STBI_NO_HDR
#define STBI_NO_JPEG
#define STBI_NO_PIC
#define STBI_NO_PNG
#define STBI_NO_PNM
#define STBI_NO_STDIO
#define STBI_NO_FAILURE_STRINGS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace atrous::data::codec {

namespace {

// stb_image takes zeros past the end of a file for pixels; reading through callbacks lets us see that it did.
struct Source {
    Bytes bytes;
    size_t position = 0;
    bool starved = false;

    static int read(void* user, char* to, int count) {
        auto& self = *static_cast<Source*>(user);
        const size_t size = std::min(size_t(count), self.bytes.size() - self.position);
        std::memcpy(to, self.bytes.data() + self.position, size);
        self.position += size;
        constexpr int refill = 128;  // stb_image's buffer: such a read may come back short at the end of a sound file
        if (size == 0 || (size < size_t(count) && count != refill)) self.starved = true;
        return int(size);
    }
    static void skip(void* user, int count) {
        auto& self = *static_cast<Source*>(user);
        const int64_t wanted = int64_t(self.position) + count;
        if (wanted > int64_t(self.bytes.size())) self.starved = true;
        self.position = size_t(std::clamp<int64_t>(wanted, 0, int64_t(self.bytes.size())));
    }
    static int eof(void* user) {
        auto& self = *static_cast<Source*>(user);
        return self.position >= self.bytes.size();
    }
};
constexpr stbi_io_callbacks callbacks{Source::read, Source::skip, Source::eof};

const char* format_of(Bytes bytes, const std::string& path) {
    const auto starts = [&](const char* magic) {
        return bytes.size() >= std::strlen(magic) && std::memcmp(bytes.data(), magic, std::strlen(magic)) == 0;
    };
    if (starts("BM")) return "BMP";
    if (starts("8BPS")) return "PSD";
    std::string extension = std::filesystem::path(path).extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (extension == ".tga") return "TGA";
    std::string head;
    for (size_t i = 0; i < std::min<size_t>(bytes.size(), 4); ++i) head += fmt::format(" {:02x}", bytes[i]);
    const bool tiff = starts("II*") || starts("II+") || starts("MM") || extension == ".tif" || extension == ".tiff";
    throw DataError(
        fmt::format("{}: {} (first bytes{}); JPEG, PNG, GIF, BMP, PNM, PSD and TGA are read: convert it to PNG", path,
                    tiff ? "TIFF is not read" : "not a picture that is known", head));
}

uint64_t big_endian(Bytes bytes, size_t at, size_t size) {
    uint64_t value = 0;
    for (size_t i = at; i < at + size; ++i) value = value << 8 | (i < bytes.size() ? bytes[i] : 0u);
    return value;
}

// stb_image looks for a PSD's depth in a wrong place, and takes compressed values of 16 bits for ones of 8.
bool is_deep_psd(Bytes psd, const std::string& path) {
    if (big_endian(psd, 22, 2) != 16) return false;
    size_t at = 26;  // after the header come three blocks that say their size, then how the pixels are compressed
    for (int block = 0; block < 3; ++block) at += 4 + big_endian(psd, at, 4);
    if (big_endian(psd, at, 2) != 0)
        throw DataError(fmt::format("{}: a PSD of 16 bits with compressed pixels is not read; save it as PNG", path));
    return true;
}

template <class T>
Image load(Source& source, const std::string& path, const char* format) {
    int w = 0, h = 0, c = 0;
    T* raw = nullptr;
    if constexpr (sizeof(T) == 2)
        raw = stbi_load_16_from_callbacks(&callbacks, &source, &w, &h, &c, 0);
    else
        raw = stbi_load_from_callbacks(&callbacks, &source, &w, &h, &c, 0);
    const std::unique_ptr<T, void (*)(void*)> owner(raw, stbi_image_free);
    if (!raw) damaged(path, format, "its structure is not understood");
    if (source.starved) damaged(path, format, "the file ends too early");
    Image image = make_image<T>(h, w, c == 2 ? 1 : c);
    T* to = image.pixels<T>().data();
    for (int64_t i = 0; i < int64_t(h) * w; ++i)
        for (int ch = 0; ch < image.c; ++ch) *to++ = raw[i * c + ch];
    return image;
}

}  // namespace

Image decode_other(Bytes bytes, const std::string& path) {
    const char* format = format_of(bytes, path);
    const bool deep = std::strcmp(format, "PSD") == 0 && is_deep_psd(bytes, path);
    int w = 0, h = 0, c = 0;
    Source header{bytes};
    if (!stbi_info_from_callbacks(&callbacks, &header, &w, &h, &c))
        damaged(path, format, "its header is not understood");
    check_size(h, w, path);
    check_plausible(h, w, deep ? 1 : 64, bytes, path, format);  // runs of 128 in two bytes
    Source source{bytes};
    return deep ? load<uint16_t>(source, path, format) : load<uint8_t>(source, path, format);
}

}  // namespace atrous::data::codec
