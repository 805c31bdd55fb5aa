#include "benchmarks/cases/case.h"
#include "engine/ops/elementwise.h"

namespace atrous::cases {

static Case cast_at(const Request& r) {
    const auto to = DType(r.integer("to", int64_t(DType::bf16)));
    Case c{.inputs = {{"x", r.shape(0)}}};
    c.call = [to](const std::vector<Tensor>& in, const Tensor&) { return cast(in[0], to); };
    c.backward_reads_inputs = false;
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

static const Measured measured("cast", cast_at);

}  // namespace atrous::cases
