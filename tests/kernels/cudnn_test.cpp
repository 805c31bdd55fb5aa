// The provider on a fake cuDNN: what it asks for, what it takes, what it says where something fails.
#include "tests/kernels/fake_cudnn.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "kernels/cuda/conv_cudnn.h"
#include "tests/kernels/device_tensor.h"
#include "tests/paths.h"

namespace atrous::cudnn {
namespace {

namespace fs = std::filesystem;
namespace k = kernels;
using test::FakeEngine;

ConvProblem problem() {
    ConvProblem p;
    p.n = 2, p.h = 5, p.w = 6, p.c = 8, p.o = 16, p.r = p.s = 3, p.padding = 1;
    return p;
}

void expect_one_line(const std::string& text, const std::vector<std::string>& parts) {
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    for (const std::string& part : parts) EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks " << part;
}

class CudnnProvider : public testing::Test {
 protected:
    void SetUp() override {
        if (gpu::platform() != gpu::Platform::emulated) GTEST_SKIP() << "the fake cuDNN works on the emulator's memory";
    }
    void TearDown() override {
        provider_.reset();
        EXPECT_TRUE(fake_.alive.empty()) << fake_.alive.size() << " descriptors were not destroyed";
        EXPECT_EQ(fake_.handles, 0) << "handles that were not destroyed";
    }
    Provider& provider(const PlanRules& rules = {}) {
        if (!provider_) provider_ = std::make_unique<Provider>(fake_.api(), rules);
        return *provider_;
    }
    std::vector<FakeEngine>& offer(HeuristicsMode mode = HeuristicsMode::a) { return fake_.engines[mode]; }
    // Of the first plan under these rules; -1 where there is none.
    int64_t engine_of(const ConvProblem& p, const PlanRules& rules = {}) {
        const ConvPlans plans = plan_convolution(*fake_.api(), {&fake_, nullptr}, p, rules);
        return plans.list.empty() ? -1 : plans.list.front().engine;
    }

