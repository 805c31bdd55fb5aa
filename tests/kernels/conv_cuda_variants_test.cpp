// Every GPU variant of convolution and transposed convolution against the reference: variant x direction x element type
// x aligned/odd. Inputs are small integers, so that sums are exact in float in any order and results must be equal bit
// for bit; half-precision results are the exact sum rounded once. Outputs start as NaN; what lies between a slice's
// pixels and around every buffer must not change.
#include "base/error.h"
#include "kernels/conv.h"
#include "kernels/conv_transpose.h"
#include "tests/kernels/cuda_fixture.h"

namespace atrous::kernels {
namespace {

using test::Layout;
using test::Names;
using test::Tensor;

struct Case {
    int64_t n, h, w, i, o, r, s;
    ConvGeometry g;
    bool accumulate = false, bias = true;
    int64_t gap = 0, shift = 0;  // extra pitch and misalignment of activations, in elements
    std::string text() const {
        const int64_t all[] = {n, h, w, i, o, r, s, g.stride, g.padding, g.dilation, accumulate, bias, gap, shift};
        std::string t = "n h w i o r s stride padding dilation accumulate bias gap shift:";
        for (int64_t v : all) t += " " + std::to_string(v);
        return t;
    }
};

enum class Direction { forward, backward_input, backward_weight };

// One contract function on both sides. `transposed`: the 2x2 transposed convolution; r, s and geometry are then fixed.
class BothSides {
 public:
    BothSides(const Case& c, DType t, bool transposed, Direction direction, MathMode math = MathMode::exact)
        : c_(c),
          transposed_(transposed),
          direction_(direction),
          random_(1, uint64_t(c.h), uint64_t(c.i), uint64_t(c.o)),
          gpu_(math),
          x_(c.n, c.h, c.w, c.i, t, {c.gap, c.shift}),
          w_(weights(direction == Direction::backward_weight ? DType::f32 : t)),
          y_(c.n, transposed ? 2 * c.h : c.g.output_size(c.h, c.r), transposed ? 2 * c.w : c.g.output_size(c.w, c.s),
             c.o, t, {c.gap, c.shift}),
          bias_(1, 1, 1, c.o, DType::f32) {
        bias_.integers(random_, 9);
    }

    Names go() {
        SCOPED_TRACE(c_.text());
        if (direction_ == Direction::forward) return forward();
        return direction_ == Direction::backward_input ? backward_input() : backward_weight();
    }

    double nonzero_share() const {
        const Tensor& written = direction_ == Direction::forward          ? y_
                                : direction_ == Direction::backward_input ? x_
                                                                          : w_;
        const auto zeros = std::count(written.host.begin(), written.host.end(), 0.0f);
        return 1.0 - double(zeros) / double(written.host.size());
    }

 private:
    Tensor weights(DType t) const {
        return transposed_ ? Tensor(2, 2, c_.o, c_.i, t) : Tensor(c_.o, c_.r, c_.s, c_.i, t);
    }
    gpu::StreamView stream() { return gpu_.stream.view(); }

    Names forward() {
        x_.integers(random_, 3), w_.integers(random_, 2);
        void* const bias = c_.bias ? bias_.host.data() : nullptr;
        void* const device_bias = c_.bias ? bias_.device(stream()).data : nullptr;
        const View x = x_.device(stream()), w = w_.device(stream()), y = y_.device(stream());
        const Names names =
            transposed_
                ? gpu_.both(reference::conv_transpose_forward, {x_.reference(), w_.reference(), bias, y_.reference()},
                            cuda::conv_transpose_forward, {x, w, device_bias, y})
                : gpu_.both(reference::conv_forward, {x_.reference(), w_.reference(), bias, y_.reference(), c_.g},
                            cuda::conv_forward, {x, w, device_bias, y, c_.g});
        y_.expect(stream(), "y");
        return names;
    }
    Names backward_input() {
        y_.integers(random_, 3), w_.integers(random_, 2);
        if (c_.accumulate) x_.integers(random_, 9);
        const View dy = y_.device(stream()), w = w_.device(stream());
        const GradTarget host{x_.reference(), c_.accumulate}, dx{x_.device(stream()), c_.accumulate};
        const Names names =
            transposed_ ? gpu_.both(reference::conv_transpose_backward_input, {y_.reference(), w_.reference(), host},
                                    cuda::conv_transpose_backward_input, {dy, w, dx})
                        : gpu_.both(reference::conv_backward_input, {y_.reference(), w_.reference(), host, c_.g},
                                    cuda::conv_backward_input, {dy, w, dx, c_.g});
        x_.expect(stream(), "dx");
        return names;
    }
    Names backward_weight() {
        y_.integers(random_, 3), x_.integers(random_, 3);
        if (c_.accumulate)
            w_.integers(random_, 9);
        else
            std::fill(bias_.host.begin(), bias_.host.end(), std::numeric_limits<float>::quiet_NaN());
        const View x = x_.device(stream()), dy = y_.device(stream());
        const GradTarget host{w_.reference(), c_.accumulate}, dw{w_.device(stream()), c_.accumulate};
        const VectorGradTarget host_bias{c_.bias ? bias_.host.data() : nullptr, c_.accumulate};
        const VectorGradTarget dbias{c_.bias ? bias_.device(stream()).data : nullptr, c_.accumulate};
        const Names names = transposed_ ? gpu_.both(reference::conv_transpose_backward_weight,
                                                    {x_.reference(), y_.reference(), host, host_bias},
                                                    cuda::conv_transpose_backward_weight, {x, dy, dw, dbias})
                                        : gpu_.both(reference::conv_backward_weight,
                                                    {x_.reference(), y_.reference(), host, host_bias, c_.g},
                                                    cuda::conv_backward_weight, {x, dy, dw, dbias, c_.g});
        w_.expect(stream(), "dw");
        if (c_.bias) bias_.expect(stream(), "dbias");
        return names;
    }

