#include "engine/ops/window.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested window_case(const std::string& label, const Shape& x, const Window& w, double least_nonzero = 0.2) {
    Tested c("window", label,
             {.shapes = {x},
              .output = {x[0], w.height, w.width, x[3]},
              .numbers = {{"top", double(w.top)}, {"left", double(w.left)}}});
    c.exact = true;
    c.least_nonzero = least_nonzero;
    return c;
}

// top, left, height, width
static const Family family("window", [] {
    return std::vector<Tested>{window_case("whole", {2, 3, 5, 8}, {0, 0, 3, 5}),
                               window_case("one_value", {1, 1, 1, 1}, {0, 0, 1, 1}),
                               window_case("pad_below_right", {2, 5, 7, 3}, {0, 0, 8, 8}),
                               window_case("crop_below_right", {2, 8, 8, 16}, {0, 0, 5, 7}),
                               window_case("pad_around", {1, 3, 4, 32}, {-1, -2, 6, 7}),
                               window_case("crop_within", {1, 11, 13, 17}, {3, 2, 5, 7}, 0.1),
                               window_case("crop_and_pad", {3, 6, 5, 8}, {2, -3, 9, 6}, 0.1),
                               window_case("corner", {1, 4, 4, 8}, {3, 3, 4, 4}, 0.01)};
});

}  // namespace atrous::cases
