#include "engine/train/batch_inputs.h"

#include "base/error.h"
#include "engine/autograd/tape.h"
#include "engine/ops/augment.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/normalize.h"
#include "engine/simulation.h"
#include "kernels/normalize.h"

namespace atrous {

static int64_t levels_of(const HostBatch& b) {
    return b.form == ImageForm::floats ? 0 : b.kinds() * kernels::byte_levels;
}
static int64_t sample_bytes(const HostBatch& b) {
    return b.form == ImageForm::samples ? b.n * int64_t(sizeof(kernels::AugmentedSample)) : 0;
}
static int64_t pixels_of(const HostBatch& b) {
    return b.form == ImageForm::samples ? b.source_pixels : b.n * b.h * b.w;
}
static int64_t filters_of(const HostBatch& b) { return b.form == ImageForm::samples ? b.filter_values : 0; }
static DType type_of(const HostBatch& b) { return b.form == ImageForm::floats ? DType::f32 : DType::u8; }

BatchInputs::BatchInputs(const HostBatch& b, bool labelled, Device device) : shape_{b.n, b.h, b.w, b.c} {
    const UseScope use(BlockUse::batch);
    const bool stored = b.form == ImageForm::samples;
    images_ = Tensor::empty(stored ? Shape{pixels_of(b) * b.c} : shape_, type_of(b), device);
    if (levels_of(b) > 0) levels_ = Tensor::empty({levels_of(b)}, DType::f32, device);
    if (stored) samples_ = Tensor::empty({sample_bytes(b)}, DType::u8, device);
    if (stored) filters_ = Tensor::empty({filters_of(b)}, DType::i32, device);
    if (labelled) labels_ = Tensor::empty(stored ? Shape{pixels_of(b)} : Shape{b.n, b.h, b.w, 1}, DType::u8, device);
}

std::vector<int64_t> BatchInputs::key_of(const HostBatch& b) {
    return {b.n, b.h, b.w, b.c, int64_t(b.form), pixels_of(b), filters_of(b)};
}

size_t BatchInputs::bytes_of(const HostBatch& b) {
    return size_t(pixels_of(b)) * (size_t(b.c) * size_of(type_of(b)) + 1) + size_t(levels_of(b)) * sizeof(float) +
           size_t(sample_bytes(b)) + size_t(filters_of(b)) * sizeof(int32_t);
}

void BatchInputs::each(const HostBatch& b, const Copy& copy) const {
    const auto send = [&](const Tensor& to, const auto& values) {
        if (!to.defined()) return;
        require(to.device().kind == DeviceKind::meta || values.size() * sizeof(values[0]) == to.bytes(),
                "training step: the batch's images or labels do not fill its shape");
        copy(to, values.data());
    };
    if (b.form == ImageForm::floats)
        send(images_, b.images);
    else
        send(images_, b.bytes);
    send(levels_, b.levels);
    send(samples_, b.samples);
    send(filters_, b.filters);
    send(labels_, b.labels);
}

DeviceBatch BatchInputs::on_device(DType compute) const {
    const NoTape off;
    const UseScope use(BlockUse::batch);
    if (samples_.defined()) {
        AugmentedImages made = augment({images_, labels_, samples_, filters_, levels_}, shape_, compute);
        return {std::move(made.images), std::move(made.labels)};
    }
    return {levels_.defined() ? normalize_bytes(images_, levels_, compute) : cast(images_, compute), labels_};
}

DeviceBatch upload(const HostBatch& batch, Device device, DType compute) {
    const BatchInputs inputs(batch, !batch.labels.empty(), device);
    inputs.each(batch, [](Tensor to, const void* from) { to.copy_from_host(from, to.bytes()); });
    return inputs.on_device(compute);
}

}  // namespace atrous
