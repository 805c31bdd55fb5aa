// Softmax losses. Pixels go in runs of a fixed size, turned so that a class is a row of neighbouring pixels: any number
// of classes then fills the vectors. Terms are summed in the arithmetic type over a run, in double over runs and over
// the parts of an image; all are fixed by the shape.
#include "kernels/softmax_loss.h"

#include <cmath>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace atrous::kernels::cpu {

namespace {

constexpr int64_t vector_lanes = 16, run_elements_wanted = 8192, part_runs = 16;

// Each image is cut into parts, parts into runs.
struct Runs {
    int64_t channels, classes, image_pixels, run_pixels, parts;

    explicit Runs(const View& z) : channels(z.c), classes(classes_of(z)), image_pixels(z.h * z.w) {
        run_pixels = std::clamp<int64_t>(run_elements_wanted / classes / vector_lanes, 2, 16) * vector_lanes;
        parts = ceil_div(image_pixels, run_pixels * part_runs);
    }
    // f(first pixel within the image, pixels) for each run of a part.
    template <class F>
    void each_run(int64_t part, F f) const {
        const int64_t begin = part * part_runs * run_pixels;
        const int64_t end = std::min(begin + part_runs * run_pixels, image_pixels);
        for (int64_t pixel = begin; pixel < end; pixel += run_pixels) f(pixel, std::min(run_pixels, end - pixel));
    }
};

template <class A>
A weight_of(const void* weights, int64_t c) {
    return weights ? static_cast<const A*>(weights)[c] : A(1);
}

// The buffers of one thread: a value of each pixel, and of each class and pixel.
template <class A>
struct Run {
    int64_t pixels_most, classes, offset;  // offset: classes without a logit, whose logit is 0
    A* p;                                  // [K][pixels]: logits, then exponentials, then probabilities
    A *largest, *others, *sum;             // largest logit; sum of exponentials of classes but the label's, and of all
    A *label_logit, *counted;
    A *slope, *mean;  // backward: see gradient_run
    A* below;         // label smoothing: sum of w[c] * (largest logit - logit)
    int32_t* labels;  // -1: does not count

    static int64_t values_of(const Runs& r) { return (r.classes + 8) * r.run_pixels; }
    Run(const Runs& r, A* values, int32_t* label_values, int thread)
        : pixels_most(r.run_pixels), classes(r.classes), offset(r.classes - r.channels) {
        p = values + thread * values_of(r);
        A* next = p + classes * pixels_most;
        for (A** array : {&largest, &others, &sum, &label_logit, &counted, &slope, &mean, &below})
            *array = next, next += pixels_most;
        labels = label_values + thread * pixels_most;
    }
    A* row(int64_t c) const { return p + c * pixels_most; }

    template <class T>
    void load_logits(const View& z, int64_t first_pixel, int64_t pixels) const {
        for (int64_t c = 0; c < offset; ++c) std::fill_n(row(c), pixels, A(0));
        for (int64_t c = offset; c < classes; ++c) {
            const T* from = z.as<const T>() + first_pixel * z.pitch + c - offset;
            const int64_t pitch = z.pitch;
            A* to = row(c);
#pragma omp simd
            for (int64_t i = 0; i < pixels; ++i) to[i] = load(from[i * pitch]);
        }
    }
    void load_labels(const uint8_t* from, int64_t pixels, int ignore_index) const {
        for (int64_t i = 0; i < pixels; ++i) {
            const int label = from[i];
            const int32_t id = offset ? label != 0 : label < classes ? label : -1;
            labels[i] = label == ignore_index ? -1 : id;
            counted[i] = labels[i] >= 0 ? A(1) : A(0);
            label_logit[i] = labels[i] >= 0 ? row(labels[i])[i] : A(0);
        }
    }
    void find_largest(int64_t pixels) const {
        std::copy_n(row(0), pixels, largest);
        for (int64_t c = 1; c < classes; ++c) {
            const A* z = row(c);
#pragma omp simd
            for (int64_t i = 0; i < pixels; ++i) largest[i] = z[i] > largest[i] ? z[i] : largest[i];
        }
    }
    void sum_below(const void* weights, int64_t pixels) const {
        std::fill_n(below, pixels, A(0));
        for (int64_t c = 0; c < classes; ++c) {
            const A *z = row(c), w = weight_of<A>(weights, c);
#pragma omp simd
            for (int64_t i = 0; i < pixels; ++i) below[i] += w * (largest[i] - z[i]);
        }
    }
    void softmax(int64_t pixels) const {
        std::fill_n(others, pixels, A(0));
        for (int64_t c = 0; c < classes; ++c) {
            A* e = row(c);
#pragma omp simd
            for (int64_t i = 0; i < pixels; ++i) {
                e[i] = vector_exp(e[i] - largest[i]);
                others[i] += labels[i] == c ? A(0) : e[i];
            }
        }
        for (int64_t i = 0; i < pixels; ++i) sum[i] = others[i] + (labels[i] < 0 ? A(0) : row(labels[i])[i]);
        for (int64_t c = 0; c < classes; ++c) {
            A* e = row(c);
#pragma omp simd
            for (int64_t i = 0; i < pixels; ++i) e[i] /= sum[i];
        }
    }
    // 1 - q and log q of a pixel that counts; small values keep their digits.
    A rest(int64_t i) const { return others[i] / sum[i]; }
    A log_q(int64_t i) const {
        const A label = sum[i] - others[i];
        return label > others[i] ? -std::log1p(others[i] / label) : label_logit[i] - largest[i] - std::log(sum[i]);
    }
};

template <class A>
A sum_of_weights(const void* weights, int64_t classes) {
    A sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += weight_of<A>(weights, c);
    return sum;
}

// What label smoothing adds: share * sum of w[c] * -log p[c] over the run's pixels that count, and (1 - e) of the rest.
template <class A>
struct Smoothing {
    A kept, share, all_weights;

