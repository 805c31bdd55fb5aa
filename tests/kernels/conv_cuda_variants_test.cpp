// Every GPU variant of convolution and transposed convolution against the reference: variant x direction x element type
// x aligned/odd.
#include "base/error.h"
#include "tests/kernels/conv_both_sides.h"

namespace atrous::kernels {
namespace {

using Case = ConvCase;

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
