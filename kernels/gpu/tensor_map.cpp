#include "kernels/gpu/tensor_map.h"

#include <string>

#include "base/error.h"

namespace atrous::gpu {

unsigned element_bytes(TensorElement element) { return element == TensorElement::f32 ? 4 : 2; }

static void need(bool ok, const std::string& found, const char* expected) {
    if (!ok) throw GpuError("tensor map: " + found + "; " + expected);
}

static void check_dimension(const TensorMapDescription& d, size_t i) {
    const std::string which = " of dimension " + std::to_string(i) + " is ";
    need(d.size[i] > 0 && d.size[i] <= (uint64_t(1) << 32), "the size" + which + std::to_string(d.size[i]),
         "1 to 2^32 elements are possible");
    need(d.box[i] > 0 && d.box[i] <= 256, "the box" + which + std::to_string(d.box[i]),
         "1 to 256 elements are possible");
    need(d.step[i] > 0 && d.step[i] <= (i ? 8 : 1), "the step" + which + std::to_string(d.step[i]),
         "1 to 8 is possible, and 1 for dimension 0");
    if (i == 0) return;
    need(d.stride_bytes[i] % 16 == 0 && d.stride_bytes[i] < (uint64_t(1) << 40),
         "the stride" + which + std::to_string(d.stride_bytes[i]) + " bytes",
         "multiples of 16 below 2^40 are possible");
}

void check_tensor_map(const TensorMapDescription& d) {
    need(d.rank >= 2 && d.rank <= 5, "the rank is " + std::to_string(d.rank), "2 to 5 is supported");
    need(uintptr_t(d.base) % 16 == 0, "the base is not aligned", "it must be a multiple of 16 bytes");
    for (int i = 0; i < d.rank; ++i) check_dimension(d, size_t(i));
    const unsigned row = d.box[0] * element_bytes(d.element);
    const std::string found = "a row of the box has " + std::to_string(row) + " bytes";
    if (d.swizzle == TensorSwizzle::bytes128)
        need(row == 128, found, "with the swizzle of 128 bytes it must have 128");
    else
        need(row % 16 == 0, found, "a multiple of 16 is expected");
}

}  // namespace atrous::gpu
