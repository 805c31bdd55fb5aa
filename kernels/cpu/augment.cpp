// Augmented images. Threads share rows; sums are of integers, so that they do not depend on the threads.
#include "kernels/augment.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/augmented_pixel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

// The bytes and labels of one row, and the sum of the colours within the crop.
int64_t resample_row(const AugmentArgs& a, int64_t row, uint8_t* bytes) {
    const AugmentedSample& s = a.samples[row / a.y.h];
    const ResizedImage image{s, a.sources + s.image, a.filters, int32_t(a.y.c)};
    const ResizedLabels ids{s, a.source_labels + s.labels, a.filters};
    const auto y = int32_t(row % a.y.h), channels = int32_t(a.y.c), colours = colours_of(a.y.c);
    uint8_t* labels = a.labels + row * a.y.w;
    int64_t sum = 0;
    for (int32_t x = 0; x < a.y.w; ++x, bytes += channels) {
        const Origin origin = origin_of(s, y, x);
        if (origin.area == Area::image) {
            const Reading reading = reading_of(s, origin.at);
            labels[x] = ids.at(reading.label);
            for (int32_t c = 0; c < channels; ++c) bytes[c] = read(image, reading, c);
        } else {
            labels[x] = uint8_t(a.ignored);
            for (int32_t c = 0; c < channels; ++c) bytes[c] = s.fill[c];
        }
        for (int32_t c = 0; c < colours && origin.area != Area::beyond; ++c) sum += bytes[c];
    }
    return sum;
}

// What every byte of an image becomes, [C][256], within the crop.
void levels_of_image(const AugmentArgs& a, int64_t n, const int64_t* row_sums, float* levels) {
    const AugmentedSample& s = a.samples[n];
    const int32_t colours = colours_of(a.y.c);
    int64_t sum = 0;
    for (int64_t y = 0; y < a.y.h; ++y) sum += row_sums[n * a.y.h + y];
    for (int32_t c = 0; c < a.y.c; ++c)
        for (int32_t v = 0; v < byte_levels; ++v) {
            const int32_t changed = s.coloured && c < colours ? changed_byte(s, sum, colours, v) : v;
            levels[c * byte_levels + v] = a.levels[c % a.kinds * byte_levels + changed];
        }
}

template <class T>
void normalize_row(const AugmentArgs& a, int64_t row, const uint8_t* bytes, const float* levels) {
    const AugmentedSample& s = a.samples[row / a.y.h];
    T* out = a.y.as<T>() + row * a.y.w * a.y.c;
    for (int64_t x = 0; x < a.y.w; ++x)
        for (int64_t c = 0; c < a.y.c; ++c) {
            const bool within = row % a.y.h < s.crop_h && x < s.crop_w;
            const float* table = within ? levels + c * byte_levels : a.levels + c % a.kinds * byte_levels;
            *out++ = narrow<T>(table[*bytes++]);
        }
}

}  // namespace

void augment(Queue& q, const AugmentArgs& a) {
    check(a);
    ran("augment/omp");
    const int64_t rows = a.y.n * a.y.h, row_bytes = a.y.w * a.y.c, table = a.y.c * byte_levels;
    auto* bytes = q.scratch<uint8_t>(size_t(rows * row_bytes));
    auto* sums = q.scratch<int64_t>(size_t(rows));
    auto* levels = q.scratch<float>(size_t(a.y.n * table));
    if (q.is_dry_run()) return;
    parallel_each(q, rows, 16 * a.y.count(),
                  [&](int64_t row) { sums[row] = resample_row(a, row, bytes + row * row_bytes); });
    for (int64_t n = 0; n < a.y.n; ++n) levels_of_image(a, n, sums, levels + n * table);
    dispatch_cpu("augment", a.y.dtype, [&](auto zero) {
        parallel_each(q, rows, a.y.count(), [&](int64_t row) {
            normalize_row<decltype(zero)>(a, row, bytes + row * row_bytes, levels + row / a.y.h * table);
        });
    });
}

}  // namespace atrous::kernels::cpu
