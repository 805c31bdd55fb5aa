// Binary cross-entropy and soft Dice. Pixels go in runs of a fixed size: labels are spread to elements, exp and log are
// evaluated over the flat run, and terms are summed in lanes (float over a short run, then double), a lane being one
// channel of one of a few neighbouring pixels, so that any number of channels fills the vectors.
#include "kernels/loss.h"

#include <cmath>
#include <numeric>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace atrous::kernels::cpu {

namespace {

constexpr int64_t lanes_wanted = 64, vector_lanes = 16, run_elements_wanted = 4096, part_runs = 16;

// Each image is cut into parts, parts into runs, runs into rows of `lanes` elements.
struct Runs {
    int64_t channels, image_pixels, row_pixels, lanes, run_pixels, parts;

    explicit Runs(const View& z) : channels(z.c), image_pixels(z.h * z.w) {
        const int64_t aligned = vector_lanes / std::gcd(z.c, vector_lanes);  // pixels that fill whole vectors
        row_pixels = aligned * std::max<int64_t>(1, lanes_wanted / (aligned * z.c));
        lanes = row_pixels * z.c;
        run_pixels = row_pixels * std::clamp<int64_t>(run_elements_wanted / lanes, 1, 16);
        parts = ceil_div(image_pixels, run_pixels * part_runs);
    }
    int64_t run_elements() const { return run_pixels * channels; }
    // f(first pixel within the image, pixels) for each run of a part.
    template <class F>
    void each_run(int64_t part, F f) const {
        const int64_t begin = part * part_runs * run_pixels;
        const int64_t end = std::min(begin + part_runs * run_pixels, image_pixels);
        for (int64_t pixel = begin; pixel < end; pixel += run_pixels) f(pixel, std::min(run_pixels, end - pixel));
    }
};

// Targets of a run: 1, 0, or `ignored`; in the arithmetic type, so that loops hold elements of one size.
constexpr int ignored = -1;

template <class A>
void spread_bits(const uint8_t* labels, int64_t pixels, int64_t channels, int ignore_index, A* targets) {
    for (int64_t i = 0; i < pixels; ++i, targets += channels)
        for (int64_t c = 0; c < channels; ++c) targets[c] = A(labels[i] == ignore_index ? ignored : labels[i] >> c & 1);
}

template <class A>
void spread_targets(const uint8_t* labels, int64_t pixels, int64_t channels, const BceDiceOptions& o, A* targets) {
    const int ignore_index = o.ignore_index;
    if (o.labels == LabelForm::bits) return spread_bits(labels, pixels, channels, ignore_index, targets);
    if (channels == 1) {
#pragma omp simd
        for (int64_t i = 0; i < pixels; ++i) targets[i] = A(labels[i] == ignore_index ? ignored : int(labels[i] != 0));
        return;
    }
    for (int64_t i = 0; i < pixels; ++i, targets += channels) {
        const int label = labels[i];
        const A background = A(label == ignore_index ? ignored : 0);
        for (int64_t c = 0; c < channels; ++c) targets[c] = background;
        if (label != ignore_index && label < channels) targets[label] = 1;
    }
}

// The run's logits, contiguous, in the arithmetic type.
template <class T, class A>
void load_logits(const View& z, int64_t first_pixel, int64_t pixels, A* to) {
    const T* from = z.as<const T>() + first_pixel * z.pitch;
    if (z.dense()) {
        for (int64_t i = 0; i < pixels * z.c; ++i) to[i] = load(from[i]);
        return;
    }
    for (int64_t i = 0; i < pixels; ++i, from += z.pitch, to += z.c)
        for (int64_t c = 0; c < z.c; ++c) to[c] = load(from[c]);
}

template <class A>
struct Run {  // buffers of one thread
    A *z, *targets, *bce, *p, *lane_sums;
    double* totals;

