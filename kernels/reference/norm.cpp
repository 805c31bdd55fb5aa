// Batch normalization by its definition: two passes over each channel, sums in double.
#include "kernels/norm.h"

#include <cmath>
#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

template <class T>
T value(const void* per_channel, int64_t c) {
    return static_cast<const T*>(per_channel)[c];
}

// Before residual and activation. Forward and backward share it, so that their masks agree.
template <class T>
double affine(double x, double gamma, double beta, T mean, T inv_std) {
    return gamma * (x - mean) * inv_std + beta;
}

template <class T>
double channel_mean(const View& x, int64_t c) {
    double sum = 0;
    for (int64_t pixel = 0; pixel < x.pixels(); ++pixel) sum += at<T>(x, pixel, c);
    return sum / double(x.pixels());
}

template <class T>
double channel_variance(const View& x, int64_t c, double mean) {
    double sum = 0;
    for (int64_t pixel = 0; pixel < x.pixels(); ++pixel) {
        const double d = at<T>(x, pixel, c) - mean;
        sum += d * d;
    }
    return sum / double(x.pixels());
}

template <class T>
void statistics(const BatchNormForwardArgs& a, int64_t c) {
    T &mean = static_cast<T*>(a.mean)[c], &inv_std = static_cast<T*>(a.inv_std)[c];
    if (!a.training) {
        mean = value<T>(a.running_mean, c);
        inv_std = T(1 / std::sqrt(value<T>(a.running_var, c) + a.epsilon));
        return;
    }
    const double m = double(a.x.pixels()), exact_mean = channel_mean<T>(a.x, c);
    const double variance = channel_variance<T>(a.x, c, exact_mean);
    mean = T(exact_mean);
    inv_std = T(1 / std::sqrt(variance + a.epsilon));
    if (!a.update_running) return;
    T &running_mean = static_cast<T*>(a.running_mean)[c], &running_var = static_cast<T*>(a.running_var)[c];
    running_mean = T(running_mean + a.momentum * (exact_mean - running_mean));
    running_var = T(running_var + a.momentum * (variance * m / (m - 1) - running_var));
}

template <class T>
void forward(const BatchNormForwardArgs& a) {
    for (int64_t c = 0; c < a.x.c; ++c) {
        statistics<T>(a, c);
        const T gamma = value<T>(a.gamma, c), beta = value<T>(a.beta, c);
        const T mean = value<T>(a.mean, c), inv_std = value<T>(a.inv_std, c);
        for (int64_t pixel = 0; pixel < a.x.pixels(); ++pixel) {
            double y = affine(at<T>(a.x, pixel, c), gamma, beta, mean, inv_std);
            if (a.residual) y += at<T>(a.residual, pixel, c);
            at<T>(a.y, pixel, c) = T(a.relu && y <= 0 ? 0 : y);
        }
    }
}

template <class T>
void backward(const BatchNormBackwardArgs& a) {
    const int64_t pixels = a.x.pixels();
    std::vector<double> g(pixels), xhat(pixels);
    for (int64_t c = 0; c < a.x.c; ++c) {
        const T gamma = value<T>(a.gamma, c), beta = value<T>(a.beta, c);
        const T mean = value<T>(a.mean, c), inv_std = value<T>(a.inv_std, c);
        double dgamma = 0, dbeta = 0;
        for (int64_t pixel = 0; pixel < pixels; ++pixel) {
            const double x = at<T>(a.x, pixel, c);
            const double y = a.y ? double(at<T>(a.y, pixel, c)) : double(T(affine(x, gamma, beta, mean, inv_std)));
            g[pixel] = !a.relu || y > 0 ? at<T>(a.dy, pixel, c) : 0;
            xhat[pixel] = (x - mean) * inv_std;
            dgamma += g[pixel] * xhat[pixel];
            dbeta += g[pixel];
        }
        for (int64_t pixel = 0; pixel < pixels; ++pixel) {
            double dx = g[pixel];
            if (a.training) dx -= dbeta / double(pixels) + xhat[pixel] * dgamma / double(pixels);
            if (a.dx) store(at<T>(a.dx.view, pixel, c), gamma * double(inv_std) * dx, a.dx.accumulate);
            if (a.dresidual) store(at<T>(a.dresidual.view, pixel, c), g[pixel], a.dresidual.accumulate);
        }
        if (a.dgamma) store(a.dgamma.as<T>()[c], dgamma, a.dgamma.accumulate);
        if (a.dbeta) store(a.dbeta.as<T>()[c], dbeta, a.dbeta.accumulate);
    }
}

}  // namespace

void batch_norm_forward(Queue&, const BatchNormForwardArgs& a) {
    check(a);
    ran("batch_norm_forward/reference");
    dispatch_exact("batch_norm_forward", a.x.dtype, [&](auto zero) { forward<decltype(zero)>(a); });
    if (a.training && a.update_running && a.batches_tracked) ++*a.batches_tracked;
}

void batch_norm_backward(Queue&, const BatchNormBackwardArgs& a) {
    check(a);
    ran("batch_norm_backward/reference");
    dispatch_exact("batch_norm_backward", a.x.dtype, [&](auto zero) { backward<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
