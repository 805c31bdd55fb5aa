// Buffers, launches and expectations for the emulator's own tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/gpu/device.h"
#include "kernels/gpu/emu/emulator.h"

namespace atrous::gpu::test {

#ifdef ATROUS_CHECK_RACES
constexpr bool races = true;
#else
constexpr bool races = false;
#endif
#ifdef __SANITIZE_ADDRESS__
constexpr bool addresses = true;
#else
constexpr bool addresses = false;
#endif

inline Stream& stream() {
    static Stream s;
    return s;
}

template <class T>
class Buffer {
 public:
    explicit Buffer(size_t count) : p_(static_cast<T*>(allocate(count * sizeof(T)))), count_(count) {}
    Buffer(size_t count, T value) : Buffer(std::vector<T>(count, value)) {}
    explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) { set(values); }
    ~Buffer() { release(p_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    T* data() { return p_; }
    size_t size() const { return count_; }
    void set(const std::vector<T>& values) {
        copy_async(p_, values.data(), values.size() * sizeof(T), stream().view());
    }
    std::vector<T> get() const {
        std::vector<T> values(count_);
        copy_async(values.data(), p_, count_ * sizeof(T), stream().view());
        return values;
    }

 private:
    T* p_;
    size_t count_;
};

// What f throws, or "".
template <class F>
std::string error_of(F f) {
    try {
        f();
        stream().view().synchronize();
    } catch (const GpuError& e) {
        return e.what();
    }
    return "";
}

// Integers in [-9, 9]: sums of products of a few hundred are exact in float.
inline std::vector<float> small_integers(size_t count, unsigned seed) {
    std::vector<float> v(count);
    for (size_t i = 0; i < count; ++i) v[i] = float(int((i + seed) * 2654435761u >> 8) % 10);
    return v;
}

}  // namespace atrous::gpu::test