    Run(A* values, double* d, const Runs& r, int thread) {
        const int64_t elements = r.run_elements();
        z = values + thread * values_of(r), targets = z + elements, bce = targets + elements, p = bce + elements;
        lane_sums = p + elements;
        totals = d + thread * r.lanes * bce_dice_sums;
    }
    static int64_t values_of(const Runs& r) { return 4 * r.run_elements() + bce_dice_sums * r.lanes; }
};

// bce and p of each element, 0 where it does not count.
template <class A>
void evaluate(const A* z, const A* targets, A* bce, A* p, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const A x = z[i], t = targets[i];
        const A e = vector_exp(x > 0 ? -x : x), r = 1 / (1 + e);
        const A term = (x < 0 ? A(0) : x) - x * t + vector_log1p(e);
        bce[i] = t < 0 ? A(0) : term;
        p[i] = t < 0 ? A(0) : x > 0 ? r : e * r;
    }
}

// bce with smoothed labels or weights of its own.
template <class A>
void weigh(const BceFactors& f, const A* z, const A* targets, A* bce, int64_t count) {
    const A positive[2] = {A(f.positive[0]), A(f.positive[1])}, negative[2] = {A(f.negative[0]), A(f.negative[1])};
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const A x = z[i], t = targets[i];
        const A rest = vector_log1p(vector_exp(x > 0 ? -x : x));
        const A up = t > 0 ? positive[1] : positive[0], down = t > 0 ? negative[1] : negative[0];
        const A term = up * ((x < 0 ? -x : A(0)) + rest) + down * ((x < 0 ? A(0) : x) + rest);
        bce[i] = t < 0 ? A(0) : term;
    }
}

// The focal loss in bce's place. With x = z where t is 1, else -z: log q = min(x, 0) - rest, log(1 - q) = -max(x, 0) - rest.
template <class A>
void focus(A gamma, const A* z, const A* targets, A* bce, int64_t count) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
        const A t = targets[i], x = t > 0 ? z[i] : -z[i];
        const A rest = vector_log1p(vector_exp(x > 0 ? -x : x)), above = x > 0 ? x : A(0), below = x > 0 ? A(0) : -x;
        const A term = vector_exp(-gamma * (above + rest)) * (below + rest);
        bce[i] = t < 0 ? A(0) : term;
    }
}

// sums[k * lanes + lane] += the five terms of a row.
template <class A>
void add_row(const A* bce, const A* p, const A* targets, A* sums, int64_t lanes, int64_t width) {
    A *s0 = sums, *s1 = s0 + lanes, *s2 = s1 + lanes, *s3 = s2 + lanes, *s4 = s3 + lanes;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
        const A t = targets[i];
        const A one = t == 1 ? A(1) : A(0);
        s0[i] += bce[i];
        s1[i] += t < 0 ? A(0) : A(1);
        s2[i] += p[i] * one;
        s3[i] += p[i];
        s4[i] += one;
    }
}

template <class T, class A>
void sum_part(const BceDiceForwardArgs& a, const Runs& runs, int64_t image, int64_t part, const Run<A>& run,
              double* out) {
    const int64_t lanes = runs.lanes;
    const BceFactors factors(a.options);
    std::fill_n(run.totals, lanes * bce_dice_sums, 0.0);
    runs.each_run(part, [&](int64_t pixel, int64_t pixels) {
        const int64_t first = image * runs.image_pixels + pixel, count = pixels * runs.channels;
        load_logits<T>(a.logits, first, pixels, run.z);
        spread_targets(a.labels + first, pixels, runs.channels, a.options, run.targets);
        evaluate(run.z, run.targets, run.bce, run.p, count);
        if (!factors.plain) weigh(factors, run.z, run.targets, run.bce, count);
        if (a.options.gamma > 0) focus(A(a.options.gamma), run.z, run.targets, run.bce, count);
        std::fill_n(run.lane_sums, lanes * bce_dice_sums, A(0));
        for (int64_t i = 0; i < count; i += lanes)
            add_row(run.bce + i, run.p + i, run.targets + i, run.lane_sums, lanes, std::min(lanes, count - i));
        for (int64_t i = 0; i < lanes * bce_dice_sums; ++i) run.totals[i] += double(run.lane_sums[i]);
    });
    for (int64_t k = 0; k < bce_dice_sums; ++k)
        for (int64_t c = 0; c < runs.channels; ++c) {
            double sum = 0;
            for (int64_t lane = c; lane < lanes; lane += runs.channels) sum += run.totals[k * lanes + lane];
            out[c * bce_dice_sums + k] = sum;
        }
}

