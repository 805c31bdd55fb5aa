#include "data/mask_rows.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/transform.h"

namespace atrous::data {

MaskRows::MaskRows(const Sample& sample, int64_t h, int64_t w) : MaskRows(sample.mask_path, Columns{0, w}) {
    if (sample.mask) {
        drawn_ = std::make_shared<const RawMask>(load_mask(sample, h, w));
        return;
    }
    rows_ = open_rows(sample.mask_path, 0, true);
    check_mask_size(sample, {rows_->height(), rows_->width()}, {h, w});
}

MaskRows MaskRows::again(Columns columns) const {
    MaskRows some(path_, columns);
    some.drawn_ = drawn_;
    if (rows_) some.rows_ = rows_->again(columns);
    return some;
}

int64_t MaskRows::bytes_a_column() const { return rows_ ? rows_->rows_at_once() * rows_->pixel_bytes() : 0; }

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
    return {crop(drawn_->image, first, columns_.first, count, columns_.count), drawn_->palette, drawn_->alpha_varies};
}

LabelRows::LabelRows(const MaskRows& mask, const MaskRule& rule, ImageSize own, ImageSize size, Columns columns)
    : own_(own),
      size_(size),
      columns_(columns),
      own_columns_{own_column(columns.first), own_column(columns.end() - 1) + 1 - own_column(columns.first)},
      mask_(mask.again(own_columns_)),
      rule_(rule) {}

Image LabelRows::next(int64_t count) {
    Image out = make_image<uint8_t>(count, columns_.count, 1);
    for (int64_t i = 0; i < count; ++i, ++y_) {
        const int64_t from = (2 * y_ + 1) * own_.height / (2 * size_.height);
        while (mask_.at() <= from) {
            const int64_t row = mask_.at();
            row_ = apply_mask_rule(rule_, mask_.next(1), mask_.path(), row, own_columns_.first);
        }
        for (int64_t x = 0; x < columns_.count; ++x)
            out.u8[size_t(i * columns_.count + x)] =
                row_.u8[size_t(own_column(columns_.first + x) - own_columns_.first)];
    }
    return out;
}

}  // namespace atrous::data
