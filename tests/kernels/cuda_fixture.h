// What the tests of GPU variants share: skipping without a GPU, element types and layouts, the names of variants.
#pragma once

#include "tests/kernels/device_tensor.h"

namespace atrous::test {

using Names = std::vector<std::string>;

struct Shape {
    int64_t n, h, w, c;
};

constexpr DType gpu_types[] = {DType::f32, DType::bf16, DType::f16};
constexpr Layout layouts[] = {{0, 0}, {8, 0}, {3, 0}, {0, 1}};

// Float sums of up to a few thousand terms, in another order than the reference's double.
constexpr double float_sums = 4e-6;

inline int wide(DType t) { return 16 / int(size_of(t)); }
inline std::string width_name(int width) { return width == 1 ? "scalar" : "vec" + std::to_string(width); }
// Of kernels that walk groups of channels.
inline std::string channels_name(const Shape& s, Layout l, DType t) {
    return width_name(s.c % wide(t) == 0 && l.gap % wide(t) == 0 && l.shift == 0 ? wide(t) : 1);
}
// Of pointwise kernels, which see a dense tensor as one row.
inline std::string pointwise_name(const Shape& s, Layout l, int width) {
    const int64_t count = l.gap == 0 ? s.n * s.h * s.w * s.c : s.c;
    return width_name(count % width == 0 && l.gap % width == 0 && l.shift == 0 ? width : 1);
}

class CudaTest : public ::testing::Test {
 protected:
    void SetUp() override {
        std::string why;
        if (gpu::device_count(&why) == 0) GTEST_SKIP() << "no GPU: " << why;
        gpu_ = std::make_unique<Gpu>();
    }
    gpu::StreamView stream() const { return gpu_->stream.view(); }

    // f(type, shape, layout) for each of them.
    template <class Shapes, class F>
    void for_each_case(const Shapes& shapes, F f) {
        for (DType t : gpu_types)
            for (const Shape& s : shapes)
                for (Layout l : layouts) {
                    SCOPED_TRACE(std::string(name_of(t)) + " nhwc " + std::to_string(s.n) + ' ' + std::to_string(s.h) +
                                 ' ' + std::to_string(s.w) + ' ' + std::to_string(s.c) + " gap " +
                                 std::to_string(l.gap) + " shift " + std::to_string(l.shift));
                    f(t, s, l);
                    gpu_->scratch.blocks.clear();
                }
    }
    static Tensor tensor(const Shape& s, DType t, Layout l) { return Tensor(s.n, s.h, s.w, s.c, t, l); }
    // Mostly classes that exist, some ignored, a few beyond the last.
    Array<uint8_t> labels(const Shape& s) {
        Array<uint8_t> l(size_t(s.n * s.h * s.w));
        for (uint8_t& v : l.host)
            v = random_.chance(0.2) ? 255 : uint8_t(random_.below(std::max<uint64_t>(2, uint64_t(s.c) + 1)));
        return l;
    }

    std::unique_ptr<Gpu> gpu_;
    Random random_{7};
};

}  // namespace atrous::test
