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

// Convolutions without memory, as the choice of kernels sees them.
ConvForwardArgs problem(const ConvCase& c, DType t = DType::bf16) {
    return {{nullptr, t, c.n, c.h, c.w, c.i, c.i},
            {nullptr, t, c.o, c.r, c.s, c.i, c.i},
            nullptr,
            {nullptr, t, c.n, c.g.output_size(c.h, c.r), c.g.output_size(c.w, c.s), c.o, c.o},
            c.g};
}
ConvForwardArgs problem(int64_t n, int64_t size, int64_t in, int64_t out, int kernel, int dilation,
                        DType t = DType::bf16) {
    return problem({n, size, size, in, out, kernel, kernel, {1, dilation * (kernel / 2), dilation}}, t);
}
ConvBackwardInputArgs input_gradient(const ConvForwardArgs& a) { return {a.y, a.w, {a.x, false}, a.geometry}; }
ConvBackwardWeightArgs weight_gradient(const ConvForwardArgs& a) {
    GradTarget dw{a.w, false};
    dw.view.dtype = DType::f32;
    return {a.x, a.y, dw, {}, a.geometry};
}

class ConvWgmma : public test::CudaTest {
 protected:
    void SetUp() override {
#ifdef ATROUS_EMULATED
        options->capability = 90;
#endif
        CudaTest::SetUp();
        if (const std::string why = cuda::why_wgmma_is_absent(); !IsSkipped() && !why.empty()) GTEST_SKIP() << why;
    }
    static void expect_equal(const ConvCase& c, DType t, Direction d) {
        const Names names = BothSides(c, t, false, d, MathMode::exact, {KernelChoice::Rule::named, "wgmma"}).go();
        Names wanted{function_of(d) + "/wgmma_" + name_of(t)};
        if (d == Direction::backward_weight && c.bias) wanted.push_back(function_of(d) + "/bias_" + name_of(t));
        EXPECT_EQ(names, wanted) << c.text();
    }
    // run(out) writes `count` elements.
    template <class T, class Run>
    void expect_repeats(Direction d, int64_t count, Run run) {
        std::vector<T> result[2];
        for (auto& values : result) {
            test::Array<T> out{size_t(count)};
            T* const to = out.upload(stream());
            VariantLog log;
            run(to);
            EXPECT_EQ(log.names(), Names{function_of(d) + "/wgmma_bf16"});
            values = out.download(stream(), function_of(d).c_str());
        }
        EXPECT_EQ(result[0], result[1]) << function_of(d);
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
    for (const DType t : halves)
        for (const Direction d : directions)
            for (const ConvCase& c : atrous_cases) expect_equal(c, t, d);
}

// Boxes of 128 pixels, so many that a block's columns are as many as `tile`, with more steps than the ring has stages.
TEST_F(ConvWgmma, EqualsReferenceInLargeTilesOfPixels) {
    for (const auto& [lines, tile] : {std::pair<int64_t, int>{50, 128}, {67, 256}}) {
        const ConvCase to_more{1, lines, 128, 72, 136, 1, 3, {1, 0, 1}};
        EXPECT_EQ(cuda::wgmma_tile(problem(to_more)).columns, tile);
        for (const DType t : halves) expect_equal(to_more, t, Direction::forward);
        for (const DType t : halves) {
            const ConvCase to_fewer{1, lines, 128, 136, 72, 1, 3, {1, 0, 1}, t == DType::f16};
            EXPECT_EQ(cuda::wgmma_tile(input_gradient(problem(to_fewer))).columns, tile);
            expect_equal(to_fewer, t, Direction::backward_input);
        }
    }
}

struct WeightTile {
    int64_t i, o;
    int rows, columns;
};
const WeightTile weight_tiles[] = {{40, 136, 128, 64},   {136, 40, 64, 128},  {72, 72, 128, 128},
                                   {128, 136, 128, 128}, {136, 72, 128, 256}, {264, 136, 128, 256}};

// 10 boxes at most a tap, round the ring; and three splits, two of which are empty for the taps that read a single line.
ConvCase in_one_split(int64_t i, int64_t o, bool added) { return {1, 13, 32, i, o, 1, 3, {1, 4, 4}, added}; }
ConvCase in_splits(int64_t i, int64_t o, bool added) { return {1, 21, 32, i, o, 3, 1, {1, 20, 20}, added}; }

TEST_F(ConvWgmma, EqualsReferenceInEveryTileOfWeights) {
    for (const auto& [i, o, rows, columns] : weight_tiles)
        for (const bool added : {false, true})
            for (const ConvCase& c : {in_one_split(i, o, added), in_splits(i, o, added)}) {
                const cuda::ResultTile tile = cuda::wgmma_tile(weight_gradient(problem(c)));
                EXPECT_EQ(tile.rows, rows) << c.text();
                EXPECT_EQ(tile.columns, columns) << c.text();
                for (const DType t : halves) expect_equal(c, t, Direction::backward_weight);
            }
}

TEST_F(ConvWgmma, RepeatsBitForBit) {
    gpu_ = std::make_unique<test::Gpu>(MathMode::exact, KernelChoice{KernelChoice::Rule::named, "wgmma"});
    const ConvForwardArgs a = problem(in_splits(72, 40, false));
    Tensor x(1, a.x.h, a.x.w, 72, DType::bf16), w(40, 3, 1, 72, DType::bf16), y(1, a.y.h, a.y.w, 40, DType::bf16);
    const View vx = x.normal(random_, 0, 1).device(stream()), vw = w.normal(random_, 0, 1).device(stream()),
               vy = y.normal(random_, 0, 1).device(stream());
    const auto at = [](View v, void* data) {
        v.data = data;
        return v;
    };
    expect_repeats<uint16_t>(Direction::forward, vy.count(), [&](void* out) {
        cuda::conv_forward(gpu_->queue, {vx, vw, nullptr, at(vy, out), a.geometry});
    });
    expect_repeats<uint16_t>(Direction::backward_input, vx.count(), [&](void* out) {
        cuda::conv_backward_input(gpu_->queue, {vy, vw, {at(vx, out), false}, a.geometry});
    });
    EXPECT_EQ(gpu_->scratch.blocks.size(), 0u);
    expect_repeats<float>(Direction::backward_weight, vw.count(), [&](void* out) {
        const GradTarget dw{at(weight_gradient(a).dw.view, out), false};
        cuda::conv_backward_weight(gpu_->queue, {vx, vy, dw, {}, a.geometry});
    });
    EXPECT_EQ(gpu_->scratch.blocks.size(), 2u) << "partial sums of splits";
}

// ---- what it takes, and where it comes first ------------------------------------------------------------------------

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
    EXPECT_EQ(cuda::why_wgmma_is_absent(), "the GPU's capability is 8.0; expected 9.0; take mma");
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
    EXPECT_EQ(by(problem(16, 512, 32, 32, 3, 1)), "mma") << "half of the columns by half of the depth";
    EXPECT_EQ(by(problem(16, 512, 64, 2, 1, 1)), "narrow");
}

