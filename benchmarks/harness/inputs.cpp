#include "benchmarks/harness/inputs.h"

#include <algorithm>

#include "benchmarks/cases/run.h"

namespace atrous::bench {

// Not a power of two: rows and channels do not all hold the same values.
constexpr int64_t period = (int64_t(1) << 20) - 3;

static Tensor tiled(const Shape& shape, DType dtype, Device device, const std::vector<double>& values) {
    const int64_t block = int64_t(values.size());
    const Tensor tile =
        cases::tensor_of({block}, dtype, {DeviceKind::cpu}, cases::Pitch::dense, cases::rounded(values, dtype));
    Tensor t = Tensor::empty(shape, dtype, device);
    for (int64_t at = 0; at < t.count(); at += block) {
        const int64_t n = std::min(block, t.count() - at);
        t.part(at, {n}).copy_from_host(tile.data(), size_t(n) * size_of(dtype));
    }
    return t;
}

Tensor operand_of(const cases::Case& c, size_t input, DType activations, Device device) {
    const cases::Input& whole = c.inputs[input];
    cases::Case part = c;
    part.inputs[input].shape = {std::min(whole.shape.count(), period)};
    return tiled(whole.shape, cases::type_of(whole, activations), device,
                 cases::values_of(part, input, activations, false));
}

Tensor random_tensor(const Shape& shape, DType dtype, Device device) {
    const cases::Case c{.op = "random"};
    return tiled(shape, dtype, device, cases::seed_of(c, std::min(shape.count(), period), dtype, false));
}

}  // namespace atrous::bench
