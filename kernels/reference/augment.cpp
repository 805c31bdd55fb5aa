// Augmented images pixel by pixel.
#include "kernels/augment.h"

#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/augmented_pixel.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

// The bytes of image `n`, the labels, and the sum of the colours within the crop.
int64_t resample(const AugmentArgs& a, int64_t n, std::vector<uint8_t>& bytes) {
    const AugmentedSample& s = a.samples[n];
    const ResizedImage image{s, a.sources + s.image, a.filters, int32_t(a.y.c)};
    const ResizedLabels labels{s, a.source_labels + s.labels, a.filters};
    int64_t sum = 0;
    for (int64_t i = 0; i < a.y.h * a.y.w; ++i) {
        const Origin origin = origin_of(s, int32_t(i / a.y.w), int32_t(i % a.y.w));
        const bool seen = origin.area == Area::image;
        a.labels[n * a.y.h * a.y.w + i] = seen ? labels.at(reading_of(s, origin.at).label) : uint8_t(a.ignored);
        for (int32_t c = 0; c < a.y.c; ++c) {
            const uint8_t v = seen ? read(image, reading_of(s, origin.at), c) : s.fill[c];
            bytes[size_t(i * a.y.c + c)] = v;
            if (c < colours_of(a.y.c) && origin.area != Area::beyond) sum += v;
        }
    }
    return sum;
}

}  // namespace

void augment(Queue&, const AugmentArgs& a) {
    check(a);
    ran("augment/reference");
    std::vector<uint8_t> bytes(size_t(a.y.h * a.y.w * a.y.c));
    for (int64_t n = 0; n < a.y.n; ++n) {
        const AugmentedSample& s = a.samples[n];
        const int64_t sum = resample(a, n, bytes);
        dispatch_exact("augment", a.y.dtype, [&](auto zero) {
            using T = decltype(zero);
            for (int64_t i = 0; i < a.y.h * a.y.w; ++i)
                for (int64_t c = 0; c < a.y.c; ++c) {
                    int32_t v = bytes[size_t(i * a.y.c + c)];
                    const bool changes = s.coloured && i / a.y.w < s.crop_h && i % a.y.w < s.crop_w;
                    if (changes && c < colours_of(a.y.c)) v = changed_byte(s, sum, colours_of(a.y.c), v);
                    at<T>(a.y, n * a.y.h * a.y.w + i, c) = T(a.levels[c % a.kinds * byte_levels + v]);
                }
        });
    }
}

}  // namespace atrous::kernels::reference