    template <class Args>
    explicit Smoothing(const Args& a) : kept(A(1 - a.options.smoothing)) {
        const int64_t classes = classes_of(a.logits);
        share = A(a.options.smoothing / double(classes));
        all_weights = sum_of_weights<A>(a.class_weights, classes);
    }
    A loss(const Run<A>& run, int64_t i) const { return share * (run.below[i] + all_weights * std::log(run.sum[i])); }
};

// Totals of an image or of a part of it: ce, then TP and sum of p of each class; and its pixels by class.
struct Totals {
    double* sums;
    int64_t* counts;
};

template <class A>
void add_run(const SoftmaxLossForwardArgs& a, const Run<A>& run, int64_t pixels, const Totals& totals) {
    const Smoothing<A> smoothing(a);
    for (int64_t c = 0; c < run.classes; ++c) {
        const A *p = run.row(c), *counted = run.counted;
        A sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < pixels; ++i) sum += counted[i] > 0 ? p[i] : A(0);
        totals.sums[2 + 2 * c] += double(sum);
    }
    for (int64_t i = 0; i < pixels; ++i) {
        const int32_t label = run.labels[i];
        if (label < 0) continue;
        const A focus = a.options.gamma > 0 ? std::pow(run.rest(i), A(a.options.gamma)) : smoothing.kept;
        totals.sums[0] -= double(weight_of<A>(a.class_weights, label) * focus * run.log_q(i));
        if (smoothing.share > 0) totals.sums[0] += double(smoothing.loss(run, i));
        totals.sums[1 + 2 * label] += double(run.row(label)[i]);
        totals.counts[label] += 1;
    }
}

struct Group {
    double tp = 0, p = 0, t = 0;
};

// The sums of each region group, and what the loss divides by.
struct Groups {
    DiceGroups kind;
    int64_t first, classes, count;
    double ce = 0, counted = 0, weight = 0;
    Group* groups;

    template <class A, class Args>
    Groups(Queue& q, const Args& a, const A*) : kind(a.options.groups), first(first_class(a.logits, a.options)) {
        const View& z = a.logits;
        classes = classes_of(z);
        count = region_groups(z, a.options);
        groups = q.scratch<Group>(count);
        std::fill_n(groups, count, Group{});
        for (int64_t n = 0; n < z.n; ++n) {
            const A* sums = static_cast<const A*>(a.sums) + n * softmax_loss_sums(z);
            const int64_t* counts = a.counts + n * classes;
            ce += double(sums[0]);
            for (int64_t c = 0; c < classes; ++c) {
                counted += double(counts[c]), weight += double(counts[c]) * weight_of<A>(a.class_weights, c);
                if (c < first) continue;
                Group& g = groups[index(n, c)];
                g.tp += double(sums[1 + 2 * c]), g.p += double(sums[2 + 2 * c]), g.t += double(counts[c]);
            }
        }
        weight = divisor_of(a.options, weight);
    }
    int64_t index(int64_t n, int64_t c) const { return group_of(kind, n, c - first, classes - first); }
};

struct Index {
    double numerator, denominator;
    Index(const Group& g, const SoftmaxLossOptions& o)
        : numerator(2 * g.tp + o.smooth),
          denominator(2 * g.tp + 2 * o.alpha * (g.p - g.tp) + 2 * o.beta * (g.t - g.tp) + o.smooth) {}
    double value() const { return denominator > 0 ? numerator / denominator : 1; }
};

