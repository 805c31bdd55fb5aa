#include "engine/ops/normalize.h"

#include "engine/context.h"
#include "engine/ops/shapes.h"
#include "kernels/normalize.h"

namespace atrous {

namespace k = kernels;

Tensor normalize_bytes(const Tensor& bytes, const Tensor& levels, DType dtype) {
    check_rank4("normalize_bytes", bytes);
    if (bytes.dtype() != DType::u8) throw ShapeError("normalize_bytes: the images must be u8");
    const int64_t kinds = levels.count() / k::byte_levels;
    if (levels.dtype() != DType::f32 || kinds < 1 || levels.count() % k::byte_levels != 0)
        throw ShapeError("normalize_bytes: levels must be f32 of 256 elements a kind, not " + levels.shape().text());
    Tensor y = Tensor::empty(bytes.shape(), dtype, bytes.device());
    run(bytes.device(), {k::reference::normalize_bytes, k::cpu::normalize_bytes, k::cuda::normalize_bytes},
        k::NormalizeBytesArgs{bytes.view(), levels.as<float>(), kinds, y.view()});
    return y;
}

}  // namespace atrous
