// Convolutions by cuDNN against the reference. On a GPU it is the machine's cuDNN; in the emulator a fake one that
// executes what its descriptors say, so that dimensions, strides, ids, pointers, accumulation and casts are checked.
#include "kernels/cuda/conv_cudnn.h"

#include <algorithm>
#include <iostream>

#include "tests/kernels/cuda_fixture.h"
#include "tests/kernels/fake_cudnn.h"

namespace atrous::kernels {
namespace {

using test::Names;
using test::Tensor;

struct Case {
    const char* name;
    int64_t n, h, w, c, o, r, s;
    ConvGeometry g;
    bool bias, accumulate;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
const Case cases[] = {
    {"3x3", 2, 9, 11, 16, 24, 3, 3, {1, 1, 1}, false, false},
    {"bias_accumulate", 2, 5, 6, 8, 40, 3, 3, {1, 1, 1}, true, true},
    {"1x1_stride2", 3, 8, 7, 32, 8, 1, 1, {2, 0, 1}, true, true},
    {"three_channels_7x7", 1, 18, 16, 3, 16, 7, 7, {2, 3, 1}, false, true},
    {"one_output", 2, 7, 7, 16, 1, 1, 1, {1, 0, 1}, true, false},
    {"dilation12", 1, 27, 25, 16, 16, 3, 3, {1, 12, 12}, true, true},
    {"oblong", 1, 9, 14, 8, 16, 5, 3, {1, 1, 1}, false, false},
};

class ConvByCudnn : public test::CudaTest, public testing::WithParamInterface<std::tuple<DType, Case>> {
 protected:
    void SetUp() override {
        CudaTest::SetUp();
        if (IsSkipped()) return;
        std::string why;
        if (gpu::platform() == gpu::Platform::emulated) {
            fake_ = std::make_unique<test::FakeCudnn>();
            fakes_ = std::make_unique<cudnn::Provider>(fake_->api());
            fake_->engines[cudnn::HeuristicsMode::a][0].notes.clear();  // allowed for f32 too
            provider_ = fakes_.get();
        } else {
            provider_ = cudnn::provider(&why);
        }
        if (!provider_) GTEST_SKIP() << "no cuDNN: " << why;
    }
    DType dtype() const { return std::get<0>(GetParam()); }
    const Case& c() const { return std::get<1>(GetParam()); }
    Tensor x() const { return Tensor(c().n, c().h, c().w, c().c, dtype()); }
    Tensor y() const {
        return Tensor(c().n, c().g.output_size(c().h, c().r), c().g.output_size(c().w, c().s), c().o, dtype());
    }
    Tensor w(DType t) const { return Tensor(c().o, c().r, c().s, c().c, t); }
    template <class Args>
    Names run(const Args& a) {
        EXPECT_NE(cuda::cudnn_plan(*provider_, a), nullptr);
        VariantLog log;
        cuda::cudnn_run(*provider_, gpu_->queue, a);
        stream().synchronize();
        return log.names();
    }
    // Sums of small integers are exact in any order, but not by Winograd's, which cuDNN may take in fp32.
    double tolerance() const { return !fake_ && dtype() == DType::f32 ? 4 * test::float_sums : 0; }
    std::string variant(const char* function) const { return std::string(function) + "/cudnn_" + name_of(dtype()); }

