// An implementation of the cpu's convolutions: plain loops where a kernel is one pixel. It runs by its name alone.
#include "base/variant.h"
#include "kernels/conv.h"
#include "tests/extending/extensions.h"

namespace atrous::extending {

namespace {

using kernels::ConvForwardArgs;

bool supports(Queue&, const ConvForwardArgs& a) {
    return a.x.dtype == DType::f32 && a.w.h * a.w.w == 1 && a.geometry.stride == 1 && a.geometry.padding == 0;
}

void run(Queue& q, const ConvForwardArgs& a) {
    ran("conv_forward/plain_f32");
    if (q.is_dry_run()) return;
    const auto* bias = static_cast<const float*>(a.bias);
    for (int64_t pixel = 0; pixel < a.x.pixels(); ++pixel)
        for (int64_t o = 0; o < a.y.c; ++o) {
            float sum = bias ? bias[o] : 0;
            for (int64_t i = 0; i < a.x.c; ++i)
                sum += a.w.as<float>()[o * a.x.c + i] * a.x.as<float>()[pixel * a.x.c + i];
            a.y.as<float>()[pixel * a.y.c + o] = sum;
        }
}

}  // namespace

void add_plain_convolution() {
    kernels::cpu::conv_forward_family().add(
        {.name = "plain", .needs = "f32, kernels of one pixel, stride 1", .supports = supports, .run = run});
}

}  // namespace atrous::extending
