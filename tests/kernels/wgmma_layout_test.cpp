// Single tiles of Hopper's products with the identity on one side: the result is the other side's tile, whose elements tell
// their place. Where wgmma reads an operand in another order than TMA laid it out, a failure names the element that
// was found in place of each. What a real GPU is asked first.
#include "kernels/cuda/conv_wgmma.h"
#include "tests/kernels/cuda_fixture.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous::kernels {
namespace {

using test::Names;
using test::Tensor;
using Value = float (*)(int row, int column);

constexpr int wide = 256;           // columns: four times those that lie together in shared memory
constexpr int64_t full = 67 * 128;  // pixels, with which a block has as many columns

// What a product gave, or is given: rows of columns.
struct Matrix {
    int64_t rows, columns;
    std::vector<float> values;

    static Matrix of(int64_t rows, int64_t columns, Value value) {
        Matrix m{rows, columns, std::vector<float>(size_t(rows * columns))};
        for (size_t i = 0; i < m.values.size(); ++i) m.values[i] = value(int(i) / int(columns), int(i) % int(columns));
        return m;
    }
    // Below each other, as often as there is room in `rows`.
    static Matrix identities(int64_t rows, int64_t columns) {
        Matrix m{rows, columns, std::vector<float>(size_t(rows * columns))};
        for (int64_t row = 0; row < rows; ++row) m.values[size_t(row * columns + row % columns)] = 1;
        return m;
    }
    Matrix transposed() const {
        Matrix t{columns, rows, std::vector<float>(values.size())};
        for (int64_t i = 0; i < rows; ++i)
            for (int64_t j = 0; j < columns; ++j) t.values[size_t(j * rows + i)] = values[size_t(i * columns + j)];
        return t;
    }
};

class WgmmaLayout : public test::CudaTest {
 protected:
    void SetUp() override {
#ifdef ATROUS_EMULATED
        options->capability = 90;
#endif
        CudaTest::SetUp();
        if (IsSkipped()) return;
        if (const std::string why = cuda::why_wgmma_is_absent(); !why.empty()) GTEST_SKIP() << why;
        gpu_ = std::make_unique<test::Gpu>(MathMode::exact, KernelChoice{KernelChoice::Rule::named, "wgmma"});
    }

    // `product(value)`: the result where the tile in question holds value(row, column), of which there are `rows` by
    // `columns`. The rows may come again below.
    template <class Product>
    static void expect_in_place(const char* tile, int64_t rows, int64_t columns, Product product) {
        const Matrix r = product([](int row, int) { return float(row); });
        const Matrix c = product([](int, int column) { return float(column); });
        ASSERT_EQ(r.columns, columns);
        int wrong = 0;
        for (int64_t i = 0; i < r.rows * columns; ++i) {
            const float found[] = {r.values[size_t(i)], c.values[size_t(i)]};
            if ((found[0] != float(i / columns % rows) || found[1] != float(i % columns)) && wrong++ < 8)
                ADD_FAILURE() << tile << ": in place of row " << i / columns << ", column " << i % columns << " is row "
                              << found[0] << ", column " << found[1];
        }
        EXPECT_EQ(wrong, 0) << tile << ": elements out of " << r.rows * columns;
    }
    template <class T>
    struct Result : test::Array<T> {
        int64_t rows, columns;
        Result(int64_t r, int64_t c) : test::Array<T>(size_t(r * c)), rows(r), columns(c) {}
        Matrix matrix(gpu::StreamView stream) {
            Matrix m{rows, columns, {}};
            for (const T v : this->download(stream, "result")) m.values.push_back(to_float(v));
            return m;
        }
        static float to_float(float v) { return v; }
        static float to_float(bf16 v) { return atrous::to_float(v); }
    };
    static Tensor tensor(const Matrix& m, bool weights = false) {
        Tensor t(weights ? m.rows : 1, 1, weights ? 1 : m.rows, m.columns, DType::bf16);
        t.host = m.values;
        return t;
    }
    // Runs `function`, by blocks of so many rows and columns.
    template <class Args>
    void run(const char* function, void (*contract)(Queue&, const Args&), const Args& a, int rows, int columns) {
        const cuda::ResultTile tile = cuda::wgmma_tile(a);
        EXPECT_EQ(tile.rows, rows);
        EXPECT_EQ(tile.columns, columns);
        VariantLog log;
        contract(gpu_->queue, a);
        EXPECT_EQ(log.names(), Names{std::string(function) + "/wgmma_bf16"});
    }

