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
};

template <class T>
Sums load(const void* sums, int64_t index) {
    const T* s = static_cast<const T*>(sums) + index * bce_dice_sums;
    return {s[0], s[1], s[2], s[3], s[4]};
}

double target(int label, int64_t c, int64_t channels) { return channels == 1 ? label != 0 : label == c; }
double sigmoid_of(double z) { return 1 / (1 + std::exp(-z)); }

template <class T>
Sums group_sums(const void* sums, const View& z, DiceGroups groups, int64_t group) {
    Sums total;
    for (int64_t n = 0; n < z.n; ++n)
        for (int64_t c = 0; c < z.c; ++c) {
            if (group_of(groups, n, c, z.c) != group) continue;
            const Sums s = load<T>(sums, n * z.c + c);
            total.bce += s.bce, total.count += s.count, total.p_t += s.p_t, total.p += s.p, total.t += s.t;
        }
    return total;
}

template <class T>
Sums image_sums(const BceDiceForwardArgs& a, int64_t n, int64_t c) {
    Sums s;
    const BceFactors factors(a.options);
    for (int64_t i = 0; i < a.logits.h * a.logits.w; ++i) {
        const int64_t pixel = n * a.logits.h * a.logits.w + i;
        const int label = a.labels[pixel];
        if (label == a.options.ignore_index) continue;
        const double z = at<T>(a.logits, pixel, c), t = target(label, c, a.logits.c), p = sigmoid_of(z);
        const double rest = std::log1p(std::exp(-std::fabs(z)));  // of -log p and of -log(1 - p)
        s.bce += factors.positive[int(t)] * (std::fmax(-z, 0) + rest);
        s.bce += factors.negative[int(t)] * (std::fmax(z, 0) + rest);
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
    const Sums all = group_sums<T>(a.sums, a.logits, DiceGroups::all, 0);
    const double bce = all.count > 0 ? all.bce / divisor_of(o, all.count) : 0;
    const int64_t groups = group_count(o.groups, a.logits.n, a.logits.c);
    double dice = 0;
    for (int64_t group = 0; group < groups; ++group) {
        const Sums s = group_sums<T>(a.sums, a.logits, o.groups, group);
        const double denominator = s.p + s.t + o.smooth;
        dice += denominator > 0 ? (2 * s.p_t + o.smooth) / denominator : 1;
    }
    dice /= double(groups);
    T* loss = static_cast<T*>(a.loss);
    loss[0] = T(o.bce_weight * bce + o.dice_weight * (1 - dice));
    loss[1] = T(bce), loss[2] = T(dice), loss[3] = T(all.count);
}

template <class T>
void backward(const BceDiceBackwardArgs& a) {
    const BceDiceOptions& o = a.options;
    const View& logits = a.logits;
    const BceFactors factors(o);
    const double grad_output = *static_cast<const T*>(a.grad_output);
    const Sums all = group_sums<T>(a.sums, logits, DiceGroups::all, 0);
    const double groups = double(group_count(o.groups, logits.n, logits.c));
    for (int64_t n = 0; n < logits.n; ++n)
        for (int64_t c = 0; c < logits.c; ++c) {
            const Sums s = group_sums<T>(a.sums, logits, o.groups, group_of(o.groups, n, c, logits.c));
            const double denominator = s.p + s.t + o.smooth, numerator = 2 * s.p_t + o.smooth;
            for (int64_t i = 0; i < logits.h * logits.w; ++i) {
                const int64_t pixel = n * logits.h * logits.w + i;
                const int label = a.labels[pixel];
                double gradient = 0;
                if (label != o.ignore_index) {
                    const double z = at<T>(logits, pixel, c), t = target(label, c, logits.c);
                    const double p = sigmoid_of(z), dp_dz = p * sigmoid_of(-z);
                    const double up = factors.negative[int(t)], down = factors.positive[int(t)];
                    const double dbce = (up * p - down * sigmoid_of(-z)) / divisor_of(o, all.count);
                    const double ddice_dp =
                        denominator > 0 ? (2 * t - numerator / denominator) / denominator / groups : 0;
                    gradient = grad_output * (o.bce_weight * dbce - o.dice_weight * ddice_dp * dp_dz);
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
