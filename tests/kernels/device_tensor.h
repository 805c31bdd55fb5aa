// Tensors and arrays on host and device for tests of kernels: the host's copy goes to the reference, the device's lies
// between guard bytes, may be a slice of a wider tensor and need not be aligned. What no one may write is checked.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/philox.h"
#include "base/variant.h"
#include "kernels/queue.h"

namespace atrous::test {

struct DeviceBlock {
    explicit DeviceBlock(size_t bytes) : data(static_cast<char*>(gpu::allocate(bytes))) {}
    ~DeviceBlock() { gpu::release(data); }
    DeviceBlock(const DeviceBlock&) = delete;
    DeviceBlock& operator=(const DeviceBlock&) = delete;
    char* data;
};

// One block a call, so that an overrun from one into the next is seen.
struct OwnScratch : Scratch {
    void* take(size_t bytes) override {
        blocks.push_back(std::make_unique<DeviceBlock>(std::max<size_t>(bytes, 1)));
        return blocks.back()->data;
    }
    std::vector<std::unique_ptr<DeviceBlock>> blocks;
};

struct Gpu {
    // A library has tests of its own.
    explicit Gpu(MathMode math = MathMode::exact, const KernelChoice& kernels = {KernelChoice::Rule::own})
        : queue(stream.view(), scratch, 1, kernels, math) {}
    gpu::Stream stream;
    OwnScratch scratch;
    Queue queue;

    // Runs both sides; returns the variants that ran on the device.
    template <class Args>
    std::vector<std::string> both(void (*reference)(Queue&, const Args&), const Args& host,
                                  void (*device)(Queue&, const Args&), const Args& args) {
        reference(queue, host);
        VariantLog log;
        device(queue, args);
        stream.view().synchronize();
        return log.names();
    }
};

// Bytes on the device between guards. Everything starts as 0xff: NaN in every floating-point type.
class GuardedBytes {
 public:
    static constexpr size_t guard_bytes = 256;
    std::vector<char> image;  // what was uploaded, guards included

    void reset(size_t bytes) { image.assign(bytes + 2 * guard_bytes, char(0xff)); }
    char* payload() { return image.data() + guard_bytes; }
    char* upload(gpu::StreamView stream) {
        block_ = std::make_unique<DeviceBlock>(image.size());
        gpu::copy_async(block_->data, image.data(), image.size(), stream);
        return block_->data + guard_bytes;
    }
    std::vector<char> download(gpu::StreamView stream) const {
        std::vector<char> now(image.size());
        gpu::copy_async(now.data(), block_->data, now.size(), stream);
        stream.synchronize();
        return now;
    }

 private:
    std::unique_ptr<DeviceBlock> block_;
};

template <class T>
struct Array {
    std::vector<T> host;
    GuardedBytes bytes;

    explicit Array(size_t count = 0, T value = T()) : host(count, value) {}
    T* upload(gpu::StreamView stream) {
        bytes.reset(host.size() * sizeof(T));
        std::memcpy(bytes.payload(), host.data(), host.size() * sizeof(T));
        return reinterpret_cast<T*>(bytes.upload(stream));
    }
    std::vector<T> download(gpu::StreamView stream, const char* name) {
        std::vector<char> now = bytes.download(stream);
        std::vector<T> values(host.size());
        std::memcpy(values.data(), now.data() + GuardedBytes::guard_bytes, values.size() * sizeof(T));
        std::memcpy(now.data() + GuardedBytes::guard_bytes, bytes.payload(), values.size() * sizeof(T));
        EXPECT_TRUE(now == bytes.image) << name << ": bytes outside the array changed";
        return values;
    }
    // |found - wanted| <= relative * max |wanted|; 0 asks for equality.
    void expect(gpu::StreamView stream, const char* name, double relative = 0) {
        const std::vector<T> found = download(stream, name);
        double largest = 0;
        for (T v : host) largest = std::max(largest, std::fabs(double(v)));
        for (size_t i = 0; i < host.size(); ++i)
            if (!(std::fabs(double(found[i]) - double(host[i])) <= relative * largest)) {
                ADD_FAILURE() << name << '[' << i << "]: " << +found[i] << ", expected " << +host[i];
                return;
            }
    }
};

inline float rounded(float v, DType t) {
    if (t == DType::bf16) return to_float(round_to<bf16>(v));
    if (t == DType::f16) return to_float(round_to<f16>(v));
    return v;
}

// How far apart neighbouring values near 1 are, and near 0.
inline double spacing(DType t) { return t == DType::bf16 ? 0x1p-7 : t == DType::f16 ? 0x1p-10 : 0x1p-23; }
inline double smallest(DType t) { return t == DType::bf16 ? 0x1p-133 : t == DType::f16 ? 0x1p-24 : 0x1p-149; }

// Of the device's view: elements between pixels beyond the channels, and elements by which the first is off alignment.
struct Layout {
    int64_t gap = 0, shift = 0;
};

class Tensor {
 public:
    std::vector<float> host;

