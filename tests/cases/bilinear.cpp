#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested bilinear_case(const std::string& label, const Shape& x, int64_t height, int64_t width, bool align_corners,
                            bool exact = false) {
    Tested c("bilinear", label + (align_corners ? "_aligned" : "_half_pixel"),
             {.shapes = {x}, .output = {x[0], height, width, x[3]}, .numbers = {{"align_corners", align_corners}}});
    c.takes_destination = true;
    c.exact = exact;
    c.least_nonzero = 0.03;  // shrinking passes over inputs
    return c;
}

static const Family family("bilinear", [] {
    std::vector<Tested> cases;
    for (bool aligned : {false, true}) {
        const bool half_pixel = !aligned;
        // Scales of 2, 4 and 1/2 by half pixels have weights that are multiples of 1/8: no rounding anywhere.
        cases.push_back(bilinear_case("x2", {2, 3, 5, 8}, 6, 10, aligned, half_pixel));
        cases.push_back(bilinear_case("x2_odd", {1, 5, 3, 3}, 10, 6, aligned, half_pixel));
        cases.push_back(bilinear_case("x4", {1, 4, 3, 16}, 16, 12, aligned, half_pixel));
        cases.push_back(bilinear_case("half", {1, 8, 6, 8}, 4, 3, aligned, half_pixel));
        cases.push_back(bilinear_case("same", {1, 5, 7, 5}, 5, 7, aligned, true));
        cases.push_back(bilinear_case("from_one_pixel", {2, 1, 1, 8}, 5, 7, aligned, true));
        cases.push_back(bilinear_case("one_value", {1, 1, 1, 1}, 1, 1, aligned, true));
        cases.push_back(bilinear_case("to_one_pixel", {1, 5, 4, 6}, 1, 1, aligned, aligned));
        cases.push_back(bilinear_case("prime", {1, 7, 5, 17}, 13, 11, aligned));
        cases.push_back(bilinear_case("x8", {1, 3, 4, 21}, 24, 32, aligned));
        cases.push_back(bilinear_case("shrink", {1, 13, 11, 8}, 5, 3, aligned));
        cases.push_back(bilinear_case("mixed", {2, 9, 4, 8}, 4, 9, aligned));
        cases.push_back(bilinear_case("row", {1, 1, 9, 8}, 3, 20, aligned));
    }
    return cases;
});

}  // namespace atrous::cases
