#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested nearest_case(const std::string& label, const Shape& x, int64_t height, int64_t width) {
    Tested c("nearest", label, {.shapes = {x}, .output = {x[0], height, width, x[3]}});
    c.takes_destination = true;
    c.exact = true;
    c.least_nonzero = 0.01;  // shrinking passes over inputs
    return c;
}

static const Family family("nearest", [] {
    return std::vector<Tested>{
        nearest_case("one_value", {1, 1, 1, 1}, 1, 1),
        nearest_case("x2", {2, 3, 5, 8}, 6, 10),
        nearest_case("x2_odd", {1, 5, 3, 3}, 10, 6),
        nearest_case("x8", {1, 3, 4, 21}, 24, 32),
        nearest_case("half", {1, 8, 6, 16}, 4, 3),
        nearest_case("same", {1, 5, 7, 5}, 5, 7),
        nearest_case("from_one_pixel", {2, 1, 1, 8}, 5, 7),
        nearest_case("to_one_pixel", {1, 5, 4, 24}, 1, 1),
        nearest_case("prime", {1, 7, 5, 17}, 13, 11),
        nearest_case("shrink", {1, 13, 11, 8}, 5, 3),
        nearest_case("mixed", {2, 9, 4, 8}, 4, 9),
        nearest_case("row", {1, 1, 9, 8}, 3, 20),
        // Sizes where float(p) * scale and p * H / P fall on different sides of a whole number.
        nearest_case("rounding", {1, 3, 15, 1}, 123, 185),
        nearest_case("rounding_down", {1, 117, 104, 1}, 99, 88),
    };
});

}  // namespace atrous::cases