// --- from sums to loss

struct Sums {
    double bce = 0, count = 0, p_t = 0, p = 0, t = 0;
    double weighted = 0;  // the count, by the channels' weights

    template <class A>
    void add(const A* s, double weight) {
        bce += weight * double(s[0]), weighted += weight * double(s[1]);
        count += double(s[1]), p_t += double(s[2]), p += double(s[3]), t += double(s[4]);
    }
    double denominator(const BceDiceOptions& o) const { return o.denominator(p_t, p, t); }
    double index(const BceDiceOptions& o) const {
        return denominator(o) > 0 ? (2 * p_t + o.smooth) / denominator(o) : 1;
    }
};

// The sums of each Dice group, and of everything.
struct Groups {
    DiceGroups kind;
    int64_t channels, count;
    Sums all, *sums;

    template <class A>
    Groups(Queue& q, const A* image_sums, const View& z, const BceDiceOptions& o) : kind(o.groups), channels(z.c) {
        count = group_count(kind, z.n, z.c);
        sums = q.scratch<Sums>(count);
        std::fill_n(sums, count, Sums{});
        for (int64_t n = 0; n < z.n; ++n)
            for (int64_t c = 0; c < z.c; ++c) {
                const A* s = image_sums + (n * z.c + c) * bce_dice_sums;
                sums[index(n, c)].add(s, o.weight(c));
                all.add(s, o.weight(c));
            }
    }
    int64_t index(int64_t n, int64_t c) const { return group_of(kind, n, c, channels); }
};

template <class A>
void write_loss(const BceDiceOptions& o, const Groups& groups, A* loss) {
    const double bce = groups.all.weighted > 0 ? groups.all.bce / divisor_of(o, groups.all.weighted) : 0;
    double dice = 0, region = 0;
    for (int64_t g = 0; g < groups.count; ++g) {
        const double index = groups.sums[g].index(o);
        dice += index, region += std::pow(std::max(1 - index, 0.0), o.exponent);
    }
    dice /= double(groups.count);
    region = o.exponent == 1 ? 1 - dice : region / double(groups.count);
    loss[0] = A(o.bce_weight * bce + o.dice_weight * region);
    loss[1] = A(bce), loss[2] = A(dice), loss[3] = A(groups.all.count);
}

template <class T>
void forward(Queue& q, const BceDiceForwardArgs& a) {
    using A = accumulator_t<T>;
    const View& z = a.logits;
    const Runs runs(z);
    const int64_t part_sums = runs.channels * bce_dice_sums;
    double* parts = q.scratch<double>(size_t(z.n * runs.parts) * part_sums);
    A* values = q.scratch<A>(size_t(q.threads()) * Run<A>::values_of(runs));
    double* totals = q.scratch<double>(size_t(q.threads()) * runs.lanes * bce_dice_sums);
    parallel_ranges(q, z.n * runs.parts, z.count(), [&](int64_t begin, int64_t end, int thread) {
        const Run<A> run(values, totals, runs, thread);
        for (int64_t i = begin; i < end; ++i)
            sum_part<T>(a, runs, i / runs.parts, i % runs.parts, run, parts + i * part_sums);
    });
    A* sums = static_cast<A*>(a.sums);
    for (int64_t n = 0; n < z.n; ++n)
        for (int64_t i = 0; i < part_sums; ++i) {
            double sum = 0;
            for (int64_t part = 0; part < runs.parts; ++part) sum += parts[(n * runs.parts + part) * part_sums + i];
            sums[n * part_sums + i] = A(sum);
        }
    write_loss(a.options, Groups(q, sums, z, a.options), static_cast<A*>(a.loss));
}

