#include "engine/ops/global_pool.h"
#include "engine/ops/resize.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested pool_case(const std::string& label, const Shape& x, bool exact) {
    Tested c("global_average_pool", label, {.shapes = {x}});
    c.exact = exact;  // where the number of pixels is a power of two, its inverse is exact
    return c;
}

// The pooled branch as DeepLabV3 has it: pooled, then spread over the image again.
static Tested image_level(const std::string& label, const Shape& x, bool align_corners) {
    Tested c = pool_case(label, x, false);
    c.call = [=](const std::vector<Tensor>& in, const Tensor&) {
        return bilinear(global_average_pool(in[0]), x[1], x[2], align_corners);
    };
    c.tolerance.bf16 = 0x1p-6;  // rounded twice on the way back: the sum over the image, then its share
    return c;
}

static const Family family("global_average_pool", [] {
    return std::vector<Tested>{
        pool_case("one_value", {1, 1, 1, 1}, true),
        pool_case("one_pixel", {3, 1, 1, 16}, true),
        pool_case("odd", {2, 5, 7, 3}, false),
        pool_case("vectors", {2, 8, 4, 32}, true),
        pool_case("prime", {1, 13, 11, 17}, false),
        pool_case("wide", {2, 3, 5, 264}, false),
        pool_case("many_pixels", {1, 67, 31, 8}, false),
        pool_case("one_channel", {2, 37, 41, 1}, false),
        pool_case("row", {3, 1, 23, 8}, false),
        image_level("and_back", {2, 6, 5, 8}, false),
        image_level("and_back_aligned", {1, 7, 9, 24}, true),
    };
});

}  // namespace atrous::cases
