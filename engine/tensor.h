// A tensor: a value handle on a block of device memory. Copies share the block. Rank 4 is [N][H][W][C], with a pixel
// pitch so that a channel slice of a wider tensor is a tensor too; rank 1 is dense.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/view.h"
#include "engine/device.h"
#include "engine/shape.h"

namespace atrous {

// One block of device memory; on meta, of a simulation (engine/simulation.h).
class CachingAllocator;
class Storage {
 public:
    Storage(Device device, size_t bytes);
    ~Storage();
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;
    void* data() const { return data_; }
    size_t bytes() const { return bytes_; }
    // Counts in-place changes, so that the tape can tell when a value it saved was overwritten.
    int64_t version() const { return version_.load(std::memory_order_relaxed); }
    void touch() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
    std::shared_ptr<CachingAllocator> memory_;
    void* data_ = nullptr;
    size_t bytes_ = 0;
    std::atomic<int64_t> version_{0};
};

class Tensor;

// The gradient slot of a parameter: where backward passes add up what reaches a leaf of the graph.
struct Leaf {
    std::shared_ptr<Tensor> gradient;  // in the gradient arena
    bool fresh = true;                 // the next contribution overwrites: zeroing a gradient is setting this
};

class Tensor {
 public:
    Tensor() = default;
    static Tensor empty(const Shape& shape, DType dtype, Device device);
    static Tensor full(const Shape& shape, DType dtype, Device device, double value);

    bool defined() const { return shape_.rank() > 0; }
    const Shape& shape() const { return shape_; }
    int64_t dim(int i) const { return shape_[i]; }
    int64_t count() const { return shape_.count(); }
    DType dtype() const { return dtype_; }
    Device device() const { return device_; }
    int64_t id() const { return id_; }  // names the value: equal in copies of the handle, new in slices
    int64_t pitch() const { return pitch_; }
    bool is_dense() const { return shape_.rank() != 4 || pitch_ == shape_[3]; }
    size_t bytes() const { return size_t(count()) * size_of(dtype_); }

    void* data() const;  // null on meta; under a simulation an address not to be followed
    template <class T>
    T* as() const {
        return static_cast<T*>(data());
    }
    View view() const;
    const std::shared_ptr<Storage>& storage() const { return storage_; }

    Tensor slice_channels(int64_t begin, int64_t count) const;  // shares memory; rank 4
    Tensor with_channels(int64_t channels) const;  // a slice that begins a block's pixels, seen with that many channels
    Tensor reshape(const Shape& shape) const;      // shares memory; dense, equal count
    // `count` elements from `begin` of a dense tensor, seen as `shape` (arenas). Shares memory.
    Tensor part(int64_t begin, const Shape& shape) const;

    Tensor dense() const;                                 // this one where it is dense, else a copy that is
    Tensor to(Device device) const;                       // a copy, dense; waits where the host is involved
    void copy_from(const Tensor& other);                  // same shape; converts the element type on one device
    void copy_from_host(const void* data, size_t bytes);  // dense
    void copy_to_host(void* data, size_t bytes) const;    // dense; waits
    template <class T>
    std::vector<T> to_host() const {
        std::vector<T> values(static_cast<size_t>(count()));
        require_dtype(dtype_of<T>);
        copy_to_host(values.data(), values.size() * sizeof(T));
        return values;
    }
    double item() const;  // the only element of a real tensor; waits
    void fill(double value);

    const std::shared_ptr<Leaf>& leaf() const { return leaf_; }
    void set_leaf(std::shared_ptr<Leaf> leaf) { leaf_ = std::move(leaf); }

 private:
    void require_dtype(DType wanted) const;

    Shape shape_;
    DType dtype_ = DType::f32;
    Device device_;
    std::shared_ptr<Storage> storage_;
    int64_t offset_ = 0, pitch_ = 0, id_ = 0;
    std::shared_ptr<Leaf> leaf_;
};

inline Tensor empty_like(const Tensor& x) { return Tensor::empty(x.shape(), x.dtype(), x.device()); }

// Copies or adds x to y, on x's device, converting the element type; does nothing where y is absent.
void copy_into(const Tensor& x, const GradTarget& y);

}  // namespace atrous
