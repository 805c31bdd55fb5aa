// Hard pixels. Log odds are computed pixel by pixel; then one thread parts the hardest from the others, which takes a time
// in proportion to the pixels.
#include "kernels/hard_pixels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/radix_sort.h"
#include "kernels/cpu/softmax.h"

namespace atrous::kernels::cpu {

namespace {

using Item = Keyed<uint64_t>;  // the harder a pixel, the smaller its key; the pixel

constexpr uint64_t no_key = ~uint64_t(0);  // of a pixel that does not count: behind those whose log odds are -infinity

// 0 of NaN, and the smaller the larger the log odds; 0 and -0 are one.
uint64_t key_of(double log_odds) {
    if (std::isnan(log_odds)) return 0;
    uint64_t bits;
    std::memcpy(&bits, &log_odds, sizeof bits);
    constexpr uint64_t sign = uint64_t(1) << 63;
    if (bits == sign) bits = 0;
    return bits & sign ? bits : ~(bits | sign);
}

template <class T>
void mine(Queue& q, const HardPixelsArgs& a) {
    const View& z = a.logits;
    Item* const items = q.scratch<Item>(size_t(z.pixels()));
    if (q.is_dry_run()) return;
    const double limit = log_odds_limit(a.options);
    const auto class_at = [&](int64_t pixel) { return class_of(a.labels[pixel], z.c, a.options.ignore_index); };
    parallel_ranges(q, z.pixels(), z.count(), [&](int64_t begin, int64_t end, int) {
        for (int64_t pixel = begin; pixel < end; ++pixel) {
            const int id = class_at(pixel);
            const T* const logits = z.as<const T>() + pixel * z.pitch;
            const double log_odds =
                id < 0 ? 0 : log_odds_against(z.c, id, [&](int64_t c) { return double(load(logits[c])); });
            items[pixel] = {id < 0 ? no_key : key_of(log_odds), uint32_t(pixel)};
            a.mined[pixel] = uint8_t(id < 0 || log_odds <= limit ? easy_label : id);
        }
    });
    const int64_t counted =
        z.pixels() - std::count_if(items, items + z.pixels(), [](const Item& item) { return item.key == no_key; });
    const auto least = int64_t(std::ceil(a.options.keep * double(counted)));
    std::nth_element(items, items + least, items + z.pixels(),
                     [](const Item& x, const Item& y) { return x.key != y.key ? x.key < y.key : x.value < y.value; });
    for (int64_t i = 0; i < least; ++i) a.mined[items[i].value] = uint8_t(class_at(items[i].value));
}

}  // namespace

void hard_pixels(Queue& q, const HardPixelsArgs& a) {
    check(a);
    ran("hard_pixels/omp");
    dispatch_cpu("hard_pixels", a.logits.dtype, [&](auto zero) { mine<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
