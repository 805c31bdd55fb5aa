#include "engine/ops/pool.h"
#include "tests/cases/case.h"

namespace atrous::cases {

static Case max_pool_case(const std::string& label, const Shape& x, PoolGeometry geometry) {
    Case c{.label = label, .inputs = {{"x", x, Role::activation, Fill::distinct}}};
    c.call = [geometry](const std::vector<Tensor>& in, const Tensor&) { return max_pool(in[0], geometry); };
    c.exact = true;  // small integers are full of ties: the first maximum takes the gradient everywhere
    c.flops = double(x.count()) * geometry.kernel * geometry.kernel / (geometry.stride * geometry.stride);
    c.backward_reads_inputs = false;
    c.forward_extra.bytes = c.backward_extra.bytes =  // where each maximum lay, a byte each
        double(x.count()) / (geometry.stride * geometry.stride);
    c.least_nonzero = 0.02;  // of a window, one element gets a gradient
    return c;
}

static Case max_pool_at(const Request& r) {
    const int kernel = int(r.integer("kernel", 2));
    return max_pool_case("", r.shape(0),
                         {kernel, int(r.integer("stride", 2)), int(r.integer("padding", (kernel - 1) / 2))});
}

// kernel, stride, padding
static const Family family("max_pool", max_pool_at, [] {
    return std::vector<Case>{
        max_pool_case("k1_one_value", {1, 1, 1, 1}, {1, 1, 0}),  max_pool_case("k2_even", {2, 6, 4, 8}, {2, 2, 0}),
        max_pool_case("k2_odd", {2, 7, 5, 3}, {2, 2, 0}),        max_pool_case("k2_vectors", {1, 8, 10, 32}, {2, 2, 0}),
        max_pool_case("k2_one_window", {1, 2, 2, 5}, {2, 2, 0}), max_pool_case("k2_overlap", {1, 6, 7, 8}, {2, 1, 0}),
        max_pool_case("k2_padding", {1, 5, 6, 8}, {2, 2, 1}),    max_pool_case("k3_stem", {1, 11, 9, 16}, {3, 2, 1}),
        max_pool_case("k3_stem_odd", {2, 8, 7, 5}, {3, 2, 1}),   max_pool_case("k3_same", {1, 7, 6, 8}, {3, 1, 1}),
        max_pool_case("k3_gaps", {1, 11, 12, 8}, {3, 4, 0}),     max_pool_case("k3_one_pixel", {1, 1, 1, 9}, {3, 1, 1}),
        max_pool_case("k5_prime", {1, 13, 11, 17}, {5, 3, 2}),   max_pool_case("k15", {1, 16, 17, 8}, {15, 1, 7})};
});

}  // namespace atrous::cases
