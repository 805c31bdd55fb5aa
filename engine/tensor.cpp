#include "engine/tensor.h"

#include <fmt/core.h>

#include <cstring>

#include "engine/context.h"
#include "engine/simulation.h"
#include "kernels/elementwise.h"

namespace atrous {

namespace k = kernels;

// Contexts live for the whole process, simulations do not.
static std::shared_ptr<CachingAllocator> owner_of_memory(Device device) {
    if (device.kind == DeviceKind::meta) return MemorySimulation::current()->shared_memory();
    return {std::shared_ptr<void>(), &context_of(device).memory()};
}

Storage::Storage(Device device, size_t bytes)
    : memory_(owner_of_memory(device)), data_(memory_->allocate(bytes)), bytes_(bytes) {}
Storage::~Storage() { memory_->release(data_); }

static int64_t next_id() {
    static std::atomic<int64_t> id{1};
    return id++;
}

// More than a process can address is no tensor; below it counts, bytes and the sums of a plan stay far from 2^63.
static constexpr int64_t max_bytes = int64_t{1} << 47;

static void check_extents(const Shape& shape, DType dtype) {
    auto bytes = int64_t(size_of(dtype));
    for (int i = 0; i < shape.rank(); ++i) {
        if (shape[i] < 1) throw ShapeError("a tensor of shape " + shape.text() + " has no elements");
        if (__builtin_mul_overflow(bytes, shape[i], &bytes) || bytes > max_bytes)
            throw ShapeError(fmt::format(
                "a tensor of shape {} and type {} takes more than the {} TiB that can be addressed; use smaller "
                "images, fewer of them at once, or fewer channels",
                shape.text(), name_of(dtype), max_bytes >> 40));
    }
}

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
    check_extents(shape, dtype);
    Tensor t;
    t.shape_ = shape;
    t.dtype_ = dtype;
    t.device_ = device;
    t.pitch_ = shape[shape.rank() - 1];
    t.id_ = next_id();
    MemorySimulation* simulation = device.kind == DeviceKind::meta ? MemorySimulation::current() : nullptr;
    if (device.kind != DeviceKind::meta || simulation) t.storage_ = std::make_shared<Storage>(device, t.bytes());
    if (simulation) simulation->made(t);
    return t;
}

Tensor Tensor::full(const Shape& shape, DType dtype, Device device, double value) {
    Tensor t = empty(shape, dtype, device);
    t.fill(value);
    return t;
}

void* Tensor::data() const {
    return storage_ ? static_cast<char*>(storage_->data()) + size_t(offset_) * size_of(dtype_) : nullptr;
}

View Tensor::view() const {
    if (shape_.rank() == 4) return {data(), dtype_, shape_[0], shape_[1], shape_[2], shape_[3], pitch_};
    if (shape_.rank() == 1) return {data(), dtype_, 1, 1, 1, shape_[0], shape_[0]};
    throw ShapeError("a kernel takes a tensor of rank 4 or 1, not " + shape_.text());
}

Tensor Tensor::slice_channels(int64_t begin, int64_t count) const {
    if (shape_.rank() != 4 || begin < 0 || count < 1 || begin + count > shape_[3])
        throw ShapeError(fmt::format("channels {}..{} of a tensor of shape {}", begin, begin + count, shape_.text()));
    Tensor t = *this;
    t.shape_ = {shape_[0], shape_[1], shape_[2], count};
    t.offset_ += begin;
    t.id_ = next_id();
    t.leaf_ = nullptr;
    return t;
}

Tensor Tensor::with_channels(int64_t channels) const {
    if (shape_.rank() != 4 || channels > pitch_)
        throw ShapeError(fmt::format("{} seen with {} channels", shape_.text(), channels));
    Tensor t = *this;
    t.shape_ = {shape_[0], shape_[1], shape_[2], channels};
    t.id_ = next_id();
    t.leaf_ = nullptr;
    return t;
}

