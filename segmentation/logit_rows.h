// The logits of an image at its own size, some rows at a time: a large image of many classes would not fit as a
// whole.
#pragma once

#include <cstdint>
#include <vector>

#include "base/columns.h"

namespace atrous {

class LogitRows {
 public:
    // `logits` [h][w][c] are enlarged or reduced to height x width, bilinearly, as engine/ops/resize.h does with
    // align_corners off. They are not copied.
    LogitRows(const std::vector<float>& logits, int64_t h, int64_t w, int64_t c, int64_t height, int64_t width)
        : LogitRows(logits.data(), h, w, {0, w}, c, height, width, {0, width}) {}
    // Gives these columns of the result. Of the logits there are the columns `given`, which hold source_columns.
    LogitRows(const float* logits, int64_t h, int64_t w, Columns given, int64_t c, int64_t height, int64_t width,
              Columns columns);
    // The columns of the logits that those of the result follow from.
    static Columns source_columns(int64_t w, int64_t width, Columns columns);

    // Of logits that come some rows at a time: from now on the rows from `first` on are those at `logits`.
    void continue_with(const float* logits, int64_t first);
    // How many rows of the result follow from the first `rows` rows of logits.
    int64_t complete(int64_t rows) const;

    // Rows [first, first + count) of the result: [count][columns.count][c], valid until the next call.
    const float* rows(int64_t first, int64_t count);

    int64_t height() const { return height_; }
    int64_t width() const { return width_; }  // of the columns
    // Returns as many rows as make about a million values: the memory that rows() takes.
    int64_t rows_at_once() const;

 private:
    struct Tap {  // of an output coordinate: two source coordinates and the weight of the second
        int64_t i0, i1;
        float weight0, weight1;
    };
    static Tap tap(int64_t in, int64_t out, int64_t p);
    static std::vector<Tap> taps(int64_t in, int64_t out, Columns part);

    const float* logits_;
    int64_t first_ = 0;               // the row of logits that logits_ begins with
    int64_t w_, c_, height_, width_;  // w_, width_: the columns that there are
    std::vector<Tap> vertical_, horizontal_;
    std::vector<float> rows_;
};

}  // namespace atrous
