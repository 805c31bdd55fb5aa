// Reading PNG through libpng. libpng reports errors by longjmp, so what it jumps over is plain data; owners live in the
// callers.
#include <fmt/core.h>
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "base/error.h"
#include "data/codecs.h"
#include "data/exif.h"
#include "data/image_rows.h"
#include "data/png_chunks.h"

namespace atrous::data {

namespace {

struct Context {
    std::span<const uint8_t> input;
    size_t position = 0;
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
        if (png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY_ALPHA && !raw_values) png_set_strip_alpha(png);
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
    bool read_row(png_bytep row, bool last) {
        if (setjmp(png_jmpbuf(png))) return false;
        png_read_row(png, row, nullptr);
        if (last) png_read_end(png, info);
        return true;
    }
};

// After read_rows, for the chunk may come after the pixels.
int orientation_of(Reader& reader) {
    png_bytep exif = nullptr;
    png_uint_32 size = 0;
    return png_get_eXIf_1(reader.png, reader.info, &size, &exif) ? exif_orientation({exif, size}) : 1;
}

std::vector<png_bytep> row_pointers(Image& image) {
    std::vector<png_bytep> rows;
    dispatch_pixels(image, [&](auto zero) {
        auto& pixels = image.pixels<decltype(zero)>();
        for (int64_t y = 0; y < image.h; ++y)
            rows.push_back(reinterpret_cast<png_bytep>(pixels.data() + y * image.w * image.c));
    });
    return rows;
}

Palette palette_of(const Reader& reader) {
    Palette palette;
    if (png_get_color_type(reader.png, reader.info) != PNG_COLOR_TYPE_PALETTE) return palette;
    png_colorp colours = nullptr;
    int count = 0;
    if (png_get_PLTE(reader.png, reader.info, &colours, &count))
        for (int i = 0; i < count; ++i)
            palette.push_back(uint32_t(colours[i].red) << 16 | uint32_t(colours[i].green) << 8 | colours[i].blue);
    return palette;
}

}  // namespace

namespace codec {

// Reads what comes before the pixels, and checks that the file can hold them.
static void begin(Reader& reader, bool raw_values, Bytes bytes, const std::string& path,
                  void (*check_size)(int64_t, int64_t, const std::string&)) {
    check_chunks(bytes, path);
    if (!reader.read_header()) damaged(path, "PNG", reader.context.message);
    const int64_t h = png_get_image_height(reader.png, reader.info), w = png_get_image_width(reader.png, reader.info);
    check_size(h, w, path);
    const auto row_bytes = int64_t(png_get_rowbytes(reader.png, reader.info));
    check_plausible(h, w, 1032 * w / row_bytes + 1, bytes, path, "PNG");  // deflate's best: 1032 bytes in one
    if (!reader.set_transforms(raw_values)) damaged(path, "PNG", reader.context.message);
}

// Zeroed rows of the file's width.
static Image make_rows(const Reader& reader, int64_t count) {
    const int64_t w = png_get_image_width(reader.png, reader.info);
    const int channels = png_get_channels(reader.png, reader.info);
    return png_get_bit_depth(reader.png, reader.info) == 16 ? make_image<uint16_t>(count, w, channels)
                                                            : make_image<uint8_t>(count, w, channels);
}

static int first_alpha(const Image& image) {
    return dispatch_pixels(image, [&](auto zero) { return int(image.pixels<decltype(zero)>().at(1)); });
}

// Of gray and alpha, which varies where it is not `first` everywhere.
static void drop_alpha(Decoded& decoded, int first) {
    dispatch_pixels(decoded.image, [&](auto zero) {
        using T = decltype(zero);
        Image gray = make_image<T>(decoded.image.h, decoded.image.w, 1);
        const T* from = decoded.image.pixels<T>().data();
        T* to = gray.pixels<T>().data();
        for (int64_t i = 0; i < gray.count(); ++i) {
            to[i] = from[2 * i];
            decoded.alpha_varies = decoded.alpha_varies || from[2 * i + 1] != T(first);
        }
        decoded.image = std::move(gray);
    });
}

static Decoded decode_png(Bytes bytes, const std::string& path, bool raw_values) {
    Reader reader(bytes);
    begin(reader, raw_values, bytes, path, check_size);
    Decoded decoded{make_rows(reader, png_get_image_height(reader.png, reader.info))};
    auto rows = row_pointers(decoded.image);
    if (!reader.read_rows(rows.data())) damaged(path, "PNG", reader.context.message);
    decoded.palette = palette_of(reader);
    if (decoded.image.c == 2) drop_alpha(decoded, first_alpha(decoded.image));
    const int orientation = orientation_of(reader);
    if (orientation != 1) decoded.image = apply_orientation(decoded.image, orientation);
    return decoded;
}

namespace {

class PngRows : public ImageRows {
 public:
    using FileBytes = std::shared_ptr<const std::vector<uint8_t>>;
    PngRows(FileBytes bytes, std::unique_ptr<Reader> reader, int64_t h, int64_t w, const std::string& path,
            bool raw_values)
        : ImageRows(h, w, path), bytes_(std::move(bytes)), reader_(std::move(reader)) {
        raw_values_ = raw_values;
        pixel_bytes_ = make_rows(*reader_, 1).bytes() / w;
        rows_at_once_ = 1;
        if (raw_values) palette_ = palette_of(*reader_);
    }

