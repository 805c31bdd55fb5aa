// What the tests of host kernels share: tensors between guards, backends to compare, deterministic values.
//
// Every backend and element type is compared with the reference in f64 on the very same inputs, which are first rounded
// to the type under test. Tolerances are relative to the largest magnitude of the expected values (at least 1).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <list>
#include <string>
#include <vector>

#include "base/philox.h"
#include "base/view.h"
#include "kernels/queue.h"

namespace atrous::host_test {

using Values = std::vector<double>;

class HostScratch : public Scratch {
 public:
    void* take(size_t bytes) override {
        blocks_.emplace_back(bytes + 512, std::byte(0xff));  // contents are undefined: NaN in every type
        const auto address = reinterpret_cast<uintptr_t>(blocks_.back().data());
        return reinterpret_cast<void*>((address + 255) / 256 * 256);
    }

 private:
    std::list<std::vector<std::byte>> blocks_;
};

inline double read(DType t, const std::byte* p) {
    const auto as = [&](auto zero) {
        std::memcpy(&zero, p, sizeof zero);
        return zero;
    };
    switch (t) {
        case DType::f32:
            return as(float{});
        case DType::f64:
            return as(double{});
        case DType::bf16:
            return to_float(as(bf16{}));
        case DType::f16:
            return to_float(as(f16{}));
        case DType::u8:
            return as(uint8_t{});
        case DType::i32:
            return as(int32_t{});
        case DType::i64:
            return double(as(int64_t{}));
    }
    return 0;
}
inline void write(DType t, std::byte* p, double value) {
    const auto as = [&](auto typed) { std::memcpy(p, &typed, sizeof typed); };
    switch (t) {
        case DType::f32:
            return as(float(value));
        case DType::f64:
            return as(value);
        case DType::bf16:
            return as(round_to<bf16>(value));
        case DType::f16:
            return as(round_to<f16>(value));
        case DType::u8:
            return as(uint8_t(value));
        case DType::i32:
            return as(int32_t(value));
        case DType::i64:
            return as(int64_t(value));
    }
}

struct Shape {
    int64_t n = 1, h = 1, w = 1, c = 1, gap = 0;  // gap: elements between one pixel's channels and the next pixel's
    int64_t count() const { return n * h * w * c; }
    std::string text() const {
        return std::to_string(n) + "x" + std::to_string(h) + "x" + std::to_string(w) + "x" + std::to_string(c) + "+" +
               std::to_string(gap);
    }
};

// A tensor among guard elements. All bytes start as 0xff: NaN in every type, and what must remain outside the view.
class Block {
 public:
    Block(DType dtype, const Shape& s) : dtype_(dtype), shape_(s) {
        bytes_.assign(size_t(s.n * s.h * s.w * (s.c + s.gap) + 2 * guard) * size_of(dtype), std::byte(0xff));
    }
    Block(DType dtype, const Shape& s, const Values& values) : Block(dtype, s) { set(values); }

    View view() {
        return {bytes_.data() + guard * size_of(dtype_),
                dtype_,
                shape_.n,
                shape_.h,
                shape_.w,
                shape_.c,
                shape_.c + shape_.gap};
    }
    void* data() { return view().data; }
    void set(const Values& values) {
        for (int64_t i = 0; i < shape_.count(); ++i) write(dtype_, at(i), values[i]);
    }
    Values get() {
        Values values(shape_.count());
        for (int64_t i = 0; i < shape_.count(); ++i) values[i] = read(dtype_, at(i));
        return values;
    }
    // Nothing outside the view was written.
    bool guards_intact() {
        std::vector<std::byte> rest = bytes_;
        for (int64_t i = 0; i < shape_.count(); i += shape_.c)
            std::fill_n(rest.data() + (at(i) - bytes_.data()), size_t(shape_.c) * size_of(dtype_), std::byte(0xff));
        return rest == std::vector<std::byte>(rest.size(), std::byte(0xff));
    }

