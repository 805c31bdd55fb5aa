// Writing PNG through libpng, row by row. libpng reports errors by longjmp, so what it jumps over is plain data; owners
// live in the callers.
#include <fmt/core.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <exception>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/scratch_file.h"
#include "data/png_chunks.h"
#include "data/row_writer.h"

namespace atrous::data {

namespace {

struct Context {
    io::Sink* output = nullptr;
    std::exception_ptr error;  // of the sink
    char message[128] = "";
};

void on_error(png_structp png, png_const_charp message) {
    auto* context = static_cast<Context*>(png_get_error_ptr(png));
    std::snprintf(context->message, sizeof context->message, "%s", message);
    png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}

// What the sink throws is kept, for libpng is no C++.
bool put_bytes(Context& context, png_bytep from, size_t count) {
    try {
        context.output->write(from, count);
        return true;
    } catch (...) {
        context.error = std::current_exception();
        return false;
    }
}
void write_bytes(png_structp png, png_bytep from, size_t count) {
    if (!put_bytes(*static_cast<Context*>(png_get_io_ptr(png)), from, count)) png_error(png, "its file fails");
}
void flush_bytes(png_structp) {}

struct PngForm {
    int64_t h, w;
    int type, bits;
    std::vector<png_color> colours;
    PngMark mark;
};

struct Writer {
    Context context;
    png_structp png = nullptr;
    png_infop info = nullptr;

    explicit Writer(io::Sink& sink) {
        context.output = &sink;
        png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &context, on_error, on_warning);
        info = png ? png_create_info_struct(png) : nullptr;
    }
    ~Writer() { png_destroy_write_struct(&png, &info); }
    Writer(const Writer&) = delete;

    bool begin(const PngForm& form) {
        if (!info || setjmp(png_jmpbuf(png))) return false;
        png_set_write_fn(png, &context, write_bytes, flush_bytes);
        png_set_IHDR(png, info, png_uint_32(form.w), png_uint_32(form.h), form.bits, form.type, PNG_INTERLACE_NONE,
                     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        if (!form.colours.empty()) png_set_PLTE(png, info, form.colours.data(), int(form.colours.size()));
        if (form.mark == PngMark::ours) {
            png_text text{};
            text.compression = PNG_TEXT_COMPRESSION_NONE;
            text.key = const_cast<char*>(codec::mark_key);
            text.text = const_cast<char*>(codec::mark_text);
            text.text_length = std::strlen(codec::mark_text);
            png_set_text(png, info, &text, 1);
        }
        png_write_info(png, info);  // puts the text before the pixels
        if (form.bits == 16) png_set_swap(png);
        return true;
    }
    bool write_rows(const uint8_t* rows, int64_t row_bytes, int64_t count) {
        if (setjmp(png_jmpbuf(png))) return false;
        for (int64_t y = 0; y < count; ++y) png_write_row(png, rows + y * row_bytes);
        return true;
    }
    bool end() {
        if (setjmp(png_jmpbuf(png))) return false;
        png_write_end(png, info);
        return true;
    }
};

std::vector<png_color> colours_of(const Palette& palette) {
    std::vector<png_color> colours;
    for (uint32_t colour : palette) colours.push_back({uint8_t(colour >> 16), uint8_t(colour >> 8), uint8_t(colour)});
    return colours;
}

int type_of(int channels, bool has_palette) {
    if (has_palette) return PNG_COLOR_TYPE_PALETTE;
    return channels == 1 ? PNG_COLOR_TYPE_GRAY : channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGBA;
}

class PngWriter : public RowWriter {
 public:
    PngWriter(io::Sink& sink, PngForm form) : form_(std::move(form)), writer_(sink) { check(writer_.begin(form_)); }
    void put(const Image& rows) override {
        const auto* from = rows.is_16bit() ? reinterpret_cast<const uint8_t*>(rows.u16.data()) : rows.u8.data();
        check(writer_.write_rows(from, rows.bytes() / std::max<int64_t>(rows.h, 1), rows.h));
    }
    void go_down(Columns columns) override { require(columns == Columns{0, form_.w}, "PNG: whole rows"); }
    void finish(const std::function<void()>&) override { check(writer_.end()); }

