#include "engine/train/batch_inputs.h"

#include "base/error.h"
#include "engine/autograd/tape.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/normalize.h"
#include "engine/simulation.h"
#include "kernels/normalize.h"

namespace atrous {

static DType type_of(const HostBatch& b) { return b.form == ImageForm::bytes ? DType::u8 : DType::f32; }
static int64_t levels_of(const HostBatch& b) { return b.kinds() * kernels::byte_levels; }

BatchInputs::BatchInputs(const HostBatch& b, bool labelled, Device device) : n_(b.n), h_(b.h), w_(b.w) {
    const UseScope use(BlockUse::batch);
    images_ = Tensor::empty({b.n, b.h, b.w, b.c}, type_of(b), device);
    if (b.form == ImageForm::bytes) levels_ = Tensor::empty({levels_of(b)}, DType::f32, device);
    if (labelled) labels_ = Tensor::empty({b.n, b.h, b.w, 1}, DType::u8, device);
}

std::vector<int64_t> BatchInputs::key_of(const HostBatch& b) { return {b.n, b.h, b.w, b.c, int64_t(b.form)}; }

size_t BatchInputs::bytes_of(const HostBatch& b) {
    const size_t levels = b.form == ImageForm::bytes ? size_t(levels_of(b)) * sizeof(float) : 0;
    return size_t(b.n * b.h * b.w) * (size_t(b.c) * size_of(type_of(b)) + 1) + levels;
}

void BatchInputs::each(const HostBatch& b, const Copy& copy) const {
    const auto send = [&](const Tensor& to, const auto& values) {
        if (!to.defined()) return;
        require(to.device().kind == DeviceKind::meta || values.size() * sizeof(values[0]) == to.bytes(),
                "training step: the batch's images or labels do not fill its shape");
        copy(to, values.data());
    };
    if (b.form == ImageForm::bytes)
        send(images_, b.bytes);
    else
        send(images_, b.images);
    send(levels_, b.levels);
    send(labels_, b.labels);
}

DeviceBatch BatchInputs::on_device(DType compute) const {
    const NoTape off;
    const UseScope use(BlockUse::batch);
    return {levels_.defined() ? normalize_bytes(images_, levels_, compute) : cast(images_, compute), labels_};
}

DeviceBatch upload(const HostBatch& batch, Device device, DType compute) {
    const BatchInputs inputs(batch, !batch.labels.empty(), device);
    inputs.each(batch, [](Tensor to, const void* from) { to.copy_from_host(from, to.bytes()); });
    return inputs.on_device(compute);
}

}  // namespace atrous