template <class A>
void write_loss(const SoftmaxLossOptions& o, const Groups& groups, A* loss) {
    double index = 0, region = 0;
    for (int64_t g = 0; g < groups.count; ++g) {
        const double value = Index(groups.groups[g], o).value();
        index += value;
        region += std::pow(std::max(1 - value, 0.0), o.exponent);
    }
    index /= double(groups.count), region /= double(groups.count);
    const double ce = groups.counted > 0 && groups.weight > 0 ? groups.ce / groups.weight : 0;
    loss[0] = A(o.ce_weight * ce + o.region_weight * region);
    loss[1] = A(ce), loss[2] = A(index), loss[3] = A(groups.counted);
}

template <class T>
void forward(Queue& q, const SoftmaxLossForwardArgs& a) {
    using A = accumulator_t<T>;
    const View& z = a.logits;
    const Runs runs(z);
    const int64_t sums = softmax_loss_sums(z), classes = runs.classes, parts = z.n * runs.parts;
    double* part_sums = q.scratch<double>(size_t(parts * sums));
    int64_t* part_counts = q.scratch<int64_t>(size_t(parts * classes));
    A* values = q.scratch<A>(size_t(q.threads() * Run<A>::values_of(runs)));
    int32_t* labels = q.scratch<int32_t>(size_t(q.threads() * runs.run_pixels));
    std::fill_n(part_sums, parts * sums, 0.0);
    std::fill_n(part_counts, parts * classes, int64_t(0));
    parallel_ranges(q, parts, z.pixels() * classes, [&](int64_t begin, int64_t end, int thread) {
        const Run<A> run(runs, values, labels, thread);
        for (int64_t part = begin; part < end; ++part)
            runs.each_run(part % runs.parts, [&](int64_t pixel, int64_t pixels) {
                const int64_t first = part / runs.parts * runs.image_pixels + pixel;
                run.template load_logits<T>(z, first, pixels);
                run.load_labels(a.labels + first, pixels, a.options.ignore_index);
                run.find_largest(pixels);
                if (a.options.smoothing > 0) run.sum_below(a.class_weights, pixels);
                run.softmax(pixels);
                add_run(a, run, pixels, {part_sums + part * sums, part_counts + part * classes});
            });
    });
    for (int64_t n = 0; n < z.n; ++n) {
        for (int64_t i = 0; i < sums; ++i) {
            double sum = 0;
            for (int64_t part = 0; part < runs.parts; ++part) sum += part_sums[(n * runs.parts + part) * sums + i];
            static_cast<A*>(a.sums)[n * sums + i] = A(sum);
        }
        for (int64_t c = 0; c < classes; ++c) {
            int64_t& count = a.counts[n * classes + c] = 0;
            for (int64_t part = 0; part < runs.parts; ++part)
                count += part_counts[(n * runs.parts + part) * classes + c];
        }
    }
    write_loss(a.options, Groups(q, a, static_cast<const A*>(nullptr)), static_cast<A*>(a.loss));
}

// --- backward

// d(loss)/d(z[c]) = p[c] * (slope + outside[c] - mean), and for the label's class p * (outside + extra - mean) - slope
// * (1 - p), where slope is the cross-entropy's, outside and extra are the region's (of an image's pixels not of class
// c; what is added for those that are), mean = sum of p[c] * (outside[c] + extra[label]).
template <class A>
struct Coefficients {
    double ce;
    A *outside, *extra;  // [N][K]

    Coefficients(Queue& q, const SoftmaxLossBackwardArgs& a) {
        const SoftmaxLossOptions& o = a.options;
        const int64_t classes = classes_of(a.logits), count = a.logits.n * classes;
        const Groups groups(q, a, static_cast<const A*>(nullptr));
        const double grad_output = double(*static_cast<const A*>(a.grad_output));
        ce = groups.weight > 0 ? grad_output * o.ce_weight / groups.weight : 0;
        outside = q.scratch<A>(size_t(count)), extra = q.scratch<A>(size_t(count));
        for (int64_t i = 0; i < count; ++i) {
            const int64_t n = i / classes, c = i % classes;
            outside[i] = extra[i] = 0;
            if (c < groups.first) continue;
            const Index g(groups.groups[groups.index(n, c)], o);
            if (!(g.denominator > 0)) continue;
            const double share = grad_output * o.region_weight / double(groups.count) * o.exponent *
                                 std::pow(std::max(1 - g.value(), 1e-6), o.exponent - 1) / g.denominator;
            outside[i] = A(share * 2 * o.alpha * g.value());
            extra[i] = A(-2 * share * (1 - (1 - o.alpha - o.beta) * g.value()));
        }
    }
};

// d(ce of the pixel)/d(log q), negated, without the divisor.
template <class A>
A focal_slope(const Run<A>& run, int64_t i, A gamma) {
    if (!(gamma > 0)) return 1;
    const A rest = std::max(run.rest(i), A(1e-30)), focus = std::pow(rest, gamma - 1);
    return focus * (rest - gamma * run.row(run.labels[i])[i] * run.log_q(i));
}