Tensor Tensor::part(int64_t begin, const Shape& shape) const {
    if (!is_dense() || begin < 0 || begin + shape.count() > count())
        throw ShapeError(
            fmt::format("elements {}..{} of a tensor of shape {}", begin, begin + shape.count(), shape_.text()));
    Tensor t = *this;
    t.shape_ = shape;
    t.offset_ += begin;
    t.pitch_ = shape[shape.rank() - 1];
    t.id_ = next_id();
    t.leaf_ = nullptr;
    return t;
}

Tensor Tensor::reshape(const Shape& shape) const {
    if (shape.count() != count()) throw ShapeError(shape_.text() + " cannot be seen as " + shape.text());
    return part(0, shape);
}

static bool on_host(Device d) { return d.kind == DeviceKind::cpu || d.kind == DeviceKind::reference; }

void Tensor::copy_from_host(const void* data, size_t bytes) {
    if (!is_dense() || bytes != this->bytes())
        throw ShapeError(fmt::format("{} bytes from the host for a tensor of shape {} ({} bytes)", bytes, shape_.text(),
                                     this->bytes()));
    if (!storage_) return;
    storage_->touch();
    if (device_.kind == DeviceKind::meta) return;
    if (on_host(device_)) {
        std::memcpy(this->data(), data, bytes);
        return;
    }
    auto& context = context_of(device_);
    context.copy_async(this->data(), data, bytes);
    context.synchronize();
}

void Tensor::copy_to_host(void* data, size_t bytes) const {
    if (device_.kind == DeviceKind::meta) throw Error("a tensor on device meta has no values");
    if (!is_dense() || bytes != this->bytes())
        throw ShapeError(fmt::format("{} bytes to the host of a tensor of shape {} ({} bytes)", bytes, shape_.text(),
                                     this->bytes()));
    if (on_host(device_)) {
        std::memcpy(data, this->data(), bytes);
        return;
    }
    auto& context = context_of(device_);
    context.copy_async(data, this->data(), bytes);
    context.synchronize();
}

void Tensor::copy_from(const Tensor& other) {
    if (other.shape() != shape_ || other.device() != device_)
        throw ShapeError("copy of " + other.shape().text() + " into " + shape_.text());
    if (storage_) storage_->touch();
    copy_into(other, {view(), false});
}

Tensor Tensor::dense() const {
    if (is_dense()) return *this;
    Tensor copy = empty_like(*this);
    copy.copy_from(*this);
    return copy;
}

Tensor Tensor::to(Device device) const {
    const Tensor source = dense();
    Tensor t = empty(shape_, dtype_, device);
    if (device.kind == DeviceKind::meta || device_.kind == DeviceKind::meta) return t;
    if (on_host(device_)) {
        t.copy_from_host(source.data(), bytes());
    } else if (on_host(device)) {
        source.copy_to_host(t.data(), bytes());
    } else {
        std::vector<char> host(bytes());
        source.copy_to_host(host.data(), host.size());
        t.copy_from_host(host.data(), host.size());
    }
    return t;
}

void Tensor::fill(double value) {
    if (!is_dense()) throw ShapeError("fill of a channel slice");
    if (storage_) storage_->touch();
    run(device_, {k::reference::fill, k::cpu::fill, k::cuda::fill}, k::FillArgs{data(), dtype_, count(), value});
}

void Tensor::require_dtype(DType wanted) const {
    if (dtype_ != wanted)
        throw ShapeError(
            fmt::format("values of type {} asked of a tensor of type {}", name_of(wanted), name_of(dtype_)));
}

double Tensor::item() const {
    if (count() != 1) throw ShapeError("item() of a tensor of shape " + shape_.text());
    switch (dtype_) {
        case DType::f32:
            return to_host<float>()[0];
        case DType::f64:
            return to_host<double>()[0];
        case DType::i64:
            return double(to_host<int64_t>()[0]);
        default:
            throw ShapeError(std::string("item() of element type ") + name_of(dtype_));
    }
}

void copy_into(const Tensor& x, const GradTarget& y) {
    if (y) run(x.device(), {k::reference::copy, k::cpu::copy, k::cuda::copy}, k::CopyArgs{x.view(), y});
}

}  // namespace atrous
