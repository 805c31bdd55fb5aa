// Dropout by its definition: one element, one draw.
#include "kernels/dropout.h"

#include "base/dispatch.h"
#include "base/philox.h"
#include "base/variant.h"
#include "kernels/reference/loops.h"

namespace atrous::kernels::reference {

namespace {

bool kept(const DropoutArgs& a, uint64_t element) {
    const uint64_t step = uint64_t(a.step + (a.device_step ? *a.device_step : 0)), block = element / 4;
    const auto words = philox4x32({uint32_t(block), uint32_t(block >> 32), uint32_t(step), uint32_t(step >> 32)},
                                  {uint32_t(a.key), uint32_t(a.key >> 32)});
    return words[element % 4] >= dropout_threshold(a.p);
}

}  // namespace

void dropout(Queue&, const DropoutArgs& a) {
    check(a);
    ran("dropout/reference");
    dispatch_exact("dropout", a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        for_each_element(a.x, [&](int64_t pixel, int64_t c) {
            const double x = at<T>(a.x, pixel, c);
            store(at<T>(a.y.view, pixel, c), kept(a, uint64_t(pixel * a.x.c + c)) ? x * dropout_scale(a.p) : 0,
                  a.y.accumulate);
        });
    });
}

}  // namespace atrous::kernels::reference
