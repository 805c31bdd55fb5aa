#include "engine/ops/window.h"

#include "tests/cases/case.h"

namespace atrous::cases {

static Case window_case(const std::string& label, const Shape& x, const Window& w, double least_nonzero = 0.2) {
    Case c{.label = label, .inputs = {{"x", x}}};
    c.call = [w](const std::vector<Tensor>& in, const Tensor&) { return window(in[0], w); };
    c.exact = true;
    c.backward_reads_inputs = false;
    c.least_nonzero = least_nonzero;
    return c;
}

static Case window_at(const Request& r) {
    const Shape& x = r.shape(0);
    const int64_t top = r.integer("top", 0), left = r.integer("left", 0);
    if (r.output.rank() == 4) return window_case("", x, {top, left, r.output[1], r.output[2]});
    return window_case("", x, {top, left, x[1], x[2]});
}

// top, left, height, width
static const Family family("window", window_at, [] {
    return std::vector<Case>{window_case("whole", {2, 3, 5, 8}, {0, 0, 3, 5}),
                             window_case("one_value", {1, 1, 1, 1}, {0, 0, 1, 1}),
                             window_case("pad_below_right", {2, 5, 7, 3}, {0, 0, 8, 8}),
                             window_case("crop_below_right", {2, 8, 8, 16}, {0, 0, 5, 7}),
                             window_case("pad_around", {1, 3, 4, 32}, {-1, -2, 6, 7}),
                             window_case("crop_within", {1, 11, 13, 17}, {3, 2, 5, 7}, 0.1),
                             window_case("crop_and_pad", {3, 6, 5, 8}, {2, -3, 9, 6}, 0.1),
                             window_case("corner", {1, 4, 4, 8}, {3, 3, 4, 4}, 0.01)};
});

}  // namespace atrous::cases
