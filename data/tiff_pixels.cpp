#include "data/tiff_pixels.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"

namespace atrous::data::codec {

// Strips are tiles as wide as the image.
TiffPixels::TiffPixels(TiffFile& file, const TiffTags& tags, int64_t most_of_memory, Columns columns)
    : file_(file),
      tags_(tags),
      type_(element_of(tags, file.path())),
      columns_(columns),
      most_of_memory_(most_of_memory),
      tiled_(libtiff().is_tiled(file.get()) != 0) {
    require(columns.first >= 0 && columns.count > 0 && columns.end() <= tags.w, "TIFF: columns of the image");
    block_h_ = tiled_ ? file.number(TIFFTAG_TILELENGTH, 0)
                      : std::min<int64_t>(file.number(TIFFTAG_ROWSPERSTRIP, UINT32_MAX), tags.h);
    block_w_ = tiled_ ? file.number(TIFFTAG_TILEWIDTH, 0) : tags.w;
    row_bytes_ = (block_w_ * tags.samples_of_block() * tags.bits + 7) / 8;
    file.be_strict();
    constexpr int64_t longest = 1 << 16, small = 1 << 24;  // a small tile may be larger than its image
    const bool fits = block_h_ > 0 && block_w_ > 0 && (!tiled_ || (block_h_ <= longest && block_w_ <= longest));
    const int64_t most = std::max(small, file.size() * best_ratio(tags.compression));
    if (!fits || block_h_ * row_bytes_ > most)
        file.refuse(fmt::format("its {} have {}x{} pixels", tiled_ ? "tiles" : "strips", block_w_, block_h_));
    const uint64_t expected = tiled_ ? libtiff().tile_size(file.get()) : libtiff().strip_size(file.get());
    if (uint64_t(block_h_ * row_bytes_) != expected) file.refuse("its tags contradict each other");
    constexpr int64_t large = 1 << 22;
    by_rows_ = !tiled_ && !tags.planes && block_h_ * row_bytes_ > large;
}

Image TiffPixels::make(int64_t rows) {
    if (buffer_.empty()) {
        check_memory();
        buffer_.resize(size_t(by_rows_ ? row_bytes_ : block_h_ * row_bytes_));
    }
    return make_image(type_, rows, columns_.count, tags_.kept);
}

// A row of blocks as pixels, and one block as libtiff gives it.
void TiffPixels::check_memory() const {
    const int64_t rows = std::min(rows_at_once(), tags_.h), pixels = rows * columns_.count * pixel_bytes();
    const int64_t bytes = pixels + rows_at_once() * row_bytes_;
    if (bytes > most_of_memory_)
        throw DataError(
            fmt::format("{}: a row of its {}, of {}x{} pixels each, takes {} of memory; at most {} are "
                        "taken: save it in smaller tiles or strips",
                        file_.path(), tiled_ ? "tiles" : "strips", block_w_, block_h_,
                        io::format_bytes(uint64_t(bytes)), io::format_bytes(uint64_t(most_of_memory_))));
}

void TiffPixels::read(int64_t first, Image& image) {
    const int64_t end = std::min(first + image.h, tags_.h);
    if (by_rows_) {
        for (int64_t y = first; y < end; ++y) read_row(y, first, image);
        return;
    }
    for (int plane = 0; plane < (tags_.planes ? tags_.kept : 1); ++plane)
        for (int64_t y = first; y < end; y += block_h_)
            for (int64_t x = columns_.first / block_w_ * block_w_; x < columns_.end(); x += block_w_)
                read_block(y, x, plane, first, image);
}

void TiffPixels::read_row(int64_t y, int64_t first, Image& image) {
    if (libtiff().read_scanline(file_.get(), buffer_.data(), uint32_t(y), 0) != 1 || !file_.message().empty())
        file_.refuse("the file ends too early");
    put(y - first, 0, 1, tags_.w, 0, image);
}

void TiffPixels::read_block(int64_t y, int64_t x, int plane, int64_t first, Image& image) {
    const auto read = tiled_ ? libtiff().read_encoded_tile : libtiff().read_encoded_strip;
    const auto row = uint32_t(y), column = uint32_t(x);
    const auto sample = uint16_t(plane);
    const uint32_t index = tiled_ ? libtiff().compute_tile(file_.get(), column, row, 0, sample)
                                  : libtiff().compute_strip(file_.get(), row, sample);
    const int64_t h = std::min(block_h_, tags_.h - y), w = std::min(block_w_, tags_.w - x);
    const tmsize_t wanted = (tiled_ ? block_h_ : h) * row_bytes_;
    const tmsize_t got = read(file_.get(), index, buffer_.data(), wanted);
    if (got != wanted || !file_.message().empty()) file_.refuse("the file ends too early");
    put(y - first, x, h, w, plane, image);
}

// The next `count` samples of a row, each of `bits`, the first in the highest bits. More than 8 become 16.
static void unpack(const uint8_t* row, int bits, std::vector<uint8_t>& samples) {
    const size_t bytes = bits > 8 ? 2 : 1;
    for (size_t i = 0; i < samples.size() / bytes; ++i) {
        uint16_t value = 0;
        for (size_t bit = i * size_t(bits); bit < (i + 1) * size_t(bits); ++bit)
            value = uint16_t(value << 1 | (row[bit / 8] >> (7 - bit % 8) & 1));
        if (bytes == 1)
            samples[i] = uint8_t(value);
        else
            std::copy_n(reinterpret_cast<const uint8_t*>(&value), 2, &samples[2 * i]);
    }
}

// A rectangle of pixels as libtiff gives them, of one plane or of all; (y, x) is its corner in the rows that are read.
// Those of its columns that are wanted are put.
void TiffPixels::put(int64_t y, int64_t x, int64_t h, int64_t w, int plane, Image& image) {
    const int64_t step = tags_.samples_of_block();
    const bool packed = tags_.bits < 8 || (tags_.bits > 8 && tags_.bits < 16);
    std::vector<uint8_t> unpacked(packed ? size_t(w * step * size_of(type_)) : 0);
    const int64_t begin = std::max(x, columns_.first), end = std::min(x + w, columns_.end());
    for (int64_t r = 0; r < h; ++r) {
        const uint8_t* row = buffer_.data() + r * row_bytes_;
        if (packed) {
            unpack(row, tags_.bits, unpacked);
            row = unpacked.data();
        }
        row += (begin - x) * step * size_of(type_);
        const int64_t first = ((y + r) * image.w + begin - columns_.first) * image.c;
        for (int ch = 0; ch < (tags_.planes ? 1 : image.c); ++ch)
            put_elements({type_, row + ch * size_of(type_), step, end - begin}, image, first + plane + ch, image.c);
    }
}

// The arithmetic of stretching is Pillow's: halves go to the even neighbour.
void TiffPixels::set_levels(bool raw_values, Image& image) const {
    if (tags_.has_palette() || image.is_float()) return;
    const bool inverted = tags_.photometric == PHOTOMETRIC_MINISWHITE;
    const int bits = std::min(tags_.bits, 16), top = (1 << bits) - 1;
    const double factor = raw_values ? 1 : (bits > 8 ? 65535.0 : 255.0) / top;
    if (!inverted && factor == 1) return;
    const auto level = [&](int v) { return std::nearbyint((inverted ? top - v : v) * factor); };
    for (uint8_t& v : image.u8) v = uint8_t(level(v));
    for (uint16_t& v : image.u16) v = uint16_t(level(v));
}

}  // namespace atrous::data::codec
