// The boundary loss by its definition; a distance is the least over columns of what is the least within a column.
#include "kernels/boundary.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/softmax.h"

namespace atrous::kernels::reference {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Of each pixel of an image to the nearest one in `set`; infinity where there is none.
std::vector<double> distances(const std::vector<bool>& set, int64_t h, int64_t w) {
    std::vector<double> in_column(set.size(), infinity), squares(set.size(), infinity);
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x)
            for (int64_t other = 0; other < h; ++other)
                if (set[other * w + x])
                    in_column[y * w + x] = std::min(in_column[y * w + x], double(std::abs(y - other)));
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x)
            for (int64_t other = 0; other < w; ++other) {
                const double dx = double(x - other), dy = in_column[y * w + other];
                squares[y * w + x] = std::min(squares[y * w + x], dx * dx + dy * dy);
            }
    for (double& d : squares) d = std::sqrt(d);
    return squares;
}

// Of the class whose pixels have the id; `ids` are -1 where a pixel does not count.
std::vector<double> signed_distances(const std::vector<int64_t>& ids, int64_t id, int64_t h, int64_t w) {
    std::vector<bool> inside, outside;
    for (const int64_t other : ids) inside.push_back(other == id), outside.push_back(other >= 0 && other != id);
    const std::vector<double> to_class = distances(inside, h, w), to_others = distances(outside, h, w);
    std::vector<double> all(ids.size());
    if (std::isinf(to_class[0]) || std::isinf(to_others[0])) return all;
    for (size_t i = 0; i < ids.size(); ++i) all[i] = inside[i] ? 1 - to_others[i] : to_class[i];
    return all;
}

template <class T>
void forward(const BoundaryForwardArgs& a) {
    const View& z = a.logits;
    const BoundaryClasses classes(z, a.options);
    const int64_t image_pixels = z.h * z.w;
    T* const slopes = static_cast<T*>(a.slopes);
    std::fill_n(slopes, z.count(), T(0));
    std::vector<int64_t> ids(z.pixels());
    double counted = 0, sum = 0;
    for (int64_t i = 0; i < z.pixels(); ++i) {
        ids[i] = class_of(a.labels[i], z.c, a.options.ignore_index);
        counted += ids[i] >= 0;
    }
    for (int64_t n = 0; n < z.n; ++n) {
        const auto first = ids.begin() + n * image_pixels;
        const std::vector<int64_t> of_image(first, first + image_pixels);
        for (int64_t c = classes.first; c < z.c; ++c) {
            const std::vector<double> distance = signed_distances(of_image, z.c == 1 ? 1 : c, z.h, z.w);
            for (int64_t i = 0; i < image_pixels; ++i) {
                if (of_image[i] < 0) continue;
                const int64_t pixel = n * image_pixels + i;
                const double p = probabilities<T>(z, pixel)[c], share = distance[i] / (counted * double(classes.count));
                sum += p * share;
                // Of the sigmoid 1 - p is that of -z, whose digits stay.
                const double slope = z.c == 1 ? p / (1 + std::exp(double(at<T>(z, pixel, 0)))) : 1;
                slopes[c * z.pixels() + pixel] = T(share * slope);
            }
        }
    }
    T* const out = static_cast<T*>(a.loss);
    out[0] = T(a.options.weight * sum), out[1] = T(sum), out[2] = T(counted);
}

}  // namespace

void boundary_forward(Queue&, const BoundaryForwardArgs& a) {
    check(a);
    ran("boundary_forward/reference");
    dispatch_exact("boundary_forward", a.logits.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