    std::unique_ptr<test::FakeCudnn> fake_;
    std::unique_ptr<cudnn::Provider> fakes_;
    cudnn::Provider* provider_ = nullptr;
};

TEST_P(ConvByCudnn, ForwardEqualsReference) {
    Tensor x = this->x(), w = this->w(dtype()), y = this->y(), bias(1, 1, 1, c().o, DType::f32);
    x.integers(random_, 3), w.integers(random_, 2), bias.integers(random_, 9);
    reference::conv_forward(
        gpu_->queue, {x.reference(), w.reference(), c().bias ? bias.reference().data : nullptr, y.reference(), c().g});
    const Names names =
        run(ConvForwardArgs{x.device(stream()), w.device(stream()), c().bias ? bias.device(stream()).data : nullptr,
                            y.device(stream()), c().g});
    y.expect(stream(), "y", tolerance());
    EXPECT_EQ(names.back(), variant("conv_forward"));
}

TEST_P(ConvByCudnn, InputGradientEqualsReference) {
    Tensor dx = x(), w = this->w(dtype()), dy = y();
    dy.integers(random_, 3), w.integers(random_, 2);
    if (c().accumulate) dx.integers(random_, 9);
    const GradTarget into{dx.device(stream()), c().accumulate};  // before the reference adds to the host's
    reference::conv_backward_input(gpu_->queue,
                                   {dy.reference(), w.reference(), {dx.reference(), c().accumulate}, c().g});
    const Names names = run(ConvBackwardInputArgs{dy.device(stream()), w.device(stream()), into, c().g});
    dx.expect(stream(), "dx", tolerance());
    EXPECT_EQ(names, Names{variant("conv_backward_input")});
}

TEST_P(ConvByCudnn, WeightGradientEqualsReferenceRoundedOnce) {
    Tensor x = this->x(), dw = w(DType::f32), dy = y();
    dy.integers(random_, 3), x.integers(random_, 3);
    if (c().accumulate) dw.integers(random_, 9);
    const ConvBackwardWeightArgs args{
        x.device(stream()), dy.device(stream()), {dw.device(stream()), c().accumulate}, {}, c().g};
    reference::conv_backward_weight(gpu_->queue,
                                    {x.reference(), dy.reference(), {dw.reference(), c().accumulate}, {}, c().g});
    const Names names = run(args);
    dw.expect(stream(), "dw", is_half(dtype()) ? test::spacing(dtype()) / 2 : tolerance());
    EXPECT_EQ(names.front(), variant("conv_backward_weight"));
}

std::string case_name(const testing::TestParamInfo<std::tuple<DType, Case>>& i) {
    return std::string(name_of(std::get<0>(i.param))) + "_" + std::get<1>(i.param).name;
}
INSTANTIATE_TEST_SUITE_P(All, ConvByCudnn,
                         testing::Combine(testing::ValuesIn(test::gpu_types), testing::ValuesIn(cases)), case_name);

// On a GPU with cuDNN alone.
class CudnnOnThisGpu : public test::CudaTest {
 protected:
    void SetUp() override {
        CudaTest::SetUp();
        if (IsSkipped()) return;
        std::string why;
        provider_ = cudnn::provider(&why);
        if (!provider_) GTEST_SKIP() << "no cuDNN on a GPU: " << why;
    }
    cudnn::Provider* provider_ = nullptr;
};

// Gives the blocks of the first run again, since a capture must not take memory.
struct KeptScratch : Scratch {
    void* take(size_t bytes) override {
        if (next == blocks.size()) blocks.push_back(std::make_unique<test::DeviceBlock>(std::max<size_t>(bytes, 1)));
        return blocks[next++]->data;
    }
    std::vector<std::unique_ptr<test::DeviceBlock>> blocks;
    size_t next = 0;
};

// A graph holds what cuDNN does, and its replay gives the bits of the eager run.
TEST_F(CudnnOnThisGpu, IsRecordedAndReplayed) {
    const auto stream = gpu_->stream.view();
    KeptScratch scratch;
    Queue queue(stream, scratch, 1);
    Tensor x(2, 33, 33, 64, DType::bf16), w(64, 3, 3, 64, DType::bf16), dy(2, 33, 33, 64, DType::bf16),
        y(2, 33, 33, 64, DType::bf16), dx(2, 33, 33, 64, DType::bf16), dw(64, 3, 3, 64, DType::f32);
    x.integers(random_, 3), w.integers(random_, 2), dy.integers(random_, 2);
    const ConvGeometry g{.padding = 1};
    const View in = x.device(stream), weights = w.device(stream), gradient = dy.device(stream);
    const View outputs[] = {y.device(stream), dx.device(stream), dw.device(stream)};
    const auto run = [&] {
        scratch.next = 0;
        cuda::cudnn_run(queue, ConvForwardArgs{in, weights, nullptr, outputs[0], g});
        cuda::cudnn_run(queue, ConvBackwardInputArgs{gradient, weights, {outputs[1], false}, g});
        cuda::cudnn_run(queue, ConvBackwardWeightArgs{in, gradient, {outputs[2], false}, {}, g});
    };
    const auto results = [&] {
        std::vector<std::vector<char>> all;
        for (const View& v : outputs) {
            auto& bytes = all.emplace_back(size_t(v.count()) * size_of(v.dtype));
            gpu::copy_async(bytes.data(), v.data, bytes.size(), stream);
            gpu::fill_bytes_async(v.data, 0xff, bytes.size(), stream);
        }
        stream.synchronize();
        return all;
    };
    run();  // plans are made, and scratch memory is taken
    const auto eager = results();
    gpu::Graph graph = gpu::Graph::capture(stream, run);
    graph.launch(stream);
    EXPECT_EQ(results(), eager);
}

// What is printed belongs into tests/gpu/devices.
TEST_F(CudnnOnThisGpu, ItsDescriptionGivesTheSamePlans) {
    const std::string json = cudnn::device_json(provider_->api(), gpu::current_device());
    std::cout << json << '\n';
    const cudnn::Object described = cudnn::described_device(provider_->api(), json);
    for (const auto pass : {cudnn::Pass::forward, cudnn::Pass::input_gradient, cudnn::Pass::weight_gradient})
        for (int64_t dilation : {1, 12}) {
            cudnn::ConvProblem p;
            p.pass = pass, p.n = 16, p.h = p.w = 65, p.c = 512, p.o = 256, p.r = p.s = 3;
            p.padding = p.dilation = dilation;
            const cudnn::ConvPlans here = provider_->candidates(p),
                                   there = cudnn::plan_convolution(provider_->api(), {nullptr, &described}, p);
            ASSERT_EQ(here.list.size(), there.list.size()) << here.why_not << there.why_not;
            for (size_t i = 0; i < here.list.size(); ++i) EXPECT_EQ(here.list[i].text(), there.list[i].text());
        }
}

}  // namespace
}  // namespace atrous::kernels
