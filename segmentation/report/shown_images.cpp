#include "segmentation/report/shown_images.h"

#include <algorithm>
#include <cmath>

#include "base/base64.h"
#include "data/mask.h"
#include "data/palette.h"
#include "data/transform.h"
#include "engine/shape.h"
#include "segmentation/postprocess.h"

namespace atrous::report {

void ShownImages::clear() {
    best_.clear();
    worst_.clear();
}

// The net's value of an element of a batch.
static float value_of(const HostBatch& batch, int64_t element, int64_t channel) {
    if (batch.form == ImageForm::floats) return batch.images[size_t(element)];
    return batch.levels[size_t(channel % batch.kinds() * 256 + batch.bytes[size_t(element)])];
}

// What normalization made of the image, undone: 0..255. Of a large image only every so many pixels, four times as many
// on a side as are shown.
static data::Image picture_of(const HostBatch& batch, int64_t index, const data::Normalization& how) {
    const int64_t step = std::max<int64_t>(1, std::max(batch.h, batch.w) / (4 * picture_side));
    data::Image image = data::make_image<uint8_t>(ceil_div(batch.h, step), ceil_div(batch.w, step), int(batch.c));
    const int64_t first = index * batch.h * batch.w;
    uint8_t* to = image.u8.data();
    for (int64_t y = 0; y < batch.h; y += step)
        for (int64_t x = 0; x < batch.w; x += step)
            for (int64_t ch = 0; ch < batch.c; ++ch) {
                const float stored = value_of(batch, (first + y * batch.w + x) * batch.c + ch, ch);
                const float value = stored * how.stddev[size_t(ch % 3)] + how.mean[size_t(ch % 3)];
                *to++ = uint8_t(std::lround(std::clamp(value, 0.f, 1.f) * 255));
            }
    return data::to_8bit_rgb(image);
}

static data::Image truth_of(const HostBatch& batch, int64_t index) {
    data::Image ids = data::make_image<uint8_t>(batch.h, batch.w, 1);
    std::copy_n(batch.labels.begin() + index * ids.count(), ids.count(), ids.u8.begin());
    return ids;
}

// The class ids of the rows that resize_nearest would take for a picture of so many rows; no others are fetched.
static data::Image predicted_rows(const Tensor& logits, int64_t rows, LabelForm form) {
    const int64_t h = logits.dim(1), w = logits.dim(2), c = logits.dim(3);
    data::Image ids = data::make_image<uint8_t>(rows, w, 1);
    for (int64_t y = 0; y < rows; ++y) {
        const Tensor row = logits.part((2 * y + 1) * h / (2 * rows) * w * c, {1, 1, w, c});
        const data::Image of_row = labels_of(host_logits(row, 1, w).data(), 1, w, c, 0, form);
        data::copy_rows(of_row, 0, 1, ids, y);
    }
    return ids;
}

static double score_of(const ConfusionMatrix& counts) {
    return Metric::catalogue().at(counts.binary() ? "dice" : "miou").of_counts(counts);
}

ShownImage ShownImages::shown(const ImageResult& image) const {
    const int64_t h = image.batch.h, w = image.batch.w;
    const double scale = std::min(1., double(picture_side) / double(std::max(h, w)));
    const int64_t small_h = std::max<int64_t>(1, std::llround(double(h) * scale)),
                  small_w = std::max<int64_t>(1, std::llround(double(w) * scale));
    return {image.name(),
            image.loss,
            score_of(ConfusionMatrix(card_.classes(), image.counts, card_.label_form())),
            data::resize_bilinear(picture_of(image.batch, image.index, card_.normalization), small_h, small_w),
            data::resize_nearest(truth_of(image.batch, image.index), small_h, small_w),
            data::resize_nearest(predicted_rows(image.logits, small_h, card_.label_form()), small_h, small_w)};
}

// Keeps the list in order and short; an image comes behind those that are as good.
template <class Before>
static void insert(std::vector<ShownImage>& list, const ShownImage& image, Before before) {
    const auto at =
        std::find_if(list.begin(), list.end(), [&](const ShownImage& o) { return before(image.loss, o.loss); });
    list.insert(at, image);
    if (list.size() > shown_each) list.pop_back();
}

void ShownImages::add(const ImageResult& image) {
    if (!std::isfinite(image.loss)) return;
    const auto enters = [&](const std::vector<ShownImage>& list, auto before) {
        return list.size() < shown_each || before(image.loss, list.back().loss);
    };
    const bool among_best = enters(best_, std::less<double>()), among_worst = enters(worst_, std::greater<double>());
    if (!among_best && !among_worst) return;
    const ShownImage small = shown(image);
    if (among_best) insert(best_, small, std::less<double>());
    if (among_worst) insert(worst_, small, std::greater<double>());
}

std::vector<ShownImage> ShownImages::best() const {
    std::vector<ShownImage> list = best_;
    std::erase_if(list, [&](const ShownImage& image) {
        return std::any_of(worst_.begin(), worst_.end(), [&](const ShownImage& o) { return o.name == image.name; });
    });
    return list;
}

enum Error : uint8_t { right, hit_or_wrong, missed, false_alarm, not_counted };

data::Image error_map(const ShownImage& image, int64_t classes) {
    data::Image map = data::make_image<uint8_t>(image.truth.h, image.truth.w, 1);
    for (size_t i = 0; i < map.u8.size(); ++i) {
        const uint8_t truth = image.truth.u8[i], found = image.prediction.u8[i];
        if (truth == data::ignored_class)
            map.u8[i] = not_counted;
        else if (classes > 2)
            map.u8[i] = truth == found ? right : hit_or_wrong;
        else
            map.u8[i] = truth ? (found ? hit_or_wrong : missed) : (found ? false_alarm : right);
    }
    return map;
}

data::Palette error_palette(int64_t classes) {
    data::Palette palette(256, 0x171b22);
    palette[hit_or_wrong] = classes > 2 ? 0xff5d5d : 0x00c48c;
    palette[missed] = 0x3c8cff;
    palette[false_alarm] = 0xff6a13;
    palette[not_counted] = 0x8a8f98;
    return palette;
}

std::string png_uri(const data::Image& ids, const data::Palette& palette) {
    return "data:image/png;base64," + base64(data::encode_png(ids, palette));
}

std::string jpeg_uri(const data::Image& rgb) { return "data:image/jpeg;base64," + base64(data::encode_jpeg(rgb, 85)); }

}  // namespace atrous::report
