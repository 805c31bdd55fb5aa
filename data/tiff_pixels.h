// The pixels of a TIFF whose samples are read here, block by block: gray, RGB, palettes and bands.
#pragma once

#include "base/columns.h"
#include "data/tiff_tags.h"

namespace atrous::data::codec {

// What a row of tiles, or a strip, may take of memory, in bytes.
inline constexpr int64_t most_at_once = int64_t{1} << 30;

class TiffPixels {
 public:
    // Throws DataError where the blocks contradict the other tags. From here on the file is strict. Of the blocks those are
    // read that hold some of the columns.
    TiffPixels(TiffFile& file, const TiffTags& tags, int64_t most, Columns columns);

    // As many rows are decoded at once: a tile's or a strip's, or 1 where strips of whole pixels are large.
    int64_t rows_at_once() const { return by_rows_ ? 1 : block_h_; }
    bool tiled() const { return tiled_; }
    // Comes before read(). The first call throws DataError where a row of blocks would take more than `most` bytes of memory
    // for these columns: of an image that is opened for its size, or for others, none is taken.
    Image make(int64_t rows);
    int64_t pixel_bytes() const { return tags_.kept * size_of(type_); }

    // Reads rows from `first` on, a multiple of rows_at_once(), until the image of make() is full, or the file's rows
    // end. Rows of large strips come in order. DataError.
    void read(int64_t first, Image& image);

    // White that is stored as zero becomes the largest value; fewer than 8 bits, and 9 to 15, are stretched to 8 and 16
    // unless raw.
    void set_levels(bool raw_values, Image& image) const;

 private:
    void check_memory() const;
    void read_row(int64_t y, int64_t first, Image& image);
    void read_block(int64_t y, int64_t x, int plane, int64_t first, Image& image);
    void put(int64_t y, int64_t x, int64_t h, int64_t w, int plane, Image& image);

    TiffFile& file_;
    const TiffTags tags_;
    const Element type_;
    const Columns columns_;
    const int64_t most_of_memory_;
    bool tiled_, by_rows_ = false;
    int64_t block_h_ = 0, block_w_ = 0, row_bytes_ = 0;
    std::vector<uint8_t> buffer_;
};

}  // namespace atrous::data::codec