TEST_F(ConvWgmma, ComesFirstInGradientsWhereItsTilesFillTheGpu) {
    const auto input = [this](const ConvForwardArgs& a) {
        return cuda::conv_backward_input_family().choose(gpu_->queue, input_gradient(a)).name;
    };
    const auto weight = [this](const ConvForwardArgs& a) {
        return cuda::conv_backward_weight_family().choose(gpu_->queue, weight_gradient(a)).name;
    };
    for (const int dilation : {1, 12, 24, 36}) {
        EXPECT_EQ(input(problem(16, 65, 2048, 256, 3, dilation)), "wgmma");
        EXPECT_EQ(weight(problem(16, 65, 2048, 256, 3, dilation)), "wgmma");
    }
    EXPECT_EQ(input(problem(16, 512, 64, 64, 3, 1)), "wgmma");
    EXPECT_EQ(input(problem(16, 512, 32, 32, 3, 1)), "mma");
    EXPECT_EQ(weight(problem(16, 512, 64, 64, 3, 1)), "mma") << "half of the rows are outside";
    EXPECT_EQ(weight(problem(16, 256, 64, 128, 3, 1)), "wgmma");
    EXPECT_EQ(weight(problem(16, 256, 128, 64, 3, 1)), "wgmma");
    EXPECT_EQ(weight(problem(16, 256, 128, 128, 3, 1)), "wgmma");
    EXPECT_EQ(weight(problem(16, 256, 136, 72, 3, 1)), "mma") << "56 % of the rows by 53 % of the columns";
    EXPECT_EQ(weight(problem(1, 17, 256, 256, 1, 1)), "mma") << "two blocks";
}

// cuDNN has Hopper kernels up to a dilation that depends on the direction.
TEST_F(ConvWgmma, LeadsLibrariesAtFarDilationsAlone) {
    const auto leads = [](const auto& a) { return cuda::wgmma_leads(a); };
    const auto aspp = [](int dilation, int kernel = 3) { return problem(16, 65, 2048, 256, kernel, dilation); };
    EXPECT_FALSE(leads(aspp(9)));
    EXPECT_TRUE(leads(aspp(10)));
    EXPECT_FALSE(leads(input_gradient(aspp(10))));
    EXPECT_TRUE(leads(input_gradient(aspp(11))));
    EXPECT_FALSE(leads(weight_gradient(aspp(8))));
    EXPECT_TRUE(leads(weight_gradient(aspp(9))));
    EXPECT_FALSE(leads(aspp(12, 1))) << "a single tap";
    EXPECT_FALSE(leads(input_gradient(aspp(12, 1))));
    EXPECT_FALSE(leads(weight_gradient(aspp(12, 1))));
    EXPECT_FALSE(leads(problem(1, 17, 2048, 256, 3, 10))) << "too few tiles";
    EXPECT_FALSE(leads(problem(16, 65, 2048, 256, 3, 10, DType::f32)));
}

}  // namespace
}  // namespace atrous::kernels
