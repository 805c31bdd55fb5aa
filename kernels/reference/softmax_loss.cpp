// Softmax cross-entropy, focal, Dice and Tversky losses by their definitions, in double.
#include "kernels/softmax_loss.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

// The class of a label, or -1 where the pixel does not count.
int64_t class_of(int label, const View& z, const SoftmaxLossOptions& o) {
    if (label == o.ignore_index) return -1;
    if (z.c == 1) return label != 0;
    return label < z.c ? label : -1;
}

struct Pixel {
    std::vector<double> log_p, p;

    template <class T>
    static Pixel of(const View& logits, int64_t pixel) {
        const int64_t classes = classes_of(logits), offset = classes - logits.c;
        std::vector<double> z(classes);
        for (int64_t c = offset; c < classes; ++c) z[c] = at<T>(logits, pixel, c - offset);
        const double largest = *std::max_element(z.begin(), z.end());
        double sum = 0;
        for (double x : z) sum += std::exp(x - largest);
        Pixel out{z, z};
        for (int64_t c = 0; c < classes; ++c) {
            out.log_p[c] = z[c] - largest - std::log(sum);
            out.p[c] = std::exp(out.log_p[c]);
        }
        return out;
    }
    double rest(int64_t label) const {  // 1 - p[label] without cancellation
        double sum = 0;
        for (int64_t c = 0; c < int64_t(p.size()); ++c) sum += c == label ? 0 : p[c];
        return sum;
    }
};

template <class T>
double weight(const void* weights, int64_t c) {
    return weights ? double(static_cast<const T*>(weights)[c]) : 1.0;
}

// What -log p[c] is multiplied by at a pixel of class `label`: its smoothed label with the class's weight.
template <class T, class Args>
double target(const Args& a, int64_t label, int64_t c) {
    const double e = a.options.smoothing;
    return weight<T>(a.class_weights, c) * ((c == label ? 1 - e : 0) + e / double(classes_of(a.logits)));
}

struct Group {
    double tp = 0, p = 0, t = 0;

    double numerator(const SoftmaxLossOptions& o) const { return 2 * tp + o.smooth; }
    double denominator(const SoftmaxLossOptions& o) const {
        return 2 * tp + 2 * o.alpha * (p - tp) + 2 * o.beta * (t - tp) + o.smooth;
    }
    double index(const SoftmaxLossOptions& o) const { return denominator(o) > 0 ? numerator(o) / denominator(o) : 1; }
};

// Of the group that (image, c) belongs to.
template <class T, class Args>
Group group_of(const Args& a, int64_t image, int64_t c) {
    const View& z = a.logits;
    const int64_t classes = classes_of(z);
    Group g;
    for (int64_t n = 0; n < z.n; ++n)
        for (int64_t k = first_class(z, a.options); k < classes; ++k) {
            if (a.options.groups != DiceGroups::all && k != c) continue;
            if (a.options.groups == DiceGroups::sample && n != image) continue;
            const T* sums = static_cast<const T*>(a.sums) + n * softmax_loss_sums(z);
            g.tp += sums[1 + 2 * k], g.p += sums[2 + 2 * k], g.t += double(a.counts[n * classes + k]);
        }
    return g;
}

template <class T, class Args>
double divisor(const Args& a) {
    double sum = 0;
    for (int64_t i = 0; i < a.logits.n * classes_of(a.logits); ++i)
        sum += double(a.counts[i]) * weight<T>(a.class_weights, i % classes_of(a.logits));
    return divisor_of(a.options, sum);
}

template <class T>
void sum_image(const SoftmaxLossForwardArgs& a, int64_t n) {
    const View& z = a.logits;
    const int64_t classes = classes_of(z);
    double ce = 0;
    std::vector<Group> of_class(classes);
    for (int64_t i = 0; i < z.h * z.w; ++i) {
        const int64_t pixel = n * z.h * z.w + i, label = class_of(a.labels[pixel], z, a.options);
        if (label < 0) continue;
        const Pixel at_pixel = Pixel::of<T>(z, pixel);
        const double focus = std::pow(at_pixel.rest(label), a.options.gamma);
        for (int64_t c = 0; c < classes; ++c) {
            ce -= target<T>(a, label, c) * focus * at_pixel.log_p[c];
            of_class[c].p += at_pixel.p[c];
        }
        of_class[label].tp += at_pixel.p[label], of_class[label].t += 1;
    }
    T* sums = static_cast<T*>(a.sums) + n * softmax_loss_sums(z);
    sums[0] = T(ce);
    for (int64_t c = 0; c < classes; ++c) {
        sums[1 + 2 * c] = T(of_class[c].tp), sums[2 + 2 * c] = T(of_class[c].p);
        a.counts[n * classes + c] = int64_t(of_class[c].t);
    }
}