 private:
    static constexpr int64_t guard = 64;
    std::byte* at(int64_t i) {
        return bytes_.data() + (guard + i / shape_.c * (shape_.c + shape_.gap) + i % shape_.c) * size_of(dtype_);
    }
    DType dtype_;
    Shape shape_;
    std::vector<std::byte> bytes_;
};

// Uniform in [low, high), rounded to the type.
inline Values random_values(DType dtype, int64_t count, uint64_t seed, double low = -1, double high = 1) {
    Random random(seed, 17);
    Values values(count);
    std::byte buffer[8];
    for (double& v : values) {
        write(dtype, buffer, random.uniform(low, high));
        v = read(dtype, buffer);
    }
    return values;
}
inline std::vector<uint8_t> random_labels(int64_t count, uint64_t seed, int classes, double ignored = 0.1) {
    Random random(seed, 23);
    std::vector<uint8_t> labels(count);
    for (uint8_t& l : labels) l = random.chance(ignored) ? 255 : uint8_t(random.below(classes));
    return labels;
}

// An implementation at one element type.
struct Backend {
    bool cpu;
    DType dtype;
    int threads = 1;
    DType accumulator() const { return accumulator_of(dtype); }
    // Rounding to bf16 is 2^-9, and a gradient that is added to is rounded twice; f32 leaves a few hundred ulp for
    // sums.
    double tolerance() const { return dtype == DType::bf16 ? 0x1p-7 : dtype == DType::f64 ? 1e-12 : 2e-5; }
    std::string text() const { return std::string(cpu ? "cpu " : "reference ") + name_of(dtype); }
};
inline const Backend exact{false, DType::f64};
inline const Backend backends[] = {{false, DType::f32}, {true, DType::f32}, {true, DType::f64}, {true, DType::bf16}};

inline void expect_close(const Values& got, const Values& expected, double tolerance, const std::string& what) {
    ASSERT_EQ(got.size(), expected.size()) << what;
    double largest = 1, worst = 0;
    size_t where = 0;
    for (double e : expected) largest = std::fmax(largest, std::fabs(e));
    for (size_t i = 0; i < got.size(); ++i) {
        const bool same = got[i] == expected[i] || (std::isnan(got[i]) && std::isnan(expected[i]));
        const double error = same ? 0 : std::fabs(got[i] - expected[i]);
        if (!(error <= worst)) worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error, where = i;
    }
    EXPECT_LE(worst, tolerance * largest)
        << what << ": element " << where << " is " << got[where] << ", expected " << expected[where];
}

// The outputs of a kernel call on one backend.
using Outputs = std::vector<Values>;
using Call = std::function<Outputs(const Backend&, DType inputs)>;

// Each backend against the exact one on inputs rounded to its type; the cpu's bits for one, two and three threads.
inline void check_backends(const std::string& what, const Call& call, double f32_tolerance = 0) {
    for (const Backend& backend : backends) {
        const Outputs expected = call(exact, backend.dtype), got = call(backend, backend.dtype);
        ASSERT_EQ(got.size(), expected.size());
        const double tolerance = backend.dtype == DType::f32 && f32_tolerance > 0 ? f32_tolerance : backend.tolerance();
        for (size_t i = 0; i < got.size(); ++i)
            expect_close(got[i], expected[i], tolerance,
                         what + ", " + backend.text() + ", output " + std::to_string(i));
        if (!backend.cpu) continue;
        for (int threads : {2, 3}) {
            const Outputs others = call({true, backend.dtype, threads}, backend.dtype);
            for (size_t i = 0; i < got.size(); ++i)
                EXPECT_EQ(std::memcmp(others[i].data(), got[i].data(), got[i].size() * sizeof(double)), 0)
                    << what << ", " << backend.text() << ": output " << i << " depends on the number of threads";
        }
    }
}

// Calls the backend's implementation with a queue of its own.
template <class Args>
void run(const Backend& b, void (*reference)(Queue&, const Args&), void (*cpu)(Queue&, const Args&), const Args& args) {
    HostScratch scratch;
    Queue q(gpu::StreamView(), scratch, b.threads);
    (b.cpu ? cpu : reference)(q, args);
}

}  // namespace atrous::host_test