// --- backward

// dz = bce * (p - t) + (dice_t * t + dice) * p * (1 - p), coefficients of each lane of each image, bce's of each lane.
template <class A>
struct Coefficients {
    A *bce, *dice_t, *dice;  // [lanes], [N][lanes] twice

    Coefficients(Queue& q, const BceDiceBackwardArgs& a, const Runs& runs) {
        const View& z = a.logits;
        const BceDiceOptions& o = a.options;
        const Groups groups(q, static_cast<const A*>(a.sums), z, o);
        const double grad_output = double(*static_cast<const A*>(a.grad_output));
        const double divisor = divisor_of(o, groups.all.weighted), region = grad_output * o.dice_weight;
        bce = q.scratch<A>(size_t(runs.lanes));
        for (int64_t lane = 0; lane < runs.lanes; ++lane)
            bce[lane] = groups.all.weighted > 0 ? A(grad_output * o.bce_weight * o.weight(lane % z.c) / divisor) : A(0);
        dice_t = q.scratch<A>(size_t(z.n) * runs.lanes), dice = q.scratch<A>(size_t(z.n) * runs.lanes);
        for (int64_t n = 0; n < z.n; ++n)
            for (int64_t lane = 0; lane < runs.lanes; ++lane) {
                const Sums& s = groups.sums[groups.index(n, lane % z.c)];
                const double denominator = s.denominator(o), index = s.index(o);
                double scale = denominator > 0 ? region / double(groups.count) / denominator : 0;
                if (o.exponent != 1) scale *= o.exponent * std::pow(std::max(1 - index, 1e-6), o.exponent - 1);
                dice_t[n * runs.lanes + lane] = A(scale * (2 * (1 - o.alpha - o.beta) * index - 2));
                dice[n * runs.lanes + lane] = A(2 * o.alpha * scale * index);
            }
    }
};

template <class A>
void gradient_row(const A* z, const A* targets, const A* bce, const A* dice_t, const A* dice, A* dz, int64_t width) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
        const A x = z[i], t = targets[i];
        const A e = vector_exp(x > 0 ? -x : x), r = 1 / (1 + e), er = e * r;
        const A p = x > 0 ? r : er, rest = x > 0 ? er : r;  // rest = 1 - p without cancellation
        const A slope = (t > 0 ? dice_t[i] + dice[i] : dice[i]) * (er * r);
        const A gradient = bce[i] * (t > 0 ? -rest : p) + slope;
        dz[i] = t < 0 ? A(0) : gradient;
    }
}

// Takes bce's part of a row of gradients with plain labels to that of smoothed labels or weights of its own.
template <class A>
void weigh_gradient_row(const BceFactors& f, const A* z, const A* targets, const A* bce, A* dz, int64_t width) {
    // Added to (p - t): (positive_t - t) * (p - 1) + (negative_t - (1 - t)) * p.
    const A positive[2] = {A(f.positive[0]), A(f.positive[1] - 1)};
    const A negative[2] = {A(f.negative[0] - 1), A(f.negative[1])};
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
        const A x = z[i], t = targets[i];
        const A e = vector_exp(x > 0 ? -x : x), r = 1 / (1 + e), er = e * r;
        const A p = x > 0 ? r : er, rest = x > 0 ? er : r;
        const A up = t > 0 ? negative[1] : negative[0], down = t > 0 ? positive[1] : positive[0];
        dz[i] += t < 0 ? A(0) : bce[i] * (up * p - down * rest);
    }
}

