#include "segmentation/report/validation_picture.h"

#include <algorithm>
#include <cmath>

#include "data/mask.h"
#include "data/palette.h"
#include "engine/shape.h"
#include "segmentation/picture_size.h"
#include "segmentation/postprocess.h"

namespace atrous::report {

namespace {

// The net's value of an element of a batch.
float value_of(const HostBatch& batch, int64_t element, int64_t channel) {
    if (batch.form == ImageForm::floats) return batch.images[size_t(element)];
    return batch.levels[size_t(channel % batch.kinds() * 256 + batch.bytes[size_t(element)])];
}

// Rows, or columns, as lines of pixels: line i's pixel k is at begin + i * step + k * along.
struct Lines {
    int64_t begin, step, along, length;

    bool is_border(const HostBatch& batch, int64_t line) const {
        const int64_t first = begin + line * step;
        for (int64_t k = 0; k < length; ++k) {
            const int64_t pixel = first + k * along;
            if (batch.labels[size_t(pixel)] != data::ignored_class) return false;
            for (int64_t ch = 0; ch < batch.c; ++ch)
                if (value_of(batch, pixel * batch.c + ch, ch) != value_of(batch, first * batch.c + ch, ch))
                    return false;
        }
        return true;
    }
};

struct Span {
    int64_t begin, end;
};
Span without_borders(const HostBatch& batch, const Lines& lines, int64_t count) {
    Span inside{0, count};
    while (inside.begin < count && lines.is_border(batch, inside.begin)) ++inside.begin;
    while (inside.end > inside.begin && lines.is_border(batch, inside.end - 1)) --inside.end;
    return inside;
}

// What normalization made of the image, undone: 0..255. Of a large part only every so many pixels, four times as many
// on a side as are shown.
data::Image photo_of(const HostBatch& batch, int64_t index, const Part& part, const data::Normalization& how,
                     int64_t side) {
    const int64_t step = std::max<int64_t>(1, std::max(part.h, part.w) / (4 * side));
    data::Image image = data::make_image<uint8_t>(ceil_div(part.h, step), ceil_div(part.w, step), int(batch.c));
    uint8_t* to = image.u8.data();
    for (int64_t y = part.top; y < part.top + part.h; y += step)
        for (int64_t x = part.left; x < part.left + part.w; x += step)
            for (int64_t ch = 0; ch < batch.c; ++ch) {
                const int64_t pixel = (index * batch.h + y) * batch.w + x;
                const float stored = value_of(batch, pixel * batch.c + ch, ch);
                const float value = stored * how.stddev[size_t(ch % 3)] + how.mean[size_t(ch % 3)];
                *to++ = uint8_t(std::lround(std::clamp(value, 0.f, 1.f) * 255));
            }
    return data::to_8bit_rgb(image);
}

data::Image truth_of(const HostBatch& batch, int64_t index, const Part& part) {
    data::Image ids = data::make_image<uint8_t>(part.h, part.w, 1);
    for (int64_t y = 0; y < part.h; ++y)
        std::copy_n(batch.labels.begin() + (index * batch.h + part.top + y) * batch.w + part.left, part.w,
                    ids.u8.begin() + y * part.w);
    return ids;
}

// The labels of the rows that resize_nearest would take for a picture of so many rows.
data::Image predicted_rows(const Tensor& logits, const Part& part, int64_t rows, LabelForm form) {
    const int64_t w = logits.dim(2), c = logits.dim(3);
    data::Image ids = data::make_image<uint8_t>(rows, part.w, 1);
    for (int64_t y = 0; y < rows; ++y) {
        const int64_t from = part.top + (2 * y + 1) * part.h / (2 * rows);
        const std::vector<float> row = host_logits(logits.part(from * w * c, {1, 1, w, c}), 1, w);
        data::copy_rows(labels_of(row.data() + part.left * c, 1, part.w, c, 0, form), 0, 1, ids, y);
    }
    return ids;
}

}  // namespace

Part content_of(const HostBatch& batch, int64_t index) {
    const int64_t first = index * batch.h * batch.w;
    const Span rows = without_borders(batch, {first, batch.w, 1, batch.w}, batch.h);
    const Lines columns{first + rows.begin * batch.w, 1, batch.w, rows.end - rows.begin};
    const Span across = rows.begin < rows.end ? without_borders(batch, columns, batch.w) : Span{0, 0};
    if (across.begin == across.end) return {0, 0, batch.h, batch.w};
    return {rows.begin, across.begin, rows.end - rows.begin, across.end - across.begin};
}

ValidationPicture picture_of(const ImageResult& image, const Part& part, const data::Normalization& how, int64_t side,
                             LabelForm form) {
    const auto [h, w] = picture_size(part.h, part.w, side);
    return {data::resize_bilinear(photo_of(image.batch, image.index, part, how, side), h, w),
            data::resize_nearest(truth_of(image.batch, image.index, part), h, w),
            data::resize_nearest(predicted_rows(image.logits, part, h, form), h, w)};
}

}  // namespace atrous::report
