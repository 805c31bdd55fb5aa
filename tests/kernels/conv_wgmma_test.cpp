// Convolutions by Hopper's tensor cores ("wgmma") against the reference, on an emulated device of capability 9.0 or on a
// real one.
#include "kernels/cuda/conv_wgmma.h"

#include "tests/kernels/conv_both_sides.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous::kernels {
namespace {

constexpr DType halves[] = {DType::bf16, DType::f16};
constexpr Direction directions[] = {Direction::forward, Direction::backward_input, Direction::backward_weight};

std::string function_of(Direction d) {
    return d == Direction::forward          ? "conv_forward"
           : d == Direction::backward_input ? "conv_backward_input"
                                            : "conv_backward_weight";
}

class ConvWgmma : public test::CudaTest {
 protected:
    void SetUp() override {
#ifdef ATROUS_EMULATED
        options->capability = 90;
#endif
        CudaTest::SetUp();
        if (!IsSkipped() && gpu::capability() != 90) GTEST_SKIP() << "the GPU's capability is not 9.0";
    }
    static void expect_equal(const ConvCase& c, DType t, Direction d) {
        const Names names = BothSides(c, t, false, d, MathMode::exact, {KernelChoice::Rule::named, "wgmma"}).go();
        Names wanted{function_of(d) + "/wgmma_" + name_of(t)};
        if (d == Direction::backward_weight && c.bias) wanted.push_back(function_of(d) + "/bias_" + name_of(t));
        EXPECT_EQ(names, wanted) << c.text();
    }
#ifdef ATROUS_EMULATED
    gpu::emu::ScopedOptions options;
#endif
};

// n h w i o r s, {stride, padding, dilation}, accumulate, bias, gap
const ConvCase small_cases[] = {
    {1, 1, 1, 8, 8, 1, 1, {1, 0, 1}},
    {2, 5, 7, 8, 16, 3, 3, {1, 1, 1}, true},
    {1, 13, 11, 24, 40, 3, 3, {1, 1, 1}, false, false, 8},
    {3, 6, 5, 64, 8, 1, 1, {1, 0, 1}, true, true, 16},
    {1, 9, 10, 16, 72, 3, 3, {1, 6, 6}, false, true, 24},
    {17, 3, 3, 64, 64, 3, 3, {1, 1, 1}, true, true, 8},  // a box of many images, and one more
    {1, 7, 40, 8, 8, 5, 3, {1, 2, 2}, true},
    {1, 9, 6, 72, 24, 2, 4, {1, 0, 1}},
    {1, 3, 3, 8, 8, 1, 1, {1, 12, 1}, true},  // whole boxes of outputs that see padding alone
    {1, 2, 3, 2048, 64, 1, 1, {1, 0, 1}},
};
// Dilations at which many taps are padding, the last of them larger than the image.
const ConvCase atrous_cases[] = {
    {2, 13, 17, 72, 40, 3, 3, {1, 2, 2}, true},   {2, 13, 17, 40, 72, 3, 3, {1, 4, 4}},
    {2, 13, 17, 24, 24, 3, 3, {1, 10, 10}, true}, {3, 25, 14, 64, 16, 3, 3, {1, 12, 12}, false, true, 8},
    {1, 30, 27, 16, 64, 3, 3, {1, 24, 24}},       {2, 13, 17, 136, 8, 3, 3, {1, 36, 36}, true},
};

TEST_F(ConvWgmma, EqualsReferenceAtTheEdges) {
    for (const DType t : halves)
        for (const Direction d : directions)
            for (const ConvCase& c : small_cases) expect_equal(c, t, d);
}

TEST_F(ConvWgmma, EqualsReferenceAtDilations) {
    for (const Direction d : directions)
        for (const ConvCase& c : atrous_cases) expect_equal(c, DType::bf16, d);
}

// 35 and 67 boxes of 128 pixels: tiles of 128 and of 256 columns, with more steps than the ring has stages.
TEST_F(ConvWgmma, EqualsReferenceInLargeTiles) {
    for (const int64_t lines : {35, 67}) {
        const bool added = lines == 67;
        expect_equal({1, lines, 128, 72, 136, 1, 3, {1, 0, 1}, false}, DType::bf16, Direction::forward);
        expect_equal({1, lines, 128, 136, 72, 1, 3, {1, 0, 1}, added}, DType::bf16, Direction::backward_input);
    }
}

// Tiles of weight gradients, 128x128, 128x64 and 64x128 beside the 128x256 of 2048 channels, round the ring and in splits.
TEST_F(ConvWgmma, EqualsReferenceInEveryTileOfWeights) {
    for (const auto& [i, o] : {std::pair{136, 72}, {40, 136}, {136, 40}, {264, 136}})
        expect_equal({1, 37, 29, i, o, 1, 3, {1, 4, 4}, i > o}, DType::bf16, Direction::backward_weight);
}

TEST_F(ConvWgmma, RepeatsBitForBit) {
    test::Gpu gpu(MathMode::exact, {KernelChoice::Rule::named, "wgmma"});
    Tensor x(2, 19, 21, 72, DType::bf16), w(40, 3, 3, 72, DType::bf16), y(2, 19, 21, 40, DType::bf16);
    const View vx = x.normal(random_, 0, 1).device(gpu.stream.view()),
               vw = w.normal(random_, 0, 1).device(gpu.stream.view());
    std::vector<uint16_t> result[2];
    for (auto& values : result) {
        test::Array<uint16_t> out(y.host.size());
        const View vy{out.upload(gpu.stream.view()), DType::bf16, 2, 19, 21, 40, 40};
        cuda::conv_forward(gpu.queue, {vx, vw, nullptr, vy, {1, 4, 4}});
        values = out.download(gpu.stream.view(), "y");
    }
    EXPECT_EQ(result[0], result[1]);
}

// ---- what it takes, and where it comes first ------------------------------------------------------------------------

ConvForwardArgs problem(int64_t n, int64_t size, int64_t in, int64_t out, int kernel, int dilation,
                        DType t = DType::bf16) {
    const ConvGeometry g{1, dilation * (kernel / 2), dilation};
    return {{nullptr, t, n, size, size, in, in},
            {nullptr, t, out, kernel, kernel, in, in},
            nullptr,
            {nullptr, t, n, size, size, out, out},
            g};
}

TEST_F(ConvWgmma, SaysWhatItDoesNotTake) {
    const auto why = [](const ConvForwardArgs& a) {
        const char* const text = cuda::why_not_wgmma(a);
        return std::string(text ? text : "");
    };
    EXPECT_EQ(why(problem(1, 8, 8, 8, 3, 1)), "");
    EXPECT_EQ(why(problem(1, 8, 8, 8, 3, 1, DType::f32)), "the elements are neither bf16 nor fp16");
    ConvForwardArgs strided = problem(1, 8, 8, 8, 3, 1);
    strided.geometry.stride = 2, strided.y.h = strided.y.w = 4;
    EXPECT_EQ(why(strided), "the stride is not 1");
    const std::string places = "channels or pitches are no multiples of 8, or a tensor is not aligned to 16 bytes";
    EXPECT_EQ(why(problem(1, 8, 12, 8, 3, 1)), places);
    EXPECT_EQ(why(problem(1, 8, 8, 12, 3, 1)), places);
    ConvForwardArgs slice = problem(1, 8, 8, 8, 3, 1);
    slice.x.pitch = 24;
    EXPECT_EQ(why(slice), "");
    slice.x.pitch = 20;
    EXPECT_EQ(why(slice), places);
    slice.x.pitch = 24, slice.x.data = reinterpret_cast<void*>(8);
    EXPECT_EQ(why(slice), places);
#ifdef ATROUS_EMULATED
    options->capability = 80;
    EXPECT_EQ(why(problem(1, 8, 8, 8, 3, 1)), "the GPU's capability is not 9.0");
    EXPECT_EQ(cuda::why_wgmma_is_absent(), "the GPU's capability is not 9.0");
#endif
}

TEST_F(ConvWgmma, ComesFirstWhereItsTilesFillTheGpu) {
    const auto by = [this](const ConvForwardArgs& a) {
        return cuda::conv_forward_family().choose(gpu_->queue, a).name;
    };
    for (const int dilation : {1, 12, 24, 36}) EXPECT_EQ(by(problem(16, 65, 2048, 256, 3, dilation)), "wgmma");
    EXPECT_EQ(by(problem(1, 65, 2048, 256, 3, 12)), "wgmma") << "90 blocks of 128 columns";
    EXPECT_EQ(by(problem(1, 33, 2048, 256, 3, 12)), "mma") << "40 blocks";
    EXPECT_EQ(by(problem(16, 512, 64, 64, 3, 1)), "wgmma");
    EXPECT_EQ(by(problem(16, 512, 64, 24, 3, 1)), "mma") << "more than half of the columns are outside";
    EXPECT_EQ(by(problem(16, 512, 16, 64, 3, 1)), "mma") << "most of a step's depth is outside";
    EXPECT_EQ(by(problem(16, 512, 64, 2, 1, 1)), "narrow");
}

// cuDNN has no Hopper kernels for dilations of 10 and more.
TEST_F(ConvWgmma, LeadsLibrariesAtFarDilationsAlone) {
    const auto leads = [](const ConvForwardArgs& a) { return cuda::wgmma_leads(a); };
    EXPECT_TRUE(leads(problem(16, 65, 2048, 256, 3, 10)));
    EXPECT_FALSE(leads(problem(16, 65, 2048, 256, 3, 9)));
    EXPECT_FALSE(leads(problem(1, 17, 2048, 256, 3, 10))) << "too few tiles";
    EXPECT_FALSE(leads(problem(16, 65, 2048, 256, 3, 10, DType::f32)));
}

}  // namespace
}  // namespace atrous::kernels