    Tensor(int64_t n, int64_t h, int64_t w, int64_t c, DType dtype, Layout layout = {})
        : host(size_t(n * h * w * c), std::numeric_limits<float>::quiet_NaN()),
          layout_(layout),
          device_{nullptr, dtype, n, h, w, c, c + layout.gap} {}

    Tensor& integers(Random& random, int largest) {
        for (float& v : host) v = float(random.below(2 * largest + 1)) - float(largest);
        return *this;
    }
    Tensor& normal(Random& random, double mean, double deviation) {
        for (float& v : host) v = rounded(float(mean + deviation * random.normal()), device_.dtype);
        return *this;
    }
    Tensor& round() {
        for (float& v : host) v = rounded(v, device_.dtype);
        return *this;
    }
    View reference() {
        View v = device_;
        v.data = host.data(), v.dtype = DType::f32, v.pitch = v.c;
        return v;
    }
    View device(gpu::StreamView stream) {
        const size_t element = size_of(device_.dtype);
        bytes_.reset(size_t(layout_.shift + device_.pixels() * device_.pitch) * element);
        for_each([&](size_t at, size_t i) {
            char* const to = bytes_.image.data() + at;
            if (device_.dtype == DType::f32) std::memcpy(to, &host[i], 4);
            if (device_.dtype == DType::bf16) reinterpret_cast<bf16&>(*to) = round_to<bf16>(host[i]);
            if (device_.dtype == DType::f16) reinterpret_cast<f16&>(*to) = round_to<f16>(host[i]);
        });
        device_.data = bytes_.upload(stream) + size_t(layout_.shift) * element;
        return device_;
    }
    // |found - wanted| <= relative * max |wanted|, and for half types one spacing at the value besides, where what is
    // rounded may differ in its last digit. relative = 0: equal once the wanted value is rounded. `scale` is the size
    // of the terms that were added, in case all of them cancel.
    void expect(gpu::StreamView stream, const char* name, double relative = 0, double scale = 0) {
        std::vector<char> now = bytes_.download(stream);
        double largest = scale;
        for (float v : host) largest = std::isfinite(v) ? std::max(largest, std::fabs(double(v))) : largest;
        size_t wrong = 0;
        for_each([&](size_t at, size_t i) {
            const double found = element_at(now.data() + at), wanted = rounded(host[i], device_.dtype);
            const double near = relative > 0 && device_.dtype != DType::f32
                                    ? std::max(spacing(device_.dtype) * std::fabs(wanted), smallest(device_.dtype))
                                    : 0;
            const bool same = found == wanted || (std::isnan(found) && std::isnan(wanted)) ||
                              std::fabs(found - host[i]) <= relative * largest + near;
            if (!same && wrong++ < 2)
                ADD_FAILURE() << name << " element " << i << ": " << found << ", expected " << host[i];
            std::memcpy(now.data() + at, bytes_.image.data() + at, size_of(device_.dtype));
        });
        EXPECT_EQ(wrong, 0u) << name << ": elements of " << host.size();
        EXPECT_TRUE(now == bytes_.image) << name << ": bytes outside the tensor changed";
    }

 private:
    float element_at(const char* p) const {
        float v = 0;
        if (device_.dtype == DType::f32) std::memcpy(&v, p, 4);
        if (device_.dtype == DType::bf16) v = to_float(reinterpret_cast<const bf16&>(*p));
        if (device_.dtype == DType::f16) v = to_float(reinterpret_cast<const f16&>(*p));
        return v;
    }
    template <class F>
    void for_each(F f) {
        const size_t element = size_of(device_.dtype);
        for (int64_t pixel = 0; pixel < device_.pixels(); ++pixel)
            for (int64_t c = 0; c < device_.c; ++c)
                f(GuardedBytes::guard_bytes + size_t(layout_.shift + pixel * device_.pitch + c) * element,
                  size_t(pixel * device_.c + c));
    }
    Layout layout_;
    View device_;
    GuardedBytes bytes_;
};

}  // namespace atrous::test
