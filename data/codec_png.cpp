// PNG through libpng. libpng reports errors by longjmp, so what it jumps over is plain data; owners live in the
// callers.
#include <fmt/core.h>
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "base/error.h"
#include "data/codecs.h"
#include "data/exif.h"
#include "data/png_chunks.h"

namespace atrous::data {

namespace {

struct Context {
    std::span<const uint8_t> input;
    size_t position = 0;
    std::vector<uint8_t>* output = nullptr;
    char message[128] = "";
};

void on_error(png_structp png, png_const_charp message) {
    auto* context = static_cast<Context*>(png_get_error_ptr(png));
    std::snprintf(context->message, sizeof context->message, "%s", message);
    png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, size_t count) {
    auto* context = static_cast<Context*>(png_get_io_ptr(png));
    if (count > context->input.size() - context->position) png_error(png, "the file ends too early");
    std::memcpy(to, context->input.data() + context->position, count);
    context->position += count;
}

void write_bytes(png_structp png, png_bytep from, size_t count) {
    auto& output = *static_cast<Context*>(png_get_io_ptr(png))->output;
    output.insert(output.end(), from, from + count);
}
void flush_bytes(png_structp) {}

struct Reader {
    Context context;
    png_structp png = nullptr;
    png_infop info = nullptr;

    explicit Reader(std::span<const uint8_t> bytes) {
        context.input = bytes;
        png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &context, on_error, on_warning);
        info = png ? png_create_info_struct(png) : nullptr;
    }
    ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
    Reader(const Reader&) = delete;

    bool read_header() {
        if (!info || setjmp(png_jmpbuf(png))) return false;
        png_set_read_fn(png, &context, read_bytes);
        png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size limits the product instead
        // No chunk is larger than its file (check_chunks). Of those beside the pixels only one says something about
        // them; the others, which may unpack to anything, are passed over.
        png_set_chunk_malloc_max(png, context.input.size());
        png_set_chunk_cache_max(png, 16);
        png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
        png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, reinterpret_cast<png_const_bytep>("eXIf"), 1);
        png_read_info(png, info);
        return true;
    }
    bool set_transforms(bool raw_values) {
        if (setjmp(png_jmpbuf(png))) return false;
        if (png_get_bit_depth(png, info) < 8) {
            const bool gray = png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY;
            gray && !raw_values ? png_set_expand_gray_1_2_4_to_8(png) : png_set_packing(png);
        }
        if (png_get_bit_depth(png, info) == 16) png_set_swap(png);
        if (png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_strip_alpha(png);
        png_set_interlace_handling(png);
        png_read_update_info(png, info);
        return true;
    }
    bool read_rows(png_bytepp rows) {
        if (setjmp(png_jmpbuf(png))) return false;
        png_read_image(png, rows);
        png_read_end(png, info);
        return true;
    }
};

// After read_rows, for the chunk may come after the pixels.
int orientation_of(Reader& reader) {
    png_bytep exif = nullptr;
    png_uint_32 size = 0;
    return png_get_eXIf_1(reader.png, reader.info, &size, &exif) ? exif_orientation({exif, size}) : 1;
}

struct Writer {
    Context context;
    png_structp png = nullptr;
    png_infop info = nullptr;

    Writer() {
        png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &context, on_error, on_warning);
        info = png ? png_create_info_struct(png) : nullptr;
    }
    ~Writer() { png_destroy_write_struct(&png, &info); }
    Writer(const Writer&) = delete;