// Takes bce's part of a row of gradients to that of the focal loss: with s = 1 where t is 1, else -1, that is
// -s * (1 - q)^gamma * (1 - q - gamma * q * log q).
template <class A>
void focus_gradient_row(A gamma, const A* z, const A* targets, const A* bce, A* dz, int64_t width) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
        const A t = targets[i], x = t > 0 ? z[i] : -z[i];
        const A e = vector_exp(x > 0 ? -x : x), rest = vector_log1p(e), r = 1 / (1 + e);
        const A q = x > 0 ? r : e * r, other = x > 0 ? e * r : r;
        const A log_q = (x > 0 ? A(0) : x) - rest, log_other = (x > 0 ? -x : A(0)) - rest;
        const A slope = vector_exp(gamma * log_other) * (other - gamma * q * log_q) - other;
        dz[i] += t < 0 ? A(0) : bce[i] * (t > 0 ? -slope : slope);
    }
}

template <class T, class A>
void store_gradients(const A* dz, const GradTarget& into, int64_t first_pixel, int64_t pixels) {
    const View& v = into.view;
    T* to = v.as<T>() + first_pixel * v.pitch;
    const int64_t rows = v.dense() ? 1 : pixels, width = v.dense() ? pixels * v.c : v.c;
    with_flag(into.accumulate, [&](auto accumulate) {
        for (int64_t row = 0; row < rows; ++row) {
            const A* from = dz + row * width;
            T* out = to + row * v.pitch;
#pragma omp simd
            for (int64_t i = 0; i < width; ++i) put<accumulate>(out[i], from[i]);
        }
    });
}

template <class T>
void backward(Queue& q, const BceDiceBackwardArgs& a) {
    using A = accumulator_t<T>;
    const View& z = a.logits;
    const Runs runs(z);
    const Coefficients<A> k(q, a, runs);
    const BceFactors factors(a.options);
    const A gamma = A(a.options.gamma);
    A* values = q.scratch<A>(size_t(q.threads()) * Run<A>::values_of(runs));
    parallel_ranges(q, z.n * runs.parts, z.count(), [&](int64_t begin, int64_t end, int thread) {
        const Run<A> run(values, nullptr, runs, thread);
        for (int64_t i = begin; i < end; ++i) {
            const int64_t image = i / runs.parts, lane0 = image * runs.lanes;
            runs.each_run(i % runs.parts, [&](int64_t pixel, int64_t pixels) {
                const int64_t first = image * runs.image_pixels + pixel, count = pixels * runs.channels;
                load_logits<T>(z, first, pixels, run.z);
                spread_targets(a.labels + first, pixels, runs.channels, a.options, run.targets);
                for (int64_t e = 0; e < count; e += runs.lanes) {
                    const A *const zs = run.z + e, *const targets = run.targets + e;
                    const int64_t width = std::min(runs.lanes, count - e);
                    gradient_row(zs, targets, k.bce, k.dice_t + lane0, k.dice + lane0, run.p + e, width);
                    if (!factors.plain) weigh_gradient_row(factors, zs, targets, k.bce, run.p + e, width);
                    if (gamma > 0) focus_gradient_row(gamma, zs, targets, k.bce, run.p + e, width);
                }
                store_gradients<T>(run.p, a.dlogits, first, pixels);
            });
        }
    });
}

}  // namespace

void bce_dice_forward(Queue& q, const BceDiceForwardArgs& a) {
    check(a);
    ran("bce_dice_forward/omp");
    dispatch_cpu("bce_dice_forward", a.logits.dtype, [&](auto zero) { forward<decltype(zero)>(q, a); });
}

void bce_dice_backward(Queue& q, const BceDiceBackwardArgs& a) {
    check(a);
    ran("bce_dice_backward/omp");
    dispatch_cpu("bce_dice_backward", a.logits.dtype, [&](auto zero) { backward<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
