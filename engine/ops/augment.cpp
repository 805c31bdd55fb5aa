#include "engine/ops/augment.h"

#include "base/error.h"
#include "engine/context.h"
#include "kernels/augment.h"

namespace atrous {

namespace k = kernels;

AugmentedImages augment(const AugmentInputs& in, const Shape& shape, DType dtype) {
    if (shape.rank() != 4) throw ShapeError("augment: the images must have rank 4, not " + shape.text());
    if (in.samples.bytes() != size_t(shape[0]) * sizeof(k::AugmentedSample))
        throw ShapeError("augment: there must be a sample for each of the images " + shape.text());
    if (in.sources.count() != in.labels.count() * shape[3])
        throw ShapeError("augment: the sources must have a label for each pixel");
    const Device device = in.sources.device();
    AugmentedImages out{Tensor::empty(shape, dtype, device),
                        Tensor::empty({shape[0], shape[1], shape[2], 1}, DType::u8, device)};
    k::AugmentArgs args;
    args.sources = in.sources.as<uint8_t>();
    args.source_labels = in.labels.as<uint8_t>();
    args.samples = in.samples.as<k::AugmentedSample>();
    args.filters = in.filters.as<int32_t>();
    args.levels = in.levels.as<float>();
    args.kinds = in.levels.count() / k::byte_levels;
    args.y = out.images.view();
    args.labels = out.labels.as<uint8_t>();
    run(device, {k::reference::augment, k::cpu::augment, k::cuda::augment, cpu_has_dry_run}, args);
    return out;
}

}  // namespace atrous
