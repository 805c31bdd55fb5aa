// The Lovász loss by its definition: errors are sorted, Jaccard losses of all prefixes are computed and subtracted.
#include "kernels/lovasz.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/softmax.h"

namespace atrous::kernels::reference {

namespace {

struct Error {
    double value;
    int64_t pixel;
    bool of_class;
};

// The pixels that count, of one class and of images [first, last).
template <class T>
std::vector<Error> errors_of(const LovaszForwardArgs& a, int64_t c, int64_t begin, int64_t end) {
    const View& z = a.logits;
    std::vector<Error> errors;
    for (int64_t pixel = begin; pixel < end; ++pixel) {
        const int64_t id = class_of(a.labels[pixel], z.c, a.options.ignore_index);
        if (id < 0) continue;
        if (z.c == 1) {
            const double y = id == 1 ? 1 : -1;
            const double error = 1 - y * double(at<T>(z, pixel, 0));
            errors.push_back({error <= 0 ? 0 : error, pixel, id == 1});  // NaN stays
        } else {
            const std::vector<double> p = probabilities<T>(z, pixel);
            errors.push_back({id == c ? all_but(p, c) : p[c], pixel, id == c});
        }
    }
    std::stable_sort(errors.begin(), errors.end(), [](const Error& x, const Error& y) {
        return std::isnan(x.value) ? !std::isnan(y.value) : x.value > y.value;
    });
    return errors;
}

template <class T>
void forward(const LovaszForwardArgs& a) {
    const View& z = a.logits;
    const LovaszSegments segments(z, a.options);
    T* const slopes = static_cast<T*>(a.slopes);
    std::fill_n(slopes, z.count(), T(0));
    double loss = 0;
    int64_t counted = 0;
    for (int64_t n = 0; n < segments.images; ++n) {
        std::vector<std::vector<Error>> classes;
        for (int64_t c = 0; c < z.c; ++c) {
            classes.push_back(errors_of<T>(a, c, n * segments.length, (n + 1) * segments.length));
            if (c == 0) counted += int64_t(classes[0].size());
        }
        const auto pixels_of = [](const std::vector<Error>& errors) {
            return std::count_if(errors.begin(), errors.end(), [](const Error& e) { return e.of_class; });
        };
        const auto counts = [&](const std::vector<Error>& errors) {
            return !errors.empty() && (z.c == 1 || a.options.classes == LovaszClasses::all || pixels_of(errors) > 0);
        };
        const auto classes_counted = std::count_if(classes.begin(), classes.end(), counts);
        for (int64_t c = 0; c < z.c; ++c) {
            if (!counts(classes[c])) continue;
            const double share = 1 / double(classes_counted) / double(segments.images);
            const double all = double(pixels_of(classes[c]));
            double before = 0, i = 0, t = 0;
            for (const Error& e : classes[c]) {
                i += 1, t += e.of_class;
                const double jaccard = 1 - (all - t) / (all + i - t);
                loss += share * e.value * (jaccard - before);
                if (e.value != 0)
                    slopes[c * z.pixels() + e.pixel] = T(share * (jaccard - before) * (e.of_class ? -1 : 1));
                before = jaccard;
            }
        }
    }
    T* const out = static_cast<T*>(a.loss);
    out[0] = T(a.options.weight * loss), out[1] = T(loss), out[2] = T(counted);
}

}  // namespace

void lovasz_forward(Queue&, const LovaszForwardArgs& a) {
    check(a);
    ran("lovasz_forward/reference");
    dispatch_exact("lovasz_forward", a.logits.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
