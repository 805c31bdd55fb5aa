#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested dropout_case(const std::string& label, const Shape& shape, double p, bool exact = false) {
    Tested c("dropout", label, {.shapes = {shape}, .numbers = {{"p", p}}});
    c.exact = exact;  // where 1 / (1 - p) is a power of two
    c.least_nonzero = 0.8 * (1 - p);
    return c;
}

static const Family family("dropout", [] {
    return std::vector<Tested>{
        dropout_case("half", {2, 6, 4, 8}, 0.5, true),       dropout_case("odd", {2, 5, 7, 3}, 0.5, true),
        dropout_case("prime", {1, 13, 11, 17}, 0.1),         dropout_case("vectors", {2, 9, 4, 32}, 0.75, true),
        dropout_case("many_rows", {3, 67, 1, 8}, 0.3),       dropout_case("one_channel", {1, 31, 37, 1}, 0.5, true),
        dropout_case("beyond_a_tile", {1, 61, 9, 24}, 0.25), dropout_case("one_value", {1, 1, 1, 1}, 0x1p-30)};
});

}  // namespace atrous::cases
