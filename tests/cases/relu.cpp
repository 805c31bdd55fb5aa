#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested relu_case(const std::string& label, const Shape& shape) {
    Tested c("relu", label, {.shapes = {shape}});
    c.exact = true;
    return c;
}

static const Family family("relu", [] {
    return std::vector<Tested>{relu_case("one_value", {1, 1, 1, 1}),
                               relu_case("one_pixel", {1, 1, 1, 24}),
                               relu_case("odd", {2, 5, 7, 3}),
                               relu_case("prime", {1, 13, 11, 17}),
                               relu_case("vectors", {2, 9, 4, 32}),
                               relu_case("many_rows", {3, 67, 1, 8}),
                               relu_case("wide_channels", {1, 2, 3, 260})};
});

}  // namespace atrous::cases