 private:
    std::unique_ptr<ImageRows> open_again(Columns columns) const override {
        auto reader = std::make_unique<Reader>(*bytes_);
        begin(*reader, raw_values_, *bytes_, path(), check_size_by_rows);
        auto all = std::make_unique<PngRows>(bytes_, std::move(reader), height(), width(), path(), raw_values_);
        return some_columns(std::move(all), path(), columns);
    }

    Image read(int64_t count) override {
        Decoded rows{make_rows(*reader_, count), palette_of(*reader_)};
        const auto pointers = row_pointers(rows.image);
        for (int64_t y = 0; y < count; ++y)
            if (!reader_->read_row(pointers[size_t(y)], y + 1 == left()))
                damaged(path(), "PNG", reader_->context.message);
        if (rows.image.c == 2) {
            if (at_ == 0 && count > 0) alpha_ = first_alpha(rows.image);
            drop_alpha(rows, alpha_);
            alpha_varies_ = alpha_varies_ || rows.alpha_varies;
        }
        return raw_values_ ? std::move(rows.image) : finish(std::move(rows), path(), at_);
    }

    const FileBytes bytes_;
    std::unique_ptr<Reader> reader_;
    int alpha_ = 0;  // of the first pixel, of gray and alpha
};

}  // namespace

// Interlaced images come as a whole, and so do those with EXIF, which may turn them.
static std::unique_ptr<ImageRows> rows_of_png(const std::string& path, bool raw_values) {
    const auto file = std::make_shared<const std::vector<uint8_t>>(read_file(path));
    const Bytes bytes = *file;
    bool has_exif = false;
    for_each_chunk(bytes, [&](const PngChunk& chunk) { return !(has_exif = has_exif || chunk.is("eXIf")); });
    auto reader = std::make_unique<Reader>(bytes);
    begin(*reader, raw_values, bytes, path, check_size_by_rows);
    if (has_exif || png_get_interlace_type(reader->png, reader->info) != PNG_INTERLACE_NONE) return nullptr;
    const int64_t h = png_get_image_height(reader->png, reader->info);
    const int64_t w = png_get_image_width(reader->png, reader->info);
    return std::make_unique<PngRows>(file, std::move(reader), h, w, path, raw_values);
}

Codec png() { return {"PNG", {".png"}, is_png, decode_png, rows_of_png}; }

}  // namespace codec

}  // namespace atrous::data
