// What the plain loops share: elements by name, sums in double, gradients that add or overwrite.
#pragma once

#include "base/error.h"
#include "base/view.h"

namespace atrous::kernels::reference {

template <class T>
T& at(const View& v, int64_t n, int64_t h, int64_t w, int64_t c) {
    return v.as<T>()[((n * v.h + h) * v.w + w) * v.pitch + c];
}
// Element `c` of pixel number `pixel`, the pixels of all images counted in row-major order.
template <class T>
T& at(const View& v, int64_t pixel, int64_t c) {
    return v.as<T>()[pixel * v.pitch + c];
}

template <class T>
void store(T& to, double value, bool accumulate) {
    to = T(accumulate ? double(to) + value : value);
}

// f(pixel, channel) for every element.
template <class F>
void for_each_element(const View& v, F f) {
    for (int64_t pixel = 0; pixel < v.pixels(); ++pixel)
        for (int64_t c = 0; c < v.c; ++c) f(pixel, c);
}

}  // namespace atrous::kernels::reference
