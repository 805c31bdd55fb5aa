// GIF through giflib: the first frame, as palette indices.
#include <fmt/core.h>
#include <gif_lib.h>

#include <cstring>

#include "base/error.h"
#include "data/codecs.h"

namespace atrous::data::codec {

namespace {

struct Source {
    Bytes bytes;
    size_t position = 0;
};

int read_bytes(GifFileType* gif, GifByteType* to, int count) {
    auto* source = static_cast<Source*>(gif->UserData);
    const size_t size = std::min(size_t(count), source->bytes.size() - source->position);
    std::memcpy(to, source->bytes.data() + source->position, size);
    source->position += size;
    return int(size);
}

struct Gif {
    Source source;
    GifFileType* file = nullptr;
    int error = 0;

    explicit Gif(Bytes bytes) : source{bytes} { file = DGifOpen(&source, read_bytes, &error); }
    ~Gif() {
        if (file) DGifCloseFile(file, &error);
    }
    Gif(const Gif&) = delete;
    std::string message() const {
        const char* text = GifErrorString(file ? file->Error : error);
        return text ? text : "no image in it";
    }
};

bool find_first_frame(GifFileType* gif) {
    for (;;) {
        GifRecordType type;
        if (DGifGetRecordType(gif, &type) == GIF_ERROR) return false;
        if (type == IMAGE_DESC_RECORD_TYPE) return true;
        if (type == TERMINATE_RECORD_TYPE) return false;
        int code;
        GifByteType* block = nullptr;
        if (type != EXTENSION_RECORD_TYPE) continue;
        if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) return false;
        while (block)
            if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) return false;
    }
}

bool read_rows(GifFileType* gif, Image& canvas) {
    const GifImageDesc& frame = gif->Image;
    const auto read_row = [&](int y) {
        return DGifGetLine(gif, canvas.u8.data() + (frame.Top + y) * canvas.w + frame.Left, frame.Width) == GIF_OK;
    };
    constexpr int first[4] = {0, 4, 2, 1}, step[4] = {8, 8, 4, 2};
    for (int pass = 0; pass < (frame.Interlace ? 4 : 1); ++pass)
        for (int y = frame.Interlace ? first[pass] : 0; y < frame.Height; y += frame.Interlace ? step[pass] : 1)
            if (!read_row(y)) return false;
    return true;
}

bool is_gif(Bytes bytes) { return starts_with(bytes, "GIF87a") || starts_with(bytes, "GIF89a"); }

Decoded decode_gif(Bytes bytes, const std::string& path, bool) {
    Gif gif(bytes);
    if (!gif.file) damaged(path, "GIF", gif.message());
    check_size(gif.file->SHeight, gif.file->SWidth, path);
    check_plausible(gif.file->SHeight, gif.file->SWidth, 2731, bytes, path, "GIF");  // 4096 pixels in a code of 12 bits
    if (!find_first_frame(gif.file) || DGifGetImageDesc(gif.file) == GIF_ERROR) damaged(path, "GIF", gif.message());
    const GifImageDesc& frame = gif.file->Image;
    if (frame.Width <= 0 || frame.Height <= 0 || frame.Left < 0 || frame.Top < 0 ||
        frame.Left + frame.Width > gif.file->SWidth || frame.Top + frame.Height > gif.file->SHeight)
        damaged(path, "GIF", "its frame lies outside its canvas");
    const ColorMapObject* map = frame.ColorMap ? frame.ColorMap : gif.file->SColorMap;
    if (!map) damaged(path, "GIF", "it has no palette");
    Decoded decoded;
    decoded.image = make_image<uint8_t>(gif.file->SHeight, gif.file->SWidth, 1);
    std::fill(decoded.image.u8.begin(), decoded.image.u8.end(), uint8_t(gif.file->SBackGroundColor));
    for (int i = 0; i < map->ColorCount; ++i)
        decoded.palette.push_back(uint32_t(map->Colors[i].Red) << 16 | uint32_t(map->Colors[i].Green) << 8 |
                                  map->Colors[i].Blue);
    if (!read_rows(gif.file, decoded.image)) damaged(path, "GIF", gif.message());
    return decoded;
}

}  // namespace

Codec gif() { return {"GIF", {".gif"}, is_gif, decode_gif}; }

}  // namespace atrous::data::codec