    test::FakeCudnn fake_;
    std::unique_ptr<Provider> provider_;
};

TEST_F(CudnnProvider, ExecutesWithItsPointersWorkspaceAndStream) {
    test::Gpu gpu;
    Random random(3);
    test::Tensor x(2, 5, 6, 8, DType::bf16), w(16, 3, 3, 8, DType::bf16), y(2, 5, 6, 16, DType::bf16);
    x.integers(random, 2), w.integers(random, 2);
    const k::ConvForwardArgs a{
        x.device(gpu.stream.view()), w.device(gpu.stream.view()), nullptr, y.device(gpu.stream.view()), {1, 1, 1}};
    const uint64_t waits = gpu::synchronizations();
    k::cuda::cudnn_run(provider(), gpu.queue, a);
    EXPECT_EQ(gpu::synchronizations(), waits) << "a graph may be recorded";
    ASSERT_EQ(fake_.executions.size(), 1u);
    const auto& e = fake_.executions[0];
    EXPECT_EQ(e.engine, 62);
    EXPECT_EQ(e.stream, gpu.stream.view().handle());
    EXPECT_EQ(e.ids, (std::vector<int64_t>{ConvGraph::x, ConvGraph::w, ConvGraph::y}));
    EXPECT_EQ(e.pointers, (std::vector<void*>{a.x.data, a.w.data, a.y.data}));
    ASSERT_EQ(gpu.scratch.blocks.size(), 1u) << "the workspace of 131 bytes";
    EXPECT_EQ(e.workspace, gpu.scratch.blocks[0]->data);

    offer() = {{45, 0}};
    provider_.reset();
    fake_.executions.clear();
    k::cuda::cudnn_run(provider(), gpu.queue, a);
    EXPECT_EQ(fake_.executions.at(0).workspace, nullptr) << "a plan without workspace";
}

TEST_F(CudnnProvider, ADryRunAsksForTheWorkspaceAndExecutesNothing) {
    test::OwnScratch scratch;
    Queue q(gpu::StreamView::dry_run(), scratch, 1);
    View x{reinterpret_cast<void*>(256), DType::bf16, 2, 5, 6, 8, 8}, w{x.data, DType::bf16, 16, 3, 3, 8, 8},
        y{x.data, DType::bf16, 2, 5, 6, 16, 16}, dw = w;
    dw.dtype = DType::f32;
    k::cuda::cudnn_run(provider(), q, k::ConvForwardArgs{x, w, nullptr, y, {1, 1, 1}});
    EXPECT_EQ(scratch.blocks.size(), 1u);
    k::cuda::cudnn_run(provider(), q, k::ConvBackwardWeightArgs{x, y, {dw, true}, {}, {1, 1, 1}});
    EXPECT_EQ(scratch.blocks.size(), 3u) << "the gradient in bf16, and the workspace";
    EXPECT_TRUE(fake_.executions.empty());
}

TEST_F(CudnnProvider, PlansAProblemOnce) {
    const ConvPlan* const first = provider().plan(problem());
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(provider().plan(problem()), first);
    EXPECT_EQ(fake_.finalized[Kind::heuristics], 1);
    ConvProblem other = problem();
    other.dilation = other.padding = 2;
    EXPECT_NE(provider().plan(other), first);
    EXPECT_EQ(fake_.finalized[Kind::heuristics], 2);
    offer().clear();
    other.dilation = other.padding = 3;
    EXPECT_EQ(provider().plan(other), nullptr);
    const int asked = fake_.finalized[Kind::heuristics];
    EXPECT_EQ(provider().plan(other), nullptr);
    EXPECT_EQ(fake_.finalized[Kind::heuristics], asked) << "that there is none is kept too";
}

TEST_F(CudnnProvider, TakesTheFirstPlanThatTheRulesAllow) {
    const FakeEngine random{1, 0, {NumericalNote::tensor_core, NumericalNote::nondeterministic}},
        compiled{2, 0, {NumericalNote::tensor_core}, {BehaviorNote::runtime_compilation}},
        reduced{3, 0, {NumericalNote::reduced_precision_reduction}}, large{4, (int64_t(256) << 20) + 1},
        refused{5, 0, {}, {}, 3004}, good{6, int64_t(256) << 20}, next{7, 0};
    offer() = {random, compiled, reduced, large, refused, good, next};
    EXPECT_EQ(engine_of(problem()), 6);
    EXPECT_EQ(engine_of(problem(), {.nondeterministic = true}), 1);
    EXPECT_EQ(engine_of(problem(), {.runtime_compiled = true}), 2);
    EXPECT_EQ(engine_of(problem(), {.workspace_bytes = int64_t(1) << 30}), 4);
    EXPECT_EQ(engine_of(problem(), {.workspace_bytes = 0}), 7);

    const ConvPlans list = provider().candidates(problem());
    ASSERT_EQ(list.list.size(), 2u) << "in cuDNN's order";
    EXPECT_EQ(list.list[1].engine, 7);
    EXPECT_EQ(provider().candidates(problem(), 1).list.size(), 1u);

    offer() = {random, compiled, reduced, large, refused};
    std::string why;
    EXPECT_EQ(provider().plan(problem(), &why), nullptr);
    expect_one_line(why, {"1 may give other bits", "1 would be compiled", "1 round more", "1 take too much workspace",
                          "1 are not supported"});
}

TEST_F(CudnnProvider, RoundsFloatsOnlyWhereTf32IsAllowed) {
    ConvProblem p = problem();
    p.dtype = DType::f32;
    offer() = {{1, 0, {NumericalNote::tensor_core, NumericalNote::down_converts_inputs}},
               {2, 0, {NumericalNote::tensor_core}},
               {3, 0, {}}};
    EXPECT_EQ(engine_of(p), 3);
    p.tf32 = true;
    EXPECT_EQ(engine_of(p), 2) << "inputs of 10-bit mantissas, not of half precision";
    offer().pop_back();
    p.tf32 = false;
    EXPECT_EQ(engine_of(p), -1);
}

TEST_F(CudnnProvider, ComputesFloatsInTf32WhereTheQueueSaysSo) {
    test::OwnScratch scratch;
    const View x{reinterpret_cast<void*>(256), DType::f32, 2, 5, 6, 8, 8}, w{x.data, DType::f32, 16, 3, 3, 8, 8},
        y{x.data, DType::f32, 2, 5, 6, 16, 16};
    const k::ConvForwardArgs a{x, w, nullptr, y, {1, 1, 1}};
    offer() = {{1, 0, {NumericalNote::tensor_core}}};
    EXPECT_EQ(k::cuda::cudnn_plan(provider(), a), nullptr) << "exactly";
    EXPECT_NE(k::cuda::cudnn_plan(provider(), a, MathMode::tf32), nullptr);
    Queue q(gpu::StreamView::dry_run(), scratch, 1, {}, MathMode::tf32);
    const VariantLog log;
    k::cuda::cudnn_run(provider(), q, a);
    EXPECT_EQ(log.names(), std::vector<std::string>{"conv_forward/cudnn_tf32"});
    for (const auto& [dtype, tf32] : {std::pair{DType::f32, true}, {DType::bf16, false}}) {
        k::ConvForwardArgs b = a;
        b.x.dtype = b.w.dtype = b.y.dtype = dtype;
        EXPECT_EQ(k::cuda::cudnn_problem(b, MathMode::tf32).tf32, tf32) << name_of(dtype);
    }
}

TEST_F(CudnnProvider, DropsPlansThatAreNotWanted) {
    const auto before = fake_.alive.size();
    ASSERT_NE(provider().plan(problem()), nullptr);
    ASSERT_NE(provider().plan_named(problem(), provider().candidates(problem()).list.at(0).name()), nullptr);
    EXPECT_GT(fake_.alive.size(), before);
    provider().drop_plans();
    EXPECT_EQ(fake_.alive.size(), before);
    const int asked = fake_.finalized[Kind::heuristics];
    EXPECT_NE(provider().plan(problem()), nullptr);
    EXPECT_EQ(fake_.finalized[Kind::heuristics], asked + 1);
}

TEST_F(CudnnProvider, OffersItsPlansToATunerByName) {
    test::OwnScratch scratch;
    const View x{reinterpret_cast<void*>(256), DType::bf16, 2, 5, 6, 8, 8}, w{x.data, DType::bf16, 16, 3, 3, 8, 8},
        y{x.data, DType::bf16, 2, 5, 6, 16, 16};
    k::ConvForwardArgs a{x, w, nullptr, y, {1, 1, 1}};
    offer() = {{62, 131}, {63, 0, {NumericalNote::nondeterministic}}, {65, 512}};
    const auto ways = k::cuda::cudnn_ways(provider(), a, MathMode::exact);
    ASSERT_EQ(ways.size(), 2u) << "deterministic ones";
    const ConvPlan* const second = k::cuda::cudnn_plan(provider(), a, MathMode::exact, ways[1]);
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(second->engine, 65);
    EXPECT_EQ(second->name(), ways[1]);
    const int asked = fake_.finalized[Kind::heuristics];
    EXPECT_EQ(k::cuda::cudnn_plan(provider(), a, MathMode::exact, ways[1]), second);
    EXPECT_EQ(k::cuda::cudnn_plan(provider(), a, MathMode::exact)->engine, 62) << "untuned, the first";
    EXPECT_EQ(fake_.finalized[Kind::heuristics], asked + 1);
    EXPECT_EQ(k::cuda::cudnn_plan(provider(), a, MathMode::exact, "7:"), nullptr) << "a plan that there is not";

    Queue q(gpu::StreamView::dry_run(), scratch, 1);
    q.set_way(ways[1]);
    k::cuda::cudnn_run(provider(), q, a);
    EXPECT_EQ(scratch.blocks.size(), 1u);
    a.x.pitch = 16;
    EXPECT_TRUE(k::cuda::cudnn_ways(provider(), a, MathMode::exact).empty()) << "a slice";
}

TEST_F(CudnnProvider, AsksTheOtherHeuristicsWhereTheFirstHaveNothing) {
    offer() = {{1, 0, {NumericalNote::nondeterministic}}};
    offer(HeuristicsMode::b) = {{2, 0}};
    offer(HeuristicsMode::fallback) = {{3, 0}};
    EXPECT_EQ(engine_of(problem()), 2);
    offer(HeuristicsMode::b).clear();
    const ConvPlan* const plan = provider().plan(problem());
    ASSERT_NE(plan, nullptr);
    EXPECT_EQ(plan->engine, 3);
    EXPECT_FALSE(k::cuda::is_fast(*plan, true)) << "a fallback engine runs by name alone";

    offer() = {{4, 0}, {5, 0, {}}};
    const ConvPlans plans = provider().candidates(problem());
    const ConvPlan &cores = plans.list.at(0), &plain = plans.list.at(1);
    EXPECT_TRUE(k::cuda::is_fast(cores, false));
    EXPECT_FALSE(k::cuda::is_fast(plain, false)) << "ours uses tensor cores";
    EXPECT_TRUE(k::cuda::is_fast(plain, true)) << "ours does not";
}

TEST(CudnnProblem, OursIsPlainWhereOnlySimtComputesIt) {
    test::OwnScratch scratch;
    Queue q(gpu::StreamView::dry_run(), scratch, 1);
    // Forward, input gradient, weight gradient: '+' where it is plain.
    const auto plain = [&](int64_t in, int64_t out, int64_t kernel, DType t = DType::bf16) {
        const View x{nullptr, t, 1, 9, 9, in, in}, y{nullptr, t, 1, 10 - kernel, 10 - kernel, out, out};
        const View w{nullptr, t, out, kernel, kernel, in, in};
        View dw = w;
        dw.dtype = DType::f32;
        std::string passes;
        passes += k::cuda::ours_is_plain(q, k::ConvForwardArgs{x, w, nullptr, y, {}}) ? '+' : '-';
        passes += k::cuda::ours_is_plain(q, k::ConvBackwardInputArgs{y, w, {x, false}, {}}) ? '+' : '-';
        dw.data = &scratch;
        passes += k::cuda::ours_is_plain(q, k::ConvBackwardWeightArgs{x, y, {dw, false}, {}, {}}) ? '+' : '-';
        return passes;
    };
    EXPECT_EQ(plain(8, 16, 3), "---") << "mma";
    EXPECT_EQ(plain(3, 16, 3), "-+-") << "padded, which has no input gradient";
    EXPECT_EQ(plain(64, 1, 1), "---") << "narrow";
    EXPECT_EQ(plain(256, 21, 1), "+++");
    EXPECT_EQ(plain(64, 1, 3), "+++");
    EXPECT_EQ(plain(3, 21, 1, DType::f32), "---") << "fp32: ours, until it was measured";
}

TEST_F(CudnnProvider, SaysInOneLineWhatFailed) {
    for (const auto& [kind, name] : {std::pair{Kind::tensor, "of the tensor"},
                                     {Kind::convolution, "of the convolution"},
                                     {Kind::convolution_forward, "of the convolution forward"},
                                     {Kind::operation_graph, "of the operation graph"}}) {
        fake_.finalize_status = {{kind, 2003}};
        fake_.words = "expected a shape\nof another kind\n";
        const ConvPlans plans = plan_convolution(*fake_.api(), {&fake_, nullptr}, problem());
        EXPECT_TRUE(plans.list.empty());
        expect_one_line(plans.why_not, {"cuDNN 9.99.0", "cudnnBackendFinalize", name, "CUDNN_STATUS_OTHER (2003)",
                                        "expected a shape of another kind", "`kernels` own"});
    }
    fake_.finalize_status = {{Kind::heuristics, 3001}};
    expect_one_line(plan_convolution(*fake_.api(), {&fake_, nullptr}, problem()).why_not, {"none is offered"});
}

TEST_F(CudnnProvider, SaysInOneLineWhyItCannotExecute) {
    const ConvPlan* const plan = provider().plan(problem());
    ASSERT_NE(plan, nullptr);
    const auto text = [&] {
        try {
            provider().execute(*plan, {}, nullptr, {});
        } catch (const GpuError& e) {
            return std::string(e.what());
        }
        return std::string("nothing was thrown");
    };
    fake_.execute_status = 5003;
    expect_one_line(text(), {"cudnnBackendExecute failed", "(5003)"});
    fake_.stream_status = 2000;
    expect_one_line(text(), {"cudnnSetStream failed", "(2000)"});
    fake_.finalize_status = {{Kind::variant_pack, 2009}};
    expect_one_line(text(), {"cudnnBackendFinalize of the variant pack", "(2009)"});
}

TEST_F(CudnnProvider, WithoutAHandleNothingIsPlanned) {
    fake_.create_status = 1001;
    std::string why;
    EXPECT_EQ(provider().plan(problem(), &why), nullptr);
    expect_one_line(why, {"cudnnCreate failed", "(1001)"});
    EXPECT_EQ(fake_.finalized[Kind::heuristics], 0);
}

TEST_F(CudnnProvider, TakesDenseAlignedTensorsOfItsTypes) {
    void* const at = reinterpret_cast<void*>(4096);
    const View x{at, DType::bf16, 2, 5, 6, 8, 8}, w{at, DType::bf16, 16, 3, 3, 8, 8},
        y{at, DType::bf16, 2, 5, 6, 16, 16};
    View dw = w;
    dw.dtype = DType::f32;
    const k::ConvGeometry g{1, 1, 1};
    const k::ConvForwardArgs good{x, w, nullptr, y, g};
    EXPECT_TRUE(k::cuda::cudnn_plan(provider(), good));
    k::ConvForwardArgs a = good;
    a.x.pitch = 16;
    EXPECT_FALSE(k::cuda::cudnn_plan(provider(), a)) << "a slice of a wider tensor";
    a = good, a.y.pitch = 32;
    EXPECT_FALSE(k::cuda::cudnn_plan(provider(), a));
    a = good, a.w.data = reinterpret_cast<void*>(4096 + 8);
    EXPECT_FALSE(k::cuda::cudnn_plan(provider(), a)) << "aligned to 8 bytes";
    a = good, a.x.dtype = a.w.dtype = a.y.dtype = DType::f64;
    EXPECT_FALSE(k::cuda::cudnn_plan(provider(), a));

    const k::ConvBackwardInputArgs input{y, w, {x, true}, g};
    EXPECT_TRUE(k::cuda::cudnn_plan(provider(), input));
    k::ConvBackwardInputArgs slice = input;
    slice.dx.view.pitch = 24;
    EXPECT_FALSE(k::cuda::cudnn_plan(provider(), slice));
    EXPECT_TRUE(k::cuda::cudnn_plan(provider(), k::ConvBackwardWeightArgs{x, y, {dw, true}, {}, g}));
    EXPECT_FALSE(k::cuda::cudnn_plan(provider(), k::ConvBackwardWeightArgs{x, y, {}, {at, false}, g})) << "a sum alone";
}

// ---- the library ----------------------------------------------------------------------------------------------------
class CudnnLibrary : public testing::Test {
 protected:
    void SetUp() override {
        fs::create_directories(folder_);
        fs::copy_file(test::path_from("ATROUS_FAKE_LIBRARY", ATROUS_FAKE_LIBRARY), folder_ / "libatrous_fake.so.7");
        if (const char* value = std::getenv("ATROUS_CUDA_LIBS")) old_ = value;
        setenv("ATROUS_CUDA_LIBS", folder_.c_str(), 1);
    }
    void TearDown() override {
        old_.empty() ? unsetenv("ATROUS_CUDA_LIBS") : setenv("ATROUS_CUDA_LIBS", old_.c_str(), 1);
        fs::remove_all(folder_);
    }
    static OpenedApi open(const char* version_function) {
        return open_api({"cuDNN", "libatrous_fake.so.7", version_function});
    }
    fs::path folder_ = fs::canonical(fs::temp_directory_path()) / ("atrous cudnn " + std::to_string(getpid()));
    std::string old_;
};

TEST_F(CudnnLibrary, IsAbsentWhereItIsNotFoundTooOldOrLacksAFunction) {
    EXPECT_EQ(open_api({"cuDNN", "libatrous_absent.so.7", "x"}).api, nullptr);
    expect_one_line(open_api({"cuDNN", "libatrous_absent.so.7", "x"}).why_not, {"cuDNN: ", "libatrous_absent.so.7"});
    EXPECT_EQ(open("atrous_fake_old_version").api, nullptr);
    expect_one_line(open("atrous_fake_old_version").why_not, {"cuDNN 9.7.9 (", "too old", "9.8", "ATROUS_CUDA_LIBS"});
    EXPECT_EQ(open("atrous_fake_version").api, nullptr);
    expect_one_line(open("atrous_fake_version").why_not, {"cuDNN 9.13.2 (", "has no cudnnCreate", "ATROUS_CUDA_LIBS"});
}

TEST(CudnnAbsent, InTheEmulatorEveryConvolutionIsOurOwn) {
    if (gpu::platform() != gpu::Platform::emulated) GTEST_SKIP() << "this binary runs on real GPUs";
    std::string why;
    EXPECT_EQ(cudnn::provider(&why), nullptr);
    EXPECT_EQ(why, "cuDNN is absent: this binary runs the emulator");
    test::OwnScratch scratch;
    Queue q(gpu::StreamView::dry_run(), scratch, 1);
    const View x{&scratch, DType::bf16, 1, 1, 1, 8, 8};
    const k::ConvForwardArgs a{x, x, nullptr, x, {}};
    EXPECT_FALSE(k::cuda::cudnn_supports(q, a));
    EXPECT_FALSE(k::cuda::cudnn_is_fast(q, a));
    EXPECT_THROW(k::cuda::cudnn_run(q, a), GpuError);
}

}  // namespace
}  // namespace atrous::cudnn
