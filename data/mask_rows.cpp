#include "data/mask_rows.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/transform.h"

namespace atrous::data {

MaskRows::MaskRows(const Sample& sample, int64_t h, int64_t w, Columns columns)
    : path_(sample.mask_path), columns_(columns) {
    if (sample.mask) {
        drawn_ = load_mask(sample, h, w);
        return;
    }
    rows_ = open_rows(sample.mask_path, 0, true);
    check_mask_size(sample, {rows_->height(), rows_->width()}, {h, w});
    if (columns != Columns{0, w}) rows_ = rows_->again(columns);
}

RawMask MaskRows::next(int64_t count) {
    const int64_t first = at_;
    at_ += count;
    if (rows_) {
        Image rows = rows_->next(count);
        const bool has_alpha = rows.c == 4 && !rows.u8.empty();
        const int alpha = has_alpha ? rows.u8[3] : 0;
        if (first == 0) alpha_ = alpha;
        RawMask mask = mask_of_rows(std::move(rows), rows_->palette(), path_, first, columns_.first);
        mask.alpha_varies = mask.alpha_varies || rows_->alpha_varies() || alpha != alpha_;
        return mask;
    }
    return {crop(drawn_.image, first, columns_.first, count, columns_.count), drawn_.palette, drawn_.alpha_varies};
}

LabelRows::LabelRows(const Sample& sample, const MaskRule& rule, ImageSize own, ImageSize size, Columns columns)
    : own_(own),
      size_(size),
      columns_(columns),
      own_columns_{own_column(columns.first), own_column(columns.end() - 1) + 1 - own_column(columns.first)},
      mask_(sample, own.height, own.width, own_columns_),
      rule_(rule),
      path_(sample.mask_path) {}

Image LabelRows::next(int64_t count) {
    Image out = make_image<uint8_t>(count, columns_.count, 1);
    for (int64_t i = 0; i < count; ++i, ++y_) {
        const int64_t from = (2 * y_ + 1) * own_.height / (2 * size_.height);
        while (mask_.at() <= from) {
            const int64_t row = mask_.at();
            row_ = apply_mask_rule(rule_, mask_.next(1), path_, row, own_columns_.first);
        }
        for (int64_t x = 0; x < columns_.count; ++x)
            out.u8[size_t(i * columns_.count + x)] =
                row_.u8[size_t(own_column(columns_.first + x) - own_columns_.first)];
    }
    return out;
}

}  // namespace atrous::data
