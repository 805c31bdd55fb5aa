#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested cast_case(const std::string& label, const Shape& shape, DType to) {
    Tested c("cast", label + "_to_" + name_of(to), {.shapes = {shape}, .numbers = {{"to", double(to)}}});
    c.exact = true;
    c.smooth = false;  // rounding is a staircase
    return c;
}

static const Family family("cast", [] {
    std::vector<Tested> cases;
    for (DType to : {DType::f32, DType::bf16, DType::f16, DType::f64}) {
        cases.push_back(cast_case("one_value", {1, 1, 1, 1}, to));
        cases.push_back(cast_case("odd", {2, 5, 7, 3}, to));
        cases.push_back(cast_case("vectors", {1, 9, 4, 32}, to));
    }
    return cases;
});

}  // namespace atrous::cases
