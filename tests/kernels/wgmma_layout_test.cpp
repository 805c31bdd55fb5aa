// Single tiles of Hopper's products with the identity on one side: the result is the other side's tile, whose elements tell
// their place. Where wgmma reads an operand in another order than TMA laid it out, a failure names the element that
// was found in place of each. What a real GPU is asked first.
#include "kernels/conv.h"
#include "tests/kernels/cuda_fixture.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous::kernels {
namespace {

using test::Tensor;
constexpr int side = 64;
using Value = float (*)(int row, int column);

class WgmmaLayout : public test::CudaTest {
 protected:
    void SetUp() override {
#ifdef ATROUS_EMULATED
        options->capability = 90;
#endif
        CudaTest::SetUp();
        if (IsSkipped()) return;
        if (gpu::capability() != 90) GTEST_SKIP() << "the GPU's capability is not 9.0";
        gpu_ = std::make_unique<test::Gpu>(MathMode::exact, KernelChoice{KernelChoice::Rule::named, "wgmma"});
    }

    // [64 pixels or outputs][64 channels] of values that bf16 has.
    static Tensor matrix(int64_t n, int64_t h, int64_t w, Value value) {
        Tensor t(n, h, w, side, DType::bf16);
        for (size_t i = 0; i < t.host.size(); ++i) t.host[i] = value(int(i) / side, int(i) % side);
        return t;
    }
    static Tensor pixels(Value value) { return matrix(1, 8, 8, value); }
    static Tensor weights(Value value) { return matrix(side, 1, 1, value); }
    static float identity(int row, int column) { return row == column ? 1.0f : 0.0f; }

    // `product(value)`: the result where the tile in question holds value(row, column).
    template <class Product>
    static void expect_in_place(const char* tile, Product product) {
        const std::vector<float> rows = product([](int row, int) { return float(row); });
        const std::vector<float> columns = product([](int, int column) { return float(column); });
        int wrong = 0;
        for (int row = 0; row < side; ++row)
            for (int column = 0; column < side; ++column) {
                const float r = rows[size_t(row * side + column)], c = columns[size_t(row * side + column)];
                if ((r != float(row) || c != float(column)) && wrong++ < 8)
                    ADD_FAILURE() << tile << ": in place of row " << row << ", column " << column << " is row " << r
                                  << ", column " << c;
            }
        EXPECT_EQ(wrong, 0) << tile << ": elements out of " << side * side;
    }
    template <class T>
    std::vector<float> result(test::Array<T>& out) {
        std::vector<float> values;
        for (const T v : out.download(stream(), "result")) values.push_back(to_float(v));
        return values;
    }
    std::vector<float> forward(Tensor x, Tensor w) {
        test::Array<bf16> out(side * side);
        const View y{out.upload(stream()), DType::bf16, 1, 8, 8, side, side};
        cuda::conv_forward(gpu_->queue, {x.device(stream()), w.device(stream()), nullptr, y, {}});
        return result(out);
    }
    std::vector<float> input_gradient(Tensor dy, Tensor w) {
        test::Array<bf16> out(side * side);
        const View dx{out.upload(stream()), DType::bf16, 1, 8, 8, side, side};
        cuda::conv_backward_input(gpu_->queue, {dy.device(stream()), w.device(stream()), {dx, false}, {}});
        return result(out);
    }
    std::vector<float> weight_gradient(Tensor x, Tensor dy) {
        test::Array<float> out(side * side);
        const View dw{out.upload(stream()), DType::f32, side, 1, 1, side, side};
        cuda::conv_backward_weight(gpu_->queue, {x.device(stream()), dy.device(stream()), {dw, false}, {}, {}});
        return out.download(stream(), "result");
    }
    static std::vector<float> transposed(const std::vector<float>& m) {
        std::vector<float> t(m.size());
        for (int i = 0; i < side * side; ++i) t[size_t(i % side * side + i / side)] = m[size_t(i)];
        return t;
    }
#ifdef ATROUS_EMULATED
    gpu::emu::ScopedOptions options;
#endif
};

TEST_F(WgmmaLayout, ForwardLeftOperandHasDepthInnermost) {
    expect_in_place("pixels", [this](Value v) { return forward(pixels(v), weights(identity)); });
}
TEST_F(WgmmaLayout, ForwardRightOperandHasDepthInnermost) {
    expect_in_place("weights", [this](Value v) { return transposed(forward(pixels(identity), weights(v))); });
}
TEST_F(WgmmaLayout, InputGradientRightOperandHasColumnsInnermost) {
    expect_in_place("weights", [this](Value v) { return input_gradient(pixels(identity), weights(v)); });
}
TEST_F(WgmmaLayout, WeightGradientLeftOperandHasRowsInnermost) {
    expect_in_place("gradient", [this](Value v) { return transposed(weight_gradient(pixels(identity), pixels(v))); });
}
TEST_F(WgmmaLayout, WeightGradientRightOperandHasColumnsInnermost) {
    expect_in_place("source", [this](Value v) { return weight_gradient(pixels(v), pixels(identity)); });
}

}  // namespace
}  // namespace atrous::kernels