    bool write(const Image& image, const png_color* palette, int colours, PngMark mark, png_bytepp rows) {
        if (!info || setjmp(png_jmpbuf(png))) return false;
        png_set_write_fn(png, &context, write_bytes, flush_bytes);
        const int type = colours        ? PNG_COLOR_TYPE_PALETTE
                         : image.c == 1 ? PNG_COLOR_TYPE_GRAY
                         : image.c == 3 ? PNG_COLOR_TYPE_RGB
                                        : PNG_COLOR_TYPE_RGBA;
        png_set_IHDR(png, info, png_uint_32(image.w), png_uint_32(image.h), image.is_16bit() ? 16 : 8, type,
                     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        if (colours) png_set_PLTE(png, info, palette, colours);
        if (mark == PngMark::ours) {
            png_text text{};
            text.compression = PNG_TEXT_COMPRESSION_NONE;
            text.key = const_cast<char*>(codec::mark_key);
            text.text = const_cast<char*>(codec::mark_text);
            text.text_length = std::strlen(codec::mark_text);
            png_set_text(png, info, &text, 1);
        }
        png_write_info(png, info);  // puts the text before the pixels
        if (image.is_16bit()) png_set_swap(png);
        png_write_image(png, rows);
        png_write_end(png, info);
        return true;
    }
};

template <class T>
std::vector<png_bytep> row_pointers(Image& image) {
    std::vector<png_bytep> rows(size_t(image.h));
    for (int64_t y = 0; y < image.h; ++y)
        rows[size_t(y)] = reinterpret_cast<png_bytep>(image.pixels<T>().data() + y * image.w * image.c);
    return rows;
}

Palette palette_of(Reader& reader) {
    Palette palette;
    png_colorp colours = nullptr;
    int count = 0;
    if (png_get_PLTE(reader.png, reader.info, &colours, &count))
        for (int i = 0; i < count; ++i)
            palette.push_back(uint32_t(colours[i].red) << 16 | uint32_t(colours[i].green) << 8 | colours[i].blue);
    return palette;
}

}  // namespace

namespace codec {

static Decoded decode_png(Bytes bytes, const std::string& path, bool raw_values) {
    check_chunks(bytes, path);
    Reader reader(bytes);
    if (!reader.read_header()) damaged(path, "PNG", reader.context.message);
    const int64_t h = png_get_image_height(reader.png, reader.info), w = png_get_image_width(reader.png, reader.info);
    check_size(h, w, path);
    const auto row_bytes = int64_t(png_get_rowbytes(reader.png, reader.info));
    check_plausible(h, w, 1032 * w / row_bytes + 1, bytes, path, "PNG");  // deflate's best: 1032 bytes in one
    const bool indexed = png_get_color_type(reader.png, reader.info) == PNG_COLOR_TYPE_PALETTE;
    if (!reader.set_transforms(raw_values)) damaged(path, "PNG", reader.context.message);
    const int channels = png_get_channels(reader.png, reader.info);
    const bool deep = png_get_bit_depth(reader.png, reader.info) == 16;
    Decoded decoded;
    decoded.image = deep ? make_image<uint16_t>(h, w, channels) : make_image<uint8_t>(h, w, channels);
    auto rows = deep ? row_pointers<uint16_t>(decoded.image) : row_pointers<uint8_t>(decoded.image);
    if (!reader.read_rows(rows.data())) damaged(path, "PNG", reader.context.message);
    if (indexed) decoded.palette = palette_of(reader);
    const int orientation = orientation_of(reader);
    if (orientation != 1) decoded.image = apply_orientation(decoded.image, orientation);
    return decoded;
}

Codec png() { return {"PNG", {".png"}, is_png, decode_png}; }

}  // namespace codec

std::vector<uint8_t> encode_png(const Image& image, const Palette& palette, PngMark mark) {
    require((image.c == 1 || image.c == 3 || image.c == 4) && !image.is_float(),
            "encode_png: 1, 3 or 4 channels of 8 or 16 bits");
    require(palette.empty() || (image.c == 1 && !image.is_16bit() && palette.size() <= 256),
            "encode_png: a palette needs a gray 8-bit image and at most 256 colours");
    std::vector<png_color> colours;
    for (uint32_t colour : palette) colours.push_back({uint8_t(colour >> 16), uint8_t(colour >> 8), uint8_t(colour)});
    std::vector<uint8_t> bytes;
    Writer writer;
    writer.context.output = &bytes;
    auto& source = const_cast<Image&>(image);  // libpng takes pointers to mutable rows and does not write to them
    auto rows = image.is_16bit() ? row_pointers<uint16_t>(source) : row_pointers<uint8_t>(source);
    if (!writer.write(image, colours.data(), int(colours.size()), mark, rows.data()))
        throw IoError(
            fmt::format("encoding a PNG of {}x{} pixels failed: {}", image.w, image.h, writer.context.message));
    return bytes;
}

}  // namespace atrous::data
