// An image from the top to the bottom, some rows at a time, so that an image of any size takes the memory of a few rows.
#pragma once

#include <memory>
#include <string>

#include "base/columns.h"
#include "data/image.h"

namespace atrous::data {

// Sides of an image that is read by rows; whole images have at most max_pixels.
inline constexpr int64_t max_side_by_rows = 1'000'000;

class ImageRows {
 public:
    ImageRows(int64_t height, int64_t width, std::string path)
        : height_(height), width_(width), path_(std::move(path)) {}
    virtual ~ImageRows() = default;

    int64_t height() const { return height_; }
    int64_t width() const { return width_; }
    int pages() const { return pages_; }                 // as Image::pages
    const Palette& palette() const { return palette_; }  // of raw rows, which then hold indices into it
    bool alpha_varies() const { return alpha_varies_; }  // of raw rows given so far: the alpha of gray that was dropped
    int64_t left() const { return height_ - at_; }       // rows that next() has not given yet

    // The next `count` rows, at most those left, as load_image gives them. DataError as there, when it comes to the
    // damaged part.
    Image next(int64_t count);

    int64_t pixel_bytes() const { return pixel_bytes_; }
    // Rows that are decoded together and held. 0: all of the image is there already.
    int64_t rows_at_once() const { return rows_at_once_; }

    // The same image once more, from its top, or some of its columns: width() is then their count. TIFF decodes the tiles
    // alone that they lie in, and whole strips; other formats decode whole rows. An image that is some columns itself
    // has no others.
    std::unique_ptr<ImageRows> again(Columns columns) const;
    std::unique_ptr<ImageRows> again() const { return again({0, width_}); }
    // Whether some columns are decoded without all the others.
    bool decodes_columns() const { return decodes_columns_; }

 protected:
    virtual Image read(int64_t count) = 0;
    virtual std::unique_ptr<ImageRows> open_again(Columns columns) const;
    const std::string& path() const { return path_; }
    int pages_ = 1;
    Palette palette_;
    bool raw_values_ = false, alpha_varies_ = false;
    bool has_all_columns_ = true, decodes_columns_ = false;
    int64_t at_ = 0;  // the row that comes next
    int64_t pixel_bytes_ = 0, rows_at_once_ = 0;

 private:
    int64_t height_, width_;
    std::string path_;
};

// Memory by format:
//   TIFF    a row of tiles that hold some of the columns, or a strip of all planes, at most 1 GiB, which next() refuses; where
//           strips of whole pixels are large, single rows.
//           All of the image where its orientation is stated or its colours are converted (CMYK, L*a*b*)
//   PNG     the file as it is on disk, and a row. All of the image where it is interlaced or its orientation is stated
//   others  all of the image
// An image of up to `whole_up_to` pixels is decoded at once, which again() does not repeat. Throws DataError as
// load_image does.
// `raw_values`: as a mask's codec gives them (data/codecs.h), palettes and floats that are no numbers included.
std::unique_ptr<ImageRows> open_rows(const std::string& path, int64_t whole_up_to = 0, bool raw_values = false);

}  // namespace atrous::data
