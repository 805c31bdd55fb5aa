#include "engine/ops/pool.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested max_pool_case(const std::string& label, const Shape& x, PoolGeometry g) {
    Tested c("max_pool", label,
             {.shapes = {x}, .numbers = {{"kernel", g.kernel}, {"stride", g.stride}, {"padding", g.padding}}});
    c.exact = true;          // small integers are full of ties: the first maximum takes the gradient everywhere
    c.least_nonzero = 0.02;  // of a window, one element gets a gradient
    return c;
}

// kernel, stride, padding
static const Family family("max_pool", [] {
    return std::vector<Tested>{
        max_pool_case("k1_one_value", {1, 1, 1, 1}, {1, 1, 0}),  max_pool_case("k2_even", {2, 6, 4, 8}, {2, 2, 0}),
        max_pool_case("k2_odd", {2, 7, 5, 3}, {2, 2, 0}),        max_pool_case("k2_vectors", {1, 8, 10, 32}, {2, 2, 0}),
        max_pool_case("k2_one_window", {1, 2, 2, 5}, {2, 2, 0}), max_pool_case("k2_overlap", {1, 6, 7, 8}, {2, 1, 0}),
        max_pool_case("k2_padding", {1, 5, 6, 8}, {2, 2, 1}),    max_pool_case("k3_stem", {1, 11, 9, 16}, {3, 2, 1}),
        max_pool_case("k3_stem_odd", {2, 8, 7, 5}, {3, 2, 1}),   max_pool_case("k3_same", {1, 7, 6, 8}, {3, 1, 1}),
        max_pool_case("k3_gaps", {1, 11, 12, 8}, {3, 4, 0}),     max_pool_case("k3_one_pixel", {1, 1, 1, 9}, {3, 1, 1}),
        max_pool_case("k5_prime", {1, 13, 11, 17}, {5, 3, 2}),   max_pool_case("k15", {1, 16, 17, 8}, {15, 1, 7})};
});

}  // namespace atrous::cases