template <class A>
void gradient_run(const SoftmaxLossBackwardArgs& a, const Run<A>& run, int64_t pixels, double ce, const A* outside,
                  const A* extra) {
    std::fill_n(run.mean, pixels, A(0));
    for (int64_t c = 0; c < run.classes; ++c) {
        const A* p = run.row(c);
#pragma omp simd
        for (int64_t i = 0; i < pixels; ++i) run.mean[i] += p[i] * outside[c];
    }
    for (int64_t i = 0; i < pixels; ++i) {
        const int32_t label = run.labels[i];
        if (label < 0) continue;
        run.mean[i] += run.row(label)[i] * extra[label];
        run.slope[i] = A(ce * weight_of<A>(a.class_weights, label) * focal_slope(run, i, A(a.options.gamma)));
    }
    const Smoothing<A> smoothing(a);
    const A share = A(ce) * smoothing.share;  // 0 without smoothing
    for (int64_t i = 0; i < pixels; ++i) {    // of the label's class, kept where its logit was
        const int32_t c = run.labels[i];
        if (c < 0) continue;
        const A region = outside[c] + extra[c] - run.mean[i];
        run.slope[i] *= smoothing.kept;
        run.label_logit[i] = run.row(c)[i] * region - run.slope[i] * run.rest(i);
        if (share == 0) continue;
        run.label_logit[i] += share * (smoothing.all_weights * run.row(c)[i] - weight_of<A>(a.class_weights, c));
        run.slope[i] += share * smoothing.all_weights;
    }
    for (int64_t c = run.offset; c < run.classes; ++c) {
        A* p = run.row(c);
#pragma omp simd
        for (int64_t i = 0; i < pixels; ++i)
            p[i] = run.counted[i] > 0 ? p[i] * (run.slope[i] + (outside[c] - run.mean[i])) : A(0);
        if (share == 0) continue;
        const A least = share * weight_of<A>(a.class_weights, c);
        for (int64_t i = 0; i < pixels; ++i) p[i] -= run.counted[i] > 0 ? least : A(0);
    }
    for (int64_t i = 0; i < pixels; ++i)
        if (run.labels[i] >= 0) run.row(run.labels[i])[i] = run.label_logit[i];
}

template <class T, class A>
void store_gradients(const Run<A>& run, const GradTarget& into, int64_t first_pixel, int64_t pixels) {
    const int64_t pitch = into.view.pitch;
    with_flag(into.accumulate, [&](auto accumulate) {
        const int64_t channels = run.classes - run.offset, step = run.pixels_most;
        for (int64_t i = 0; i < pixels; ++i) {
            const A* from = run.row(run.offset) + i;
            T* to = into.view.as<T>() + (first_pixel + i) * pitch;
#pragma omp simd
            for (int64_t c = 0; c < channels; ++c) put<accumulate>(to[c], from[c * step]);
        }
    });
}

template <class T>
void backward(Queue& q, const SoftmaxLossBackwardArgs& a) {
    using A = accumulator_t<T>;
    const View& z = a.logits;
    const Runs runs(z);
    const Coefficients<A> k(q, a);
    A* values = q.scratch<A>(size_t(q.threads() * Run<A>::values_of(runs)));
    int32_t* labels = q.scratch<int32_t>(size_t(q.threads() * runs.run_pixels));
    parallel_ranges(q, z.n * runs.parts, z.pixels() * runs.classes, [&](int64_t begin, int64_t end, int thread) {
        const Run<A> run(runs, values, labels, thread);
        std::fill_n(run.slope, run.pixels_most, A(0));  // pixels that do not count leave theirs alone
        for (int64_t part = begin; part < end; ++part)
            runs.each_run(part % runs.parts, [&](int64_t pixel, int64_t pixels) {
                const int64_t image = part / runs.parts, first = image * runs.image_pixels + pixel;
                run.template load_logits<T>(z, first, pixels);
                run.load_labels(a.labels + first, pixels, a.options.ignore_index);
                run.find_largest(pixels);
                run.softmax(pixels);
                gradient_run(a, run, pixels, k.ce, k.outside + image * runs.classes, k.extra + image * runs.classes);
                store_gradients<T>(run, a.dlogits, first, pixels);
            });
    });
}

}  // namespace

void softmax_loss_forward(Queue& q, const SoftmaxLossForwardArgs& a) {
    check(a);
    ran("softmax_loss_forward/omp");
    dispatch_cpu("softmax_loss_forward", a.logits.dtype, [&](auto zero) { forward<decltype(zero)>(q, a); });
}

void softmax_loss_backward(Queue& q, const SoftmaxLossBackwardArgs& a) {
    check(a);
    ran("softmax_loss_backward/omp");
    dispatch_cpu("softmax_loss_backward", a.logits.dtype, [&](auto zero) { backward<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