 private:
    void check(bool done) const {
        if (writer_.context.error) std::rethrow_exception(writer_.context.error);
        if (!done)
            throw IoError(
                fmt::format("encoding a PNG of {}x{} pixels failed: {}", form_.w, form_.h, writer_.context.message));
    }
    const PngForm form_;
    Writer writer_;
};

// Columns in a file without a name, one block behind the other, each from its top.
class PngOfColumns : public RowWriter {
 public:
    PngOfColumns(std::unique_ptr<RowWriter> png, const RowForm& form, std::string folder)
        : png_(std::move(png)), h_(form.h), w_(form.w), c_(form.c), folder_(std::move(folder)) {}
    void put(const Image& rows) override {
        if (blocks_.empty()) return png_->put(rows);
        require(rows.w == blocks_.back().count && rows.c == c_, "PNG: rows of the columns that were announced");
        rows_of_block_ += rows.h;
        scratch_->append(rows.u8.data(), rows.u8.size());
    }
    void go_down(Columns columns) override {
        if (columns == Columns{0, w_}) return;
        if (!scratch_) reserve();
        check_block();
        rows_of_block_ = 0;
        blocks_.push_back(columns);
    }
    void finish(const std::function<void()>& pause) override {
        check_block();
        const int64_t at_once = std::clamp<int64_t>((int64_t{1} << 20) / (w_ * c_), 1, h_);
        for (int64_t y = 0; !blocks_.empty() && y < h_; y += at_once) {
            pause();
            png_->put(rows(y, std::min(at_once, h_ - y)));
        }
        png_->finish();
    }

 private:
    // Before the work, not after it.
    void reserve() {
        scratch_.emplace(folder_);
        const int error = scratch_->reserve(uint64_t(h_ * w_ * c_));
        if (error)
            throw IoError(fmt::format(
                "a PNG of {}x{} pixels in blocks of columns needs {} bytes beside it in {} while it is made: {}; "
                "free them there, or write `format` tiff, which needs none",
                w_, h_, h_ * w_ * c_, folder_.empty() ? "." : folder_, std::generic_category().message(error)));
    }
    void check_block() const {
        require(blocks_.empty() || rows_of_block_ == h_, "PNG: all rows of a block before the next one");
    }
    Image rows(int64_t first, int64_t count) const {
        Image all = make_image<uint8_t>(count, w_, c_);
        std::vector<uint8_t> some;
        for (const Columns& block : blocks_) {
            const int64_t row = block.count * c_;
            some.resize(size_t(count * row));
            scratch_->read(some.data(), some.size(), uint64_t(h_ * block.first * c_ + first * row));
            for (int64_t y = 0; y < count; ++y)
                std::copy_n(some.begin() + y * row, row, all.u8.begin() + (y * w_ + block.first) * c_);
        }
        return all;
    }

    const std::unique_ptr<RowWriter> png_;
    const int64_t h_, w_;
    const int c_;
    const std::string folder_;
    std::optional<io::ScratchFile> scratch_;
    int64_t rows_of_block_ = 0;    // that were put of the last one
    std::vector<Columns> blocks_;  // from the left, none left out; none: rows are whole
};

class MemorySink : public io::Sink {
 public:
    void write(const void* data, size_t count) override {
        const auto* from = static_cast<const uint8_t*>(data);
        bytes.insert(bytes.end(), from, from + count);
    }
    std::vector<uint8_t> bytes;
};

}  // namespace

std::unique_ptr<RowWriter> png_writer(io::Sink& sink, const RowForm& form, PngMark mark, const std::string& scratch) {
    const std::vector<png_color> colours = colours_of(form.palette);
    const PngForm of_png{form.h, form.w, type_of(form.c, !colours.empty()), 8, colours, mark};
    return std::make_unique<PngOfColumns>(std::make_unique<PngWriter>(sink, of_png), form, scratch);
}

std::vector<uint8_t> encode_png(const Image& image, const Palette& palette, PngMark mark) {
    require((image.c == 1 || image.c == 3 || image.c == 4) && !image.is_float(),
            "encode_png: 1, 3 or 4 channels of 8 or 16 bits");
    require(palette.empty() || (image.c == 1 && !image.is_16bit() && palette.size() <= 256),
            "encode_png: a palette needs a gray 8-bit image and at most 256 colours");
    MemorySink sink;
    PngWriter writer(sink, {image.h, image.w, type_of(image.c, !palette.empty()), image.is_16bit() ? 16 : 8,
                            colours_of(palette), mark});
    writer.put(image);
    writer.finish({});
    return std::move(sink.bytes);
}

}  // namespace atrous::data
