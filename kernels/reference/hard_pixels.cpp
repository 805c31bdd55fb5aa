// Hard pixels by their definition: all that count are sorted.
#include "kernels/hard_pixels.h"

#include <algorithm>
#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/reference/softmax.h"

namespace atrous::kernels::reference {

namespace {

struct Pixel {
    int64_t place, id;
    double log_odds;
};

template <class T>
void mine(const HardPixelsArgs& a) {
    const View& z = a.logits;
    std::vector<Pixel> counted;
    for (int64_t pixel = 0; pixel < z.pixels(); ++pixel) {
        a.mined[pixel] = easy_label;
        const int64_t id = class_of(a.labels[pixel], z.c, a.options.ignore_index);
        if (id < 0) continue;
        counted.push_back(
            {pixel, id, log_odds_against(z.c, id, [&](int64_t c) { return double(at<T>(z, pixel, c)); })});
    }
    std::stable_sort(counted.begin(), counted.end(), [](const Pixel& x, const Pixel& y) {
        return std::isnan(x.log_odds) ? !std::isnan(y.log_odds) : x.log_odds > y.log_odds;
    });
    const double least = std::ceil(a.options.keep * double(counted.size())), limit = log_odds_limit(a.options);
    for (size_t i = 0; i < counted.size(); ++i)
        if (double(i) < least || !(counted[i].log_odds <= limit)) a.mined[counted[i].place] = uint8_t(counted[i].id);
}

}  // namespace

void hard_pixels(Queue&, const HardPixelsArgs& a) {
    check(a);
    ran("hard_pixels/reference");
    dispatch_exact("hard_pixels", a.logits.dtype, [&](auto zero) { mine<decltype(zero)>(a); });
}

}  // namespace atrous::kernels::reference
