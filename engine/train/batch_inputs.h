// The tensors that a batch is copied into, and what they become in front of a net. Images travel as they lie in the batch:
// as floats; as bytes, a quarter of them, which the device normalizes; or as samples, which it augments too.
#pragma once

#include <functional>
#include <vector>

#include "engine/host_batch.h"
#include "engine/tensor.h"

namespace atrous {

// Images of a batch as the net takes them, and labels u8 [N][H][W][1] (undefined where the batch has none).
struct DeviceBatch {
    Tensor images, labels;
};

class BatchInputs {
 public:
    BatchInputs(const HostBatch& like, bool labelled, Device device);  // takes memory; copies nothing

    // Batches with equal keys fit the same tensors.
    static std::vector<int64_t> key_of(const HostBatch& batch);
    static size_t bytes_of(const HostBatch& batch);  // of all tensors, with labels

    // Calls copy(tensor, the batch's values) for each tensor. Error where they do not fill it; on meta, where shapes are
    // all that there is, they need not.
    using Copy = std::function<void(const Tensor& to, const void* from)>;
    void each(const HostBatch& batch, const Copy& copy) const;
    // From what was copied into the tensors. Images of that element type; of floats they may be the tensor itself.
    DeviceBatch on_device(DType compute) const;

    int64_t images() const { return shape_[0]; }
    int64_t pixels() const { return shape_[0] * shape_[1] * shape_[2]; }

 private:
    Shape shape_;  // of the images in front of the net
    Tensor images_, labels_;
    Tensor levels_;             // of bytes and samples
    Tensor samples_, filters_;  // of samples, whose images and labels are as they are stored
};

// Copies the batch to the device and makes of it what the net takes.
DeviceBatch upload(const HostBatch& batch, Device device, DType compute);

}  // namespace atrous