    Case c_;
    bool transposed_;
    Direction direction_;
    Random random_;
    test::Gpu gpu_;
    Tensor x_, w_, y_, bias_;
};

// n h w i o r s, {stride, padding, dilation}, accumulate, bias, gap, shift
const Case aligned_cases[] = {
    {1, 1, 1, 8, 8, 1, 1, {1, 0, 1}},
    {2, 5, 7, 8, 16, 3, 3, {1, 1, 1}, true},
    {1, 13, 11, 24, 40, 3, 3, {2, 1, 1}, false, false, 8},
    {3, 6, 5, 64, 8, 1, 1, {2, 0, 1}, true, true, 16},
    {1, 9, 10, 16, 72, 3, 3, {1, 6, 6}, false, true, 24},
    {1, 7, 8, 8, 8, 3, 3, {1, 12, 12}, true},  // every tap but the middle one is padding
    {2, 17, 15, 8, 8, 7, 7, {2, 3, 1}},
    {1, 9, 9, 8, 136, 5, 3, {3, 2, 2}, true, false},
    {1, 3, 40, 16, 24, 1, 17, {1, 2, 1}, true},  // a line of more taps than there are lines' bits in 16
    {1, 24, 18, 8, 8, 15, 16, {1, 3, 1}},        // as many taps as there are bits
    {2, 16, 65, 80, 8, 2, 4, {1, 0, 1}},
};
// Channels that are vectors of floats only, for TF32; small integers are exact in it too.
const Case float_cases[] = {
    {1, 1, 1, 4, 4, 1, 1, {1, 0, 1}},
    {2, 5, 7, 12, 20, 3, 3, {1, 1, 1}, true},
    {1, 13, 11, 20, 68, 3, 3, {2, 1, 1}, false, false, 4},
    {1, 9, 10, 4, 132, 3, 3, {1, 6, 6}, false, true, 12},
    {1, 9, 9, 28, 12, 5, 3, {3, 2, 2}, true, true, 8},
    {2, 11, 12, 68, 76, 2, 2, {2, 0, 1}, true},
};
const Case odd_cases[] = {
    {1, 1, 1, 1, 1, 1, 1, {1, 0, 1}},
    {2, 5, 7, 3, 8, 3, 3, {1, 1, 1}, true},
    {1, 13, 11, 8, 5, 3, 3, {2, 1, 1}, false, false, 3},
    {3, 6, 5, 4, 17, 1, 1, {2, 0, 1}, true, true, 4},
    {1, 9, 10, 21, 33, 3, 3, {1, 2, 2}, false, true, 1},
    {1, 7, 8, 12, 20, 3, 3, {1, 12, 12}, true},
    {2, 17, 15, 3, 67, 7, 7, {2, 3, 1}},
    {1, 9, 9, 6, 7, 5, 3, {3, 2, 2}, true, false},
    {2, 5, 6, 8, 8, 3, 3, {1, 1, 1}, true, true, 4},       // pitch not a multiple of 8
    {2, 5, 6, 16, 8, 3, 3, {1, 1, 1}, false, true, 8, 4},  // not aligned to 16 bytes in half precision
    {1, 5, 6, 16, 8, 3, 3, {1, 1, 1}, false, true, 0, 1},  // aligned to one element
    // images: few channels in, vectors out
    {2, 9, 11, 3, 16, 3, 3, {1, 1, 1}, false, true},
    {1, 13, 15, 1, 64, 7, 7, {2, 3, 1}, true, false},
    {1, 9, 10, 2, 72, 3, 3, {1, 2, 2}, true, true, 8},
    // classes: few channels out, 1x1
    {1, 1, 1, 8, 1, 1, 1, {1, 0, 1}},
    {2, 9, 11, 64, 1, 1, 1, {1, 0, 1}, true},
    {1, 17, 19, 24, 3, 1, 1, {1, 0, 1}, false, false, 8},
    {3, 23, 21, 264, 2, 1, 1, {1, 0, 1}, true, true},
    {1, 40, 41, 16, 5, 1, 1, {1, 0, 1}, false, true, 16},
    {1, 12, 11, 512, 8, 1, 1, {1, 0, 1}, true, true},
};

struct Cell {
    Direction direction;
    bool transposed;
    DType dtype;
    bool aligned;
    MathMode math = MathMode::exact;
    std::string type() const { return math == MathMode::tf32 ? "tf32" : name_of(dtype); }
    std::string function() const {
        const char* const directions[] = {"forward", "backward_input", "backward_weight"};
        return std::string(transposed ? "conv_transpose_" : "conv_") + directions[int(direction)];
    }
};
std::string cell_name(const testing::TestParamInfo<Cell>& i) {
    return i.param.function() + "_" + i.param.type() + (i.param.aligned ? "_aligned" : "_odd");
}
std::vector<Cell> every_cell() {
    std::vector<Cell> cells;
    for (auto direction : {Direction::forward, Direction::backward_input, Direction::backward_weight})
        for (bool transposed : {false, true})
            for (bool aligned : {true, false}) {
                for (DType t : {DType::f32, DType::bf16, DType::f16})
                    cells.push_back({direction, transposed, t, aligned});
                cells.push_back({direction, transposed, DType::f32, aligned, MathMode::tf32});
            }
    return cells;
}

class ConvCudaVariants : public test::CudaTest, public testing::WithParamInterface<Cell> {};

// What is to run: of a convolution, 1x1 to few channels and few channels to many have kernels of their own.
std::string implementation(const Cell& cell, const Case& c) {
    const int64_t chunk = cell.dtype == DType::f32 ? 4 : 8;
    const bool places_fit = c.gap % chunk == 0 && c.shift % chunk == 0;
    const bool plain = c.r * c.s * c.g.stride == 1 && c.g.padding == 0;
    const bool cores = is_half(cell.dtype) || cell.math == MathMode::tf32;
    const bool on_cores = cores && c.i % chunk == 0 && c.o % chunk == 0 && places_fit;
    const bool narrow = !cell.transposed && plain && c.o <= 8 && c.i % chunk == 0 && places_fit;
    if (narrow && (c.o <= 4 || c.i <= 128 || !on_cores)) return "narrow";
    if (on_cores) return "mma";
    const bool passes = !cell.transposed && cell.direction != Direction::backward_input;
    if (cores && passes && c.i < chunk && c.o % chunk == 0 && places_fit) return "padded";
    return "simt";
}

void expect_variant(const Names& names, const Cell& cell, const Case& c) {
    const std::string function = cell.function(), type = name_of(cell.dtype), by = implementation(cell, c);
    Names wanted{function + "/" + by + "_" + (by == "mma" || by == "padded" ? cell.type() : type)};
    if (c.bias && function.find("weight") != std::string::npos) wanted.push_back(function + "/bias_" + type);
    EXPECT_EQ(names, wanted);
}

TEST_P(ConvCudaVariants, EqualsReference) {
    const Cell& cell = GetParam();
    const auto check = [&](const Case& c) {
        BothSides sides(c, cell.dtype, cell.transposed, cell.direction, cell.math);
        const Names names = sides.go();
        EXPECT_GT(sides.nonzero_share(), 0.05) << c.text();  // dilated kernels leave most of dw zero
        expect_variant(names, cell, c);
    };
    if (cell.aligned)
        for (const Case& c : aligned_cases) check(c);
    else
        for (const Case& c : odd_cases) check(c);
    if (cell.aligned && cell.math == MathMode::tf32)
        for (const Case& c : float_cases) check(c);
}
INSTANTIATE_TEST_SUITE_P(All, ConvCudaVariants, testing::ValuesIn(every_cell()), cell_name);

using ConvCudaTiles = test::CudaTest;

// Enough pixels that the tensor-core kernels choose 128-row tiles, 64 and then 128 columns wide.
TEST_F(ConvCudaTiles, LargeTiles) {
    for (int64_t o : {8, 72})
        for (auto d : {Direction::forward, Direction::backward_input}) {
            const Case c{1, 184, 184,      d == Direction::forward ? 8 : o, d == Direction::forward ? o : 8,
                         3, 1,   {1, 1, 1}};
            BothSides(c, DType::bf16, false, d).go();
            BothSides(c, DType::f32, false, d, MathMode::tf32).go();
        }
}

// Steps enough to go round the ring more than once, over channels that do not fill the last step of a tap: 128-row tiles
// 64 and 128 columns wide, and the three larger tiles of weight gradients.
TEST_F(ConvCudaTiles, LargeTilesGoRoundTheRing) {
    const auto check = [](const Case& c, Direction d) {
        BothSides(c, DType::bf16, false, d).go();
        BothSides(c, DType::f32, false, d, MathMode::tf32).go();
    };
    check({1, 184, 184, 24, 8, 3, 3, {1, 1, 1}}, Direction::forward);
    check({1, 131, 130, 24, 136, 3, 3, {1, 1, 1}}, Direction::forward);
    check({1, 184, 184, 8, 24, 3, 3, {1, 1, 1}}, Direction::backward_input);
    check({1, 131, 130, 136, 24, 3, 3, {1, 1, 1}}, Direction::backward_input);
    for (const auto& [i, o] : {std::pair{24, 136}, {136, 24}, {136, 136}})
        check({1, 23, 22, i, o, i == o ? 1 : 3, 1, {1, i == o ? 0 : 1, 1}}, Direction::backward_weight);
}

// 1 + 2^-11 is halfway between two values of TF32 and goes to the larger; 2^-12 is lost.
TEST_F(ConvCudaTiles, Tf32RoundsFactorsOnceAndSumsInFloat) {
    for (const auto& [value, rounded] : {std::pair{1 + 0x1p-11f, 1 + 0x1p-10f}, {1 + 0x1p-12f, 1.0f}}) {
        test::Gpu gpu(MathMode::tf32);
        Tensor x(1, 3, 5, 8, DType::f32), w(12, 1, 1, 8, DType::f32), y(1, 3, 5, 12, DType::f32);
        std::fill(x.host.begin(), x.host.end(), value);
        std::fill(w.host.begin(), w.host.end(), 1.0f);
        const View vx = x.device(gpu.stream.view()), vw = w.device(gpu.stream.view()), vy = y.device(gpu.stream.view());
        cuda::conv_forward(gpu.queue, {vx, vw, nullptr, vy, {}});
        std::fill(y.host.begin(), y.host.end(), 8 * rounded);
        y.expect(gpu.stream.view(), "y");
    }
}

// A reduction over many pixels is split among blocks; its result must not depend on how often it is computed.
TEST_F(ConvCudaTiles, WeightGradientRepeatsBitForBit) {
    for (const auto& [t, math] :
         {std::pair{DType::f32, MathMode::exact}, {DType::f32, MathMode::tf32}, {DType::bf16, MathMode::exact}}) {
        test::Gpu gpu(math);
        Tensor x(2, 40, 41, 8, t), dy(2, 40, 41, 8, t);
        const View vx = x.normal(random_, 0, 1).device(gpu.stream.view()),
                   vdy = dy.normal(random_, 0, 1).device(gpu.stream.view());
        std::vector<float> result[2];
        for (auto& values : result) {
            test::Array<float> dw(8 * 9 * 8), dbias(8);
            const View vdw{dw.upload(gpu.stream.view()), DType::f32, 8, 3, 3, 8, 8};
            cuda::conv_backward_weight(gpu.queue, {vx, vdy, {vdw}, {dbias.upload(gpu.stream.view())}, {1, 1, 1}});
            values = dw.download(gpu.stream.view(), "dw");
            for (float v : dbias.download(gpu.stream.view(), "dbias")) values.push_back(v);
        }
        EXPECT_EQ(std::memcmp(result[0].data(), result[1].data(), result[0].size() * sizeof(float)), 0);
        EXPECT_NE(result[0][0], 0.0f);
    }
}

TEST_F(ConvCudaTiles, RefusesDouble) {
    Tensor x(1, 4, 4, 8, DType::f32), w(8, 3, 3, 8, DType::f32), y(1, 4, 4, 8, DType::f32);
    View vx = x.device(stream()), vw = w.device(stream()), vy = y.device(stream());
    vx.dtype = vw.dtype = vy.dtype = DType::f64;
    EXPECT_THROW(cuda::conv_forward(gpu_->queue, {vx, vw, nullptr, vy, {1, 1, 1}}), ShapeError);
}

}  // namespace
}  // namespace atrous::kernels
