// stb_image's readers of BMP, PSD and TGA. Those of GIF, JPEG, PNG and PNM are left out.
#include "data/codec_stb.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

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

Image decode_by_stb(Bytes bytes, const std::string& path, const char* format, bool deep) {
    int w = 0, h = 0, c = 0;
    Source header{bytes};
    if (!stbi_info_from_callbacks(&callbacks, &header, &w, &h, &c))
        damaged(path, format, "its header is not understood");
    const int64_t rows = std::abs(int64_t(h));  // less than 0 where the first row of a BMP is the upper one
    check_size(rows, w, path);
    check_plausible(rows, w, deep ? 1 : 64, bytes, path, format);  // runs of 128 in two bytes
    Source source{bytes};
    return deep ? load<uint16_t>(source, path, format) : load<uint8_t>(source, path, format);
}

}  // namespace atrous::data::codec
