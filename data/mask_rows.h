// A mask from the top to the bottom, some rows at a time, so that one of any size takes the memory of a few rows.
#pragma once

#include <memory>

#include "base/columns.h"
#include "data/dataset.h"
#include "data/image_rows.h"

namespace atrous::data {

// What load_mask(sample, h, w) gives, some rows at a time, or the columns of it that are asked for. Of a mask that is drawn
// (polygons, runs, several files) all is drawn at once, and not once more by again().
class MaskRows {
 public:
    MaskRows(const Sample& sample, int64_t h, int64_t w);  // DataError as load_mask
    MaskRows again(Columns columns) const;                 // of one that has all its columns: once more, from the top
    const std::string& path() const { return path_; }
    int64_t bytes_a_column() const;  // that are held while its rows are read; 0: all of it is there already
    // The next rows, at most those that are left. Their alpha varies where it is not one from the mask's top on.
    RawMask next(int64_t count);
    int64_t at() const { return at_; }  // the row that comes next

 private:
    MaskRows(std::string path, Columns columns) : path_(std::move(path)), columns_(columns) {}

    std::string path_;
    Columns columns_;
    std::unique_ptr<ImageRows> rows_;
    std::shared_ptr<const RawMask> drawn_;  // where there are no rows
    int alpha_ = 0;                         // of the first pixel, of RGBA
    int64_t at_ = 0;
};

// Its class ids at another size, as resize_nearest gives them, or some columns of them.
class LabelRows {
 public:
    // The mask has all its columns, and the size `own`.
    LabelRows(const MaskRows& mask, const MaskRule& rule, ImageSize own, ImageSize size, Columns columns);
    Image next(int64_t count);

 private:
    int64_t own_column(int64_t column) const { return (2 * column + 1) * own_.width / (2 * size_.width); }

    ImageSize own_, size_;
    Columns columns_, own_columns_;  // of the result, and of the mask
    MaskRows mask_;
    const MaskRule& rule_;
    Image row_;  // the row of the mask that is at hand
    int64_t y_ = 0;
};

}  // namespace atrous::data
