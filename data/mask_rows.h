// A mask from the top to the bottom, some rows at a time, so that one of any size takes the memory of a few rows.
#pragma once

#include <memory>

#include "data/dataset.h"
#include "data/image_rows.h"

namespace atrous::data {

// What load_mask(sample, h, w) gives, some rows at a time. Of a mask that is drawn (polygons, runs, several files) all is
// drawn at once.
class MaskRows {
 public:
    MaskRows(const Sample& sample, int64_t h, int64_t w);  // DataError as load_mask
    // The next rows, at most those that are left. Their alpha varies where it is not one from the mask's top on.
    RawMask next(int64_t count);
    int64_t at() const { return at_; }  // the row that comes next

 private:
    std::string path_;
    std::unique_ptr<ImageRows> rows_;
    RawMask drawn_;  // where there are no rows
    int alpha_ = 0;  // of the first pixel, of RGBA
    int64_t at_ = 0;
};

// Its class ids at another size, as resize_nearest gives them.
class LabelRows {
 public:
    LabelRows(const Sample& sample, const MaskRule& rule, ImageSize own, ImageSize size);
    Image next(int64_t count);

 private:
    MaskRows mask_;
    const MaskRule& rule_;
    std::string path_;
    ImageSize own_, size_;
    Image row_;  // the row of the mask that is at hand
    int64_t y_ = 0;
};

}  // namespace atrous::data