template <class T>
void forward(const SoftmaxLossForwardArgs& a) {
    const View& z = a.logits;
    const SoftmaxLossOptions& o = a.options;
    double ce = 0, counted = 0, index = 0, region = 0;
    for (int64_t n = 0; n < z.n; ++n) {
        sum_image<T>(a, n);
        ce += static_cast<T*>(a.sums)[n * softmax_loss_sums(z)];
    }
    for (int64_t i = 0; i < z.n * classes_of(z); ++i) counted += double(a.counts[i]);
    const double total_weight = divisor<T>(a);
    ce = counted > 0 && total_weight > 0 ? ce / total_weight : 0;
    const bool by_class = o.groups != DiceGroups::all, by_image = o.groups == DiceGroups::sample;
    for (int64_t n = 0; n < (by_image ? z.n : 1); ++n)
        for (int64_t c = first_class(z, o); c < (by_class ? classes_of(z) : first_class(z, o) + 1); ++c) {
            const double group = group_of<T>(a, n, c).index(o);
            index += group / double(region_groups(z, o));
            region += std::pow(std::max(1 - group, 0.0), o.exponent) / double(region_groups(z, o));
        }
    T* loss = static_cast<T*>(a.loss);
    loss[0] = T(o.ce_weight * ce + o.region_weight * region);
    loss[1] = T(ce), loss[2] = T(index), loss[3] = T(counted);
}

// d(region)/d(p[c]) at a pixel of image n that is (`of_class`) or is not of class c.
template <class T>
double region_slope(const SoftmaxLossBackwardArgs& a, int64_t n, int64_t c, bool of_class) {
    const SoftmaxLossOptions& o = a.options;
    if (c < first_class(a.logits, o)) return 0;
    const Group g = group_of<T>(a, n, c);
    const double numerator = g.numerator(o), denominator = g.denominator(o);
    if (!(denominator > 0)) return 0;
    const double dtp = of_class ? 1 : 0;
    const double dnumerator = 2 * dtp, ddenominator = 2 * dtp * (1 - o.alpha - o.beta) + 2 * o.alpha;
    const double dindex = (dnumerator - numerator / denominator * ddenominator) / denominator;
    const double outer = o.exponent * std::pow(std::max(1 - g.index(o), 1e-6), o.exponent - 1);
    return -outer * dindex / double(region_groups(a.logits, o));
}

// d(ce)/d(log q) without the weight and the divisor.
double focal_slope(const Pixel& pixel, int64_t label, double gamma) {
    const double rest = pixel.rest(label);
    if (gamma == 0) return -1;
    return gamma * std::pow(std::max(rest, 1e-300), gamma - 1) * pixel.p[label] * pixel.log_p[label] -
           std::pow(rest, gamma);
}

template <class T>
void backward(const SoftmaxLossBackwardArgs& a) {
    const View& z = a.logits;
    const SoftmaxLossOptions& o = a.options;
    const int64_t classes = classes_of(z), offset = classes - z.c;
    const double grad_output = *static_cast<const T*>(a.grad_output), total_weight = divisor<T>(a);
    const double ce_scale = total_weight > 0 ? o.ce_weight / total_weight : 0;
    std::vector<double> slope(classes);
    for (int64_t pixel = 0; pixel < z.pixels(); ++pixel) {
        const int64_t n = pixel / (z.h * z.w), label = class_of(a.labels[pixel], z, o);
        const Pixel here = Pixel::of<T>(z, pixel);
        double mean_slope = 0, focus_slope = 0, all_targets = 0;
        for (int64_t c = 0; c < classes && label >= 0; ++c) {
            slope[c] = o.region_weight == 0 ? 0 : o.region_weight * region_slope<T>(a, n, c, c == label);
            mean_slope += here.p[c] * slope[c];
            all_targets += target<T>(a, label, c);
        }
        if (label >= 0) focus_slope = ce_scale * focal_slope(here, label, o.gamma);
        for (int64_t c = offset; c < classes; ++c) {
            if (label < 0) {
                store(at<T>(a.dlogits.view, pixel, c - offset), 0, a.dlogits.accumulate);
                continue;
            }
            const double dlog_p = target<T>(a, label, c) - all_targets * here.p[c];
            const double gradient = focus_slope * dlog_p + here.p[c] * (slope[c] - mean_slope);
            store(at<T>(a.dlogits.view, pixel, c - offset), grad_output * gradient, a.dlogits.accumulate);
        }
    }
}

}  // namespace

void softmax_loss_forward(Queue&, const SoftmaxLossForwardArgs& a) {
    check(a);
    ran("softmax_loss_forward/reference");
    dispatch_exact("softmax_loss_forward", a.logits.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
}

void softmax_loss_backward(Queue&, const SoftmaxLossBackwardArgs& a) {
    check(a);
    ran("softmax_loss_backward/reference");
    dispatch_exact("softmax_loss_backward", a.logits.dtype, [&](auto zero) { backward<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