    // x w^T by blocks of 128 rows and `tile` columns.
    Matrix forward(const Matrix& x, const Matrix& w, int tile) {
        Tensor source = tensor(x), weights = tensor(w, true);
        Result<bf16> out(x.rows, w.rows);
        const View y{out.upload(stream()), DType::bf16, 1, 1, x.rows, w.rows, w.rows};
        const ConvForwardArgs a{source.device(stream()), weights.device(stream()), nullptr, y, {}};
        run("conv_forward", cuda::conv_forward, a, 128, tile);
        return out.matrix(stream());
    }
    // dy w
    Matrix input_gradient(const Matrix& dy, const Matrix& w, int tile) {
        Tensor source = tensor(dy), weights = tensor(w, true);
        Result<bf16> out(dy.rows, w.columns);
        const View dx{out.upload(stream()), DType::bf16, 1, 1, dy.rows, w.columns, w.columns};
        const ConvBackwardInputArgs a{source.device(stream()), weights.device(stream()), {dx, false}, {}};
        run("conv_backward_input", cuda::conv_backward_input, a, 128, tile);
        return out.matrix(stream());
    }
    // dy^T x by blocks of 128 rows and `tile` columns.
    Matrix weight_gradient(const Matrix& x, const Matrix& dy, int tile) {
        Tensor source = tensor(x), gradient = tensor(dy);
        Result<float> out(dy.columns, x.columns);
        const View dw{out.upload(stream()), DType::f32, dy.columns, 1, 1, x.columns, x.columns};
        const ConvBackwardWeightArgs a{source.device(stream()), gradient.device(stream()), {dw, false}, {}, {}};
        run("conv_backward_weight", cuda::conv_backward_weight, a, 128, tile);
        return out.matrix(stream());
    }
#ifdef ATROUS_EMULATED
    gpu::emu::ScopedOptions options;
#endif
};

TEST_F(WgmmaLayout, ForwardLeftOperandHasDepthInnermost) {
    expect_in_place("pixels", 64, 64,
                    [this](Value v) { return forward(Matrix::of(64, 64, v), Matrix::identities(64, 64), 64); });
}
TEST_F(WgmmaLayout, ForwardRightOperandHasDepthInnermost) {
    expect_in_place("weights", 64, 64, [this](Value v) {
        return forward(Matrix::identities(64, 64), Matrix::of(64, 64, v), 64).transposed();
    });
}
TEST_F(WgmmaLayout, ForwardWideRightOperandHasDepthInnermost) {
    expect_in_place("weights, transposed", 64, wide, [this](Value v) {
        return forward(Matrix::identities(full, 64), Matrix::of(64, wide, v).transposed(), wide);
    });
}
TEST_F(WgmmaLayout, InputGradientRightOperandHasColumnsInnermost) {
    expect_in_place("weights", 64, 64,
                    [this](Value v) { return input_gradient(Matrix::identities(64, 64), Matrix::of(64, 64, v), 64); });
}
TEST_F(WgmmaLayout, InputGradientWideRightOperandHasColumnsInnermost) {
    expect_in_place("weights", 64, wide, [this](Value v) {
        return input_gradient(Matrix::identities(full, 64), Matrix::of(64, wide, v), wide);
    });
}
TEST_F(WgmmaLayout, WeightGradientLeftOperandHasRowsInnermost) {
    expect_in_place("gradient", 64, 128, [this](Value v) {
        return weight_gradient(Matrix::identities(64, 64), Matrix::of(64, 128, v), 64).transposed();
    });
}
TEST_F(WgmmaLayout, WeightGradientRightOperandHasColumnsInnermost) {
    expect_in_place("source", 64, 64,
                    [this](Value v) { return weight_gradient(Matrix::of(64, 64, v), Matrix::identities(64, 64), 64); });
}
TEST_F(WgmmaLayout, WeightGradientWideRightOperandHasColumnsInnermost) {
    expect_in_place("source", 128, wide, [this](Value v) {
        return weight_gradient(Matrix::of(128, wide, v), Matrix::identities(128, 128), wide);
    });
}

}  // namespace
}  // namespace atrous::kernels
