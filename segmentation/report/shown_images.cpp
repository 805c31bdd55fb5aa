#include "segmentation/report/shown_images.h"

#include <algorithm>
#include <cmath>

#include "base/base64.h"
#include "data/mask.h"
#include "data/palette.h"

namespace atrous::report {

void ShownImages::clear() {
    best_.clear();
    worst_.clear();
}

static double score_of(const ConfusionMatrix& counts) {
    return Metric::catalogue().at(counts.binary() ? "dice" : "miou").of_counts(counts);
}

ShownImage ShownImages::shown(const ImageResult& image) const {
    return {
        picture_of(image, content_of(image.batch, image.index), card_.normalization, picture_side, card_.label_form()),
        image.name(), image.loss, score_of(ConfusionMatrix(card_.classes(), image.counts, card_.label_form()))};
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

data::Image error_map(const ValidationPicture& image, int64_t classes) {
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
