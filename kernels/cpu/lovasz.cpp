// Lovász losses. Errors are computed pixel by pixel into the slopes' memory; then each segment is sorted by one thread.
// With fewer segments than threads the others wait.
#include "kernels/lovasz.h"

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/radix_sort.h"
#include "kernels/cpu/softmax.h"

namespace atrous::kernels::cpu {

namespace {

// Of every class at the pixels [begin, end); 0 where a pixel does not count.
template <class T, class A>
void write_errors(const LovaszForwardArgs& a, int64_t begin, int64_t end, A* p, A* errors) {
    const View& z = a.logits;
    for (int64_t pixel = begin; pixel < end; ++pixel) {
        const int id = class_of(a.labels[pixel], z.c, a.options.ignore_index);
        const T* const logits = z.as<const T>() + pixel * z.pitch;
        if (id >= 0 && z.c > 1) probabilities(logits, z.c, p);
        for (int64_t c = 0; c < z.c; ++c) {
            A error = 0;
            if (id >= 0 && z.c == 1)
                error = 1 - (id == 1 ? A(load(logits[0])) : -A(load(logits[0])));
            else if (id >= 0)
                error = id == c ? all_but(p, z.c, c) : p[c];
            errors[c * z.pixels() + pixel] = error <= 0 ? A(0) : error;  // NaN stays
        }
    }
}

// How many classes of each image are averaged, and pixels of each segment.
struct Counts {
    int64_t *of_segment, *classes, counted = 0;

    Counts(Queue& q, const LovaszForwardArgs& a, const LovaszSegments& segments)
        : of_segment(q.scratch<int64_t>(size_t(segments.count))), classes(q.scratch<int64_t>(size_t(segments.images))) {
        if (q.is_dry_run()) return;
        const int64_t channels = a.logits.c;
        std::fill_n(of_segment, segments.count, int64_t(0));
        for (int64_t n = 0; n < segments.images; ++n) {
            int64_t here = 0;
            for (int64_t i = n * segments.length; i < (n + 1) * segments.length; ++i) {
                const int id = class_of(a.labels[i], channels, a.options.ignore_index);
                here += id >= 0;
                if (id >= 0 && (channels > 1 || id == 1)) ++of_segment[(channels > 1 ? id : 0) * segments.images + n];
            }
            classes[n] = channels;
            if (channels > 1 && a.options.classes == LovaszClasses::present) {
                classes[n] = 0;
                for (int64_t c = 0; c < channels; ++c) classes[n] += of_segment[c * segments.images + n] > 0;
            }
            if (here == 0) classes[n] = 0;
            counted += here;
        }
    }
    double share(const LovaszForwardArgs& a, const LovaszSegments& segments, int64_t segment) const {
        const int64_t n = segment % segments.images;
        const bool by_presence = a.logits.c > 1 && a.options.classes == LovaszClasses::present;
        if (classes[n] == 0 || (by_presence && of_segment[segment] == 0)) return 0;
        return 1 / double(classes[n]) / double(segments.images);
    }
};

// Sorts a segment's errors and puts slopes in their place. Returns the segment's loss.
template <class A>
double sort_segment(const LovaszForwardArgs& a, const LovaszSegments& segments, int64_t segment, double share,
                    double pixels_of_class, Keyed<ordered_bits_t<A>>* items, A* errors) {
    using Bits = ordered_bits_t<A>;
    const int64_t c = segment / segments.images, first = segment % segments.images * segments.length;
    A* const values = errors + segment * segments.length;
    for (int64_t i = 0; i < segments.length; ++i) items[i] = {Bits(~ordered_bits(values[i])), uint32_t(i)};
    const Keyed<Bits>* const sorted = radix_sort(items, items + segments.length, segments.length);
    double rest = pixels_of_class, together = pixels_of_class, loss = 0;  // intersection and union behind those passed
    for (int64_t i = 0; i < segments.length; ++i) {
        const int64_t at = sorted[i].value;
        const int id = class_of(a.labels[first + at], a.logits.c, a.options.ignore_index);
        A& value = values[at];
        if (value == 0) break;  // all that follow are 0, those that do not count among them
        const bool of_class = a.logits.c == 1 ? id == 1 : id == c;
        // What the Jaccard loss grows by, without the difference of two that are nearly equal.
        const double growth = of_class ? 1 / together : together == 0 ? 1 : rest / (together * (together + 1));
        of_class ? --rest : ++together;
        loss += share * double(value) * growth;
        value = A(of_class ? -share * growth : share * growth);
    }
    return loss;
}

template <class T>
void forward(Queue& q, const LovaszForwardArgs& a) {
    using A = accumulator_t<T>;
    const View& z = a.logits;
    const LovaszSegments segments(z, a.options);
    const int64_t threads = std::min<int64_t>(q.threads(), segments.count);
    A* const p = q.scratch<A>(size_t(q.threads() * z.c));
    auto* const items = q.scratch<Keyed<ordered_bits_t<A>>>(size_t(2 * threads * segments.length));
    double* const losses = q.scratch<double>(size_t(segments.count));
    const Counts counts(q, a, segments);
    if (q.is_dry_run()) return;
    A* const errors = static_cast<A*>(a.slopes);
    parallel_ranges(q, z.pixels(), z.count(), [&](int64_t begin, int64_t end, int thread) {
        write_errors<T>(a, begin, end, p + thread * z.c, errors);
    });
    parallel_ranges(q, segments.count, z.count(), [&](int64_t begin, int64_t end, int thread) {
        for (int64_t s = begin; s < end; ++s)
            losses[s] = sort_segment(a, segments, s, counts.share(a, segments, s), double(counts.of_segment[s]),
                                     items + 2 * thread * segments.length, errors);
    });
    double loss = 0;
    for (int64_t s = 0; s < segments.count; ++s) loss += losses[s];
    A* const out = static_cast<A*>(a.loss);
    out[0] = A(a.options.weight * loss), out[1] = A(loss), out[2] = A(counts.counted);
}

}  // namespace

void lovasz_forward(Queue& q, const LovaszForwardArgs& a) {
    check(a);
    ran("lovasz_forward/omp");
    dispatch_cpu("lovasz_forward", a.logits.dtype, [&](auto zero) { forward<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
