#include "engine/ops/dropout.h"
#include "tests/cases/case.h"

namespace atrous::cases {

static Case dropout_case(const std::string& label, const Shape& shape, double p, bool exact = false) {
    Case c{.label = label, .inputs = {{"x", shape}}};
    c.call = [p](const std::vector<Tensor>& in, const Tensor&) {
        const StepRandomness random(5, 11, 1);
        return dropout(in[0], p, true);
    };
    c.flops = c.backward_flops = double(shape.count());
    c.backward_reads_inputs = false;
    c.exact = exact;  // where 1 / (1 - p) is a power of two
    c.least_nonzero = 0.8 * (1 - p);
    return c;
}

static Case dropout_at(const Request& r) { return dropout_case("", r.shape(0), r.number("p", 0.5)); }

static const Family family("dropout", dropout_at, [] {
    return std::vector<Case>{
        dropout_case("half", {2, 6, 4, 8}, 0.5, true),       dropout_case("odd", {2, 5, 7, 3}, 0.5, true),
        dropout_case("prime", {1, 13, 11, 17}, 0.1),         dropout_case("vectors", {2, 9, 4, 32}, 0.75, true),
        dropout_case("many_rows", {3, 67, 1, 8}, 0.3),       dropout_case("one_channel", {1, 31, 37, 1}, 0.5, true),
        dropout_case("beyond_a_tile", {1, 61, 9, 24}, 0.25), dropout_case("one_value", {1, 1, 1, 1}, 0x1p-30)};
});

}  // namespace atrous::cases
