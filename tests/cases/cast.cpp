#include "engine/ops/elementwise.h"
#include "tests/cases/case.h"

namespace atrous::cases {

static Case cast_case(const std::string& label, const Shape& shape, DType to) {
    Case c{.label = label + "_to_" + name_of(to), .inputs = {{"x", shape}}};
    c.call = [to](const std::vector<Tensor>& in, const Tensor&) { return cast(in[0], to); };
    c.exact = true;
    c.backward_reads_inputs = false;
    c.smooth = false;  // rounding is a staircase
    // Values are rounded to the target whatever they come from.
    c.tolerance.f32 = c.tolerance.f64 = to == DType::bf16  ? c.tolerance.bf16
                                        : to == DType::f16 ? c.tolerance.f16
                                                           : 1e-7;
    // A cast to the type that a tensor has already is no op at all.
    c.supports = [to](DeviceKind kind, DType from) {
        return from != to && (to != DType::f64 || kind != DeviceKind::gpu);
    };
    return c;
}

static Case cast_at(const Request& r) {
    return cast_case("", r.shape(0), DType(r.integer("to", int64_t(DType::bf16))));
}

static const Family family("cast", cast_at, [] {
    std::vector<Case> cases;
    for (DType to : {DType::f32, DType::bf16, DType::f16, DType::f64}) {
        cases.push_back(cast_case("one_value", {1, 1, 1, 1}, to));
        cases.push_back(cast_case("odd", {2, 5, 7, 3}, to));
        cases.push_back(cast_case("vectors", {1, 9, 4, 32}, to));
    }
    return cases;
});

}  // namespace atrous::cases
