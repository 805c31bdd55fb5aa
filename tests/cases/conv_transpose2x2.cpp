#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested up_case(const std::string& label, const Shape& x, int64_t o, bool bias) {
    Request r{.shapes = {x}, .parameters = {{2, 2, o, x[3]}}};
    if (bias) r.parameters.push_back({o});
    Tested c("conv_transpose2x2", label, r);
    c.takes_destination = true;
    c.exact = true;
    return c;
}

static const Family family("conv_transpose2x2", [] {
    return std::vector<Tested>{
        up_case("one_value", {1, 1, 1, 1}, 1, true),  up_case("one_pixel", {1, 1, 1, 16}, 8, false),
        up_case("odd", {2, 3, 5, 3}, 5, true),        up_case("odd_no_bias", {1, 5, 2, 7}, 3, false),
        up_case("vectors", {2, 4, 3, 16}, 8, true),   up_case("vectors_no_bias", {1, 5, 5, 8}, 16, false),
        up_case("prime", {1, 7, 5, 17}, 11, true),    up_case("wide", {1, 2, 3, 8}, 72, true),
        up_case("deep", {1, 3, 2, 72}, 8, false),     up_case("many_pixels", {1, 11, 13, 8}, 8, true),
        up_case("mixed_out", {1, 4, 4, 16}, 5, true), up_case("mixed_in", {1, 4, 4, 5}, 16, true)};
});

}  // namespace atrous::cases
