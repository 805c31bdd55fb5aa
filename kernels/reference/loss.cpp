// Binary cross-entropy and soft Dice by their definitions.
#include "kernels/loss.h"

#include <cmath>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

struct Sums {
    double bce = 0, count = 0, p_t = 0, p = 0, t = 0;
    double weighted = 0;  // the count, by the channels' weights
};

template <class T>
Sums load(const void* sums, int64_t index) {
    const T* s = static_cast<const T*>(sums) + index * bce_dice_sums;
    return {s[0], s[1], s[2], s[3], s[4]};
}

double target(const BceDiceOptions& o, int label, int64_t c, int64_t channels) {
    if (o.labels == LabelForm::bits) return label >> c & 1;
    return channels == 1 ? label != 0 : label == c;
}
double sigmoid_of(double z) { return 1 / (1 + std::exp(-z)); }

template <class T>
Sums group_sums(const BceDiceOptions& o, const void* sums, const View& z, DiceGroups groups, int64_t group) {
    Sums total;
    for (int64_t n = 0; n < z.n; ++n)
        for (int64_t c = 0; c < z.c; ++c) {
            if (group_of(groups, n, c, z.c) != group) continue;
            const Sums s = load<T>(sums, n * z.c + c);
            total.bce += o.weight(c) * s.bce, total.weighted += o.weight(c) * s.count;
            total.count += s.count, total.p_t += s.p_t, total.p += s.p, total.t += s.t;
        }
    return total;
}

double index_of(const BceDiceOptions& o, const Sums& s) {
    const double fp = s.p - s.p_t, fn = s.t - s.p_t;
    const double denominator = 2 * s.p_t + 2 * o.alpha * fp + 2 * o.beta * fn + o.smooth;
    return denominator > 0 ? (2 * s.p_t + o.smooth) / denominator : 1;
}

// d (1 - index)^exponent / dp of an element with the target t.
double region_slope(const BceDiceOptions& o, const Sums& s, double t) {
    const double denominator = o.denominator(s.p_t, s.p, s.t), index = index_of(o, s);
    if (!(denominator > 0)) return 0;
    const double slope = (2 * t - index * (t > 0 ? 2 - 2 * o.beta : 2 * o.alpha)) / denominator;
    if (o.exponent == 1) return -slope;
    return -o.exponent * std::pow(std::fmax(1 - index, 1e-6), o.exponent - 1) * slope;
}

// d bce / dz of an element, before weights.
double bce_slope(const BceDiceOptions& o, const BceFactors& factors, double z, double t) {
    const double p = sigmoid_of(z), rest = sigmoid_of(-z);
    if (o.gamma == 0) return factors.negative[int(t)] * p - factors.positive[int(t)] * rest;
    const double sign = t > 0 ? 1 : -1, q = t > 0 ? p : rest, other = t > 0 ? rest : p;
    const double log_q = std::fmin(sign * z, 0) - std::log1p(std::exp(-std::fabs(z)));
    return -sign * std::pow(other, o.gamma) * (other - o.gamma * q * log_q);
}

template <class T>
Sums image_sums(const BceDiceForwardArgs& a, int64_t n, int64_t c) {
    Sums s;
    const BceFactors factors(a.options);
    for (int64_t i = 0; i < a.logits.h * a.logits.w; ++i) {
        const int64_t pixel = n * a.logits.h * a.logits.w + i;
        const int label = a.labels[pixel];
        if (label == a.options.ignore_index) continue;
        const double z = at<T>(a.logits, pixel, c), t = target(a.options, label, c, a.logits.c), p = sigmoid_of(z);
        const double rest = std::log1p(std::exp(-std::fabs(z)));  // of -log p and of -log(1 - p)
        const double focus = std::pow(t > 0 ? sigmoid_of(-z) : p, a.options.gamma);
        s.bce += focus * factors.positive[int(t)] * (std::fmax(-z, 0) + rest);
        s.bce += focus * factors.negative[int(t)] * (std::fmax(z, 0) + rest);
        s.count += 1, s.p_t += p * t, s.p += p, s.t += t;
    }
    return s;
}

template <class T>
void forward(const BceDiceForwardArgs& a) {
    const BceDiceOptions& o = a.options;
    for (int64_t n = 0; n < a.logits.n; ++n)
        for (int64_t c = 0; c < a.logits.c; ++c) {
            const Sums s = image_sums<T>(a, n, c);
            T* out = static_cast<T*>(a.sums) + (n * a.logits.c + c) * bce_dice_sums;
            out[0] = T(s.bce), out[1] = T(s.count), out[2] = T(s.p_t), out[3] = T(s.p), out[4] = T(s.t);
        }
    const Sums all = group_sums<T>(o, a.sums, a.logits, DiceGroups::all, 0);
    const double bce = all.weighted > 0 ? all.bce / divisor_of(o, all.weighted) : 0;
    const int64_t groups = group_count(o.groups, a.logits.n, a.logits.c);
    double dice = 0, region = 0;
    for (int64_t group = 0; group < groups; ++group) {
        const Sums s = group_sums<T>(o, a.sums, a.logits, o.groups, group);
        const double index = index_of(o, s);
        dice += index, region += std::pow(std::fmax(1 - index, 0), o.exponent);
    }
    dice /= double(groups), region /= double(groups);
    T* loss = static_cast<T*>(a.loss);
    loss[0] = T(o.bce_weight * bce + o.dice_weight * region);
    loss[1] = T(bce), loss[2] = T(dice), loss[3] = T(all.count);
}

template <class T>
void backward(const BceDiceBackwardArgs& a) {
    const BceDiceOptions& o = a.options;
    const View& logits = a.logits;
    const BceFactors factors(o);
    const double grad_output = *static_cast<const T*>(a.grad_output);
    const Sums all = group_sums<T>(o, a.sums, logits, DiceGroups::all, 0);
    const double groups = double(group_count(o.groups, logits.n, logits.c));
    for (int64_t n = 0; n < logits.n; ++n)
        for (int64_t c = 0; c < logits.c; ++c) {
            const Sums s = group_sums<T>(o, a.sums, logits, o.groups, group_of(o.groups, n, c, logits.c));
            for (int64_t i = 0; i < logits.h * logits.w; ++i) {
                const int64_t pixel = n * logits.h * logits.w + i;
                const int label = a.labels[pixel];
                double gradient = 0;
                if (label != o.ignore_index) {
                    const double z = at<T>(logits, pixel, c), t = target(o, label, c, logits.c);
                    const double divisor = divisor_of(o, all.weighted), dp_dz = sigmoid_of(z) * sigmoid_of(-z);
                    const double dbce = divisor > 0 ? o.weight(c) * bce_slope(o, factors, z, t) / divisor : 0;
                    const double dregion = region_slope(o, s, t) * dp_dz / groups;
                    gradient = grad_output * (o.bce_weight * dbce + o.dice_weight * dregion);
                }
                store(at<T>(a.dlogits.view, pixel, c), gradient, a.dlogits.accumulate);
            }
        }
}

}  // namespace

void bce_dice_forward(Queue&, const BceDiceForwardArgs& a) {
    check(a);
    ran("bce_dice_forward/reference");
    dispatch_exact("bce_dice_forward", a.logits.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

void bce_dice_backward(Queue&, const BceDiceBackwardArgs& a) {
    check(a);
    ran("bce_dice_backward/reference");
    dispatch_exact("bce_dice_backward", a.logits.dtype, [&](auto zero) { backward<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
