// The tuner with times that a test makes up, and its file.
#include "engine/tuner.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/variant.h"
#include "engine/autograd/tape.h"
#include "engine/context.h"
#include "engine/kernel_choice.h"
#include "engine/math_mode.h"
#include "engine/ops/conv.h"
#include "engine/tuning_file.h"
#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous {
namespace {

namespace fs = std::filesystem;
using kernels::KernelWay;
using kernels::ProblemLog;
using kernels::TunableProblem;
using kernels::TunedKernels;

constexpr Device accelerator{DeviceKind::gpu}, meta{DeviceKind::meta};

// What two convolutions ask on the GPU, the second twice.
void collect(ProblemLog&) {
    const MemorySimulation simulation(accelerator);
    const Tensor x = Tensor::empty({1, 6, 5, 8}, DType::bf16, meta),
                 w = Tensor::empty({16, 3, 3, 8}, DType::bf16, meta),
                 v = Tensor::empty({8, 1, 1, 16}, DType::bf16, meta);
    const Tensor y = conv2d(x, w, {}, {.padding = 1});
    conv2d(y, v, {}, {});
    conv2d(y, v, {}, {});
}

double simt_is_faster(const TunableProblem&, const KernelWay& way, double) {
    return way.implementation == "simt" ? 1 : 2;
}

class Tuning : public testing::Test {
 protected:
    void SetUp() override {
        if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    }
    void TearDown() override { set_tuned_kernels(nullptr); }
    TuneResult tuned(const WayTimer& timer, const TunedKernels& known = {}, double budget_s = 60) {
        ProblemLog log;
        collect(log);
        return tune(log, accelerator, known, {budget_s, timer});
    }
    // What the first of the two convolutions runs on the GPU.
    static std::string ran() {
        const Tensor x = Tensor::empty({1, 6, 5, 8}, DType::bf16, accelerator),
                     w = Tensor::empty({16, 3, 3, 8}, DType::bf16, accelerator);
        const VariantLog log;
        conv2d(x, w, {}, {.padding = 1});
        return log.names().at(0);
    }
    const ScopedKernelChoice own_{{KernelChoice::Rule::own}};
};

TEST_F(Tuning, TakesTheFastestAndThatIsWhatRuns) {
    EXPECT_EQ(ran(), "conv_forward/mma_bf16");
    const TuneResult r = tuned(simt_is_faster);
    EXPECT_EQ(r.problems, 2) << "each once";
    EXPECT_EQ(r.with_choice, 2);
    ASSERT_EQ(r.times.size(), 2u);
    EXPECT_EQ(r.times[0].problem, "conv_forward bf16 x 1x6x5x8 w 16x3x3x8 y 1x6x5x16 stride 1 padding 1 dilation 1");
    ASSERT_EQ(r.times[0].ways.size(), 2u);
    EXPECT_EQ(r.times[0].ways[0].way.implementation, "mma") << "what runs untuned comes first";
    EXPECT_EQ(r.kernels.find(r.times[0].problem)->implementation, "simt");
    set_tuned_kernels(std::make_shared<TunedKernels>(r.kernels));
    EXPECT_EQ(ran(), "conv_forward/simt_bf16");
    const ScopedKernelChoice named({KernelChoice::Rule::named, "mma"});
    EXPECT_EQ(ran(), "conv_forward/mma_bf16") << "a name is obeyed";
}

// Where in an image a pixel lies does not matter on a GPU: an evaluation asks for what a training's tuner wrote.
TEST_F(Tuning, AnEvaluationFindsWhatATrainingTimed) {
    TunedKernels table;
    table.set("conv_forward bf16 x 1x6x5x8 w 16x3x3x8 y 1x6x5x16 stride 1 padding 1 dilation 1", {"simt", ""});
    table.set("conv_backward_input bf16 dy 1x6x5x16 w 16x3x3x8 dx 1x6x5x8 stride 1 padding 1 dilation 1", {"simt", ""});
    set_tuned_kernels(std::make_shared<TunedKernels>(table));
    const Tensor x = Tensor::empty({1, 6, 5, 8}, DType::bf16, accelerator),
                 w = Tensor::empty({16, 3, 3, 8}, DType::bf16, accelerator);
    const VariantLog log;
    Tape tape;
    tape.watch(x);
    const Tensor y = conv2d_same_everywhere(x, w, {}, {.padding = 1});
    tape.backward(y, Tensor::empty(y.shape(), DType::bf16, accelerator));
    const auto names = log.names();
    EXPECT_EQ(std::count(names.begin(), names.end(), "conv_forward/simt_bf16"), 1);
    EXPECT_EQ(std::count(names.begin(), names.end(), "conv_backward_input/simt_bf16"), 1);
}

TEST_F(Tuning, KeepsWhatRunsUntunedWithinTheNoise) {
    const auto by = [&](double mma, double simt) {
        const TuneResult r = tuned([&](const TunableProblem&, const KernelWay& way, double) {
            return way.implementation == "simt" ? simt : mma;
        });
        return r.kernels.find(r.times[0].problem)->implementation;
    };
    EXPECT_EQ(by(1, 0.99), "mma");
    EXPECT_EQ(by(1, 0.97), "simt");
    EXPECT_EQ(by(0.5, 1), "mma");
}

TEST_F(Tuning, KnowsWhatWasTimedBeforeAndHeedsTheBudget) {
    const TuneResult first = tuned(simt_is_faster);
    const auto never = [](const TunableProblem& p, const KernelWay&, double) -> double {
        ADD_FAILURE() << p.text() << " was timed";
        return 1;
    };
    const TuneResult again = tuned(never, first.kernels);
    EXPECT_EQ(again.known, 2);
    EXPECT_EQ(again.kernels.all(), first.kernels.all());
    const TuneResult none = tuned(never, {}, 0);
    EXPECT_EQ(none.without_time, 2);
    EXPECT_TRUE(none.kernels.all().empty());
}

TEST_F(Tuning, PassesOverWaysThatFailAndEntriesThatAreGone) {
    const TuneResult r = tuned([](const TunableProblem& p, const KernelWay& way, double best) {
        if (way.implementation == "simt") throw GpuError("refused");
        return simt_is_faster(p, way, best);
    });
    EXPECT_EQ(r.kernels.find(r.times[0].problem)->implementation, "mma");
    EXPECT_EQ(r.times[0].ways[1].failure, "refused");
    for (const kernels::TunedKernel& gone : {kernels::TunedKernel{"cudnn", "62:2=4"}, {"simt", "a way"}, {"gone"}}) {
        TunedKernels table;
        table.set(r.times[0].problem, gone);
        set_tuned_kernels(std::make_shared<TunedKernels>(table));
        EXPECT_EQ(ran(), "conv_forward/mma_bf16") << gone.implementation;
    }
}

TEST_F(Tuning, ArithmeticIsPartOfTheProblem) {
    const MemorySimulation simulation(accelerator);
    const Tensor x = Tensor::empty({1, 6, 5, 8}, DType::f32, meta), w = Tensor::empty({16, 3, 3, 8}, DType::f32, meta);
    ProblemLog log;
    conv2d(x, w, {}, {});
    const ScopedMathMode mode(MathMode::tf32);
    conv2d(x, w, {}, {});
    ASSERT_EQ(log.problems().size(), 2u);
    EXPECT_TRUE(log.problems()[0]->text().starts_with("conv_forward f32 "));
    EXPECT_TRUE(log.problems()[1]->text().starts_with("conv_forward tf32 "));
}

TEST_F(Tuning, TimesOnTheDeviceInMemoryOfItsOwn) {
    const MemoryStatistics before = context_of(accelerator).memory().statistics();
    const TuneResult r = tuned({});
    ASSERT_EQ(r.times.size(), 2u);
    for (const ProblemTimes& times : r.times)
        for (const WayTime& t : times.ways) EXPECT_TRUE(t.failure.empty() && t.ms > 0) << t.failure;
    EXPECT_EQ(context_of(accelerator).memory().statistics().requests, before.requests);
}

#ifdef ATROUS_EMULATED
// Counts its runs, which do nothing.
class CountedProblem : public TunableProblem {
 public:
    explicit CountedProblem(int& runs) : TunableProblem("counted"), runs_(runs) {}
    std::vector<KernelWay> ways(Queue&) const override { return {{"one", ""}, {"another", ""}}; }
    void place(const kernels::OperandMemory&) override {}
    void run(Queue&, const KernelWay&) const override { ++runs_; }

 private:
    int& runs_;
};

TEST_F(Tuning, SweepsTheCacheBeforeEachRun) {
    int runs = 0;
    ProblemLog log;
    log.add(std::make_unique<CountedProblem>(runs));
    gpu::emu::statistics() = {};
    tune(log, accelerator, {}, {});
    EXPECT_GE(runs, 4) << "two ways, each warmed up and timed";
    EXPECT_EQ(gpu::emu::statistics().filled_bytes, uint64_t(runs) * 2 * gpu::device_info(0).l2_bytes);
}
#endif

// ---- the file -------------------------------------------------------------------------------------------------------
class TuningFile : public testing::Test {
 protected:
    void SetUp() override { fs::create_directories(folder_); }
    void TearDown() override { fs::remove_all(folder_); }
    std::string text() const {
        std::ostringstream all;
        all << std::ifstream(path_).rdbuf();
        return all.str();
    }
    TunedKernels load(const std::string& machine) {
        problem_.clear();
        return load_tuning(path_, machine, &problem_);
    }
    static TunedKernels one(const std::string& problem) {
        TunedKernels k;
        k.set(problem, {"cudnn", "62:2=4,13=0", 0.25});
        return k;
    }
    const fs::path folder_ = fs::temp_directory_path() / ("atrous_tuning_" + std::to_string(getpid()));
    const std::string path_ = folder_ / "new folder" / "kernels.json";
    std::string problem_;
};

TEST_F(TuningFile, KeepsEachMachinesTimingsApart) {
    EXPECT_TRUE(load("H100").all().empty());
    EXPECT_EQ(problem_, "") << "that there is none yet is nothing to speak of";
    EXPECT_EQ(save_tuning(path_, "H100", one("a")), "");
    EXPECT_EQ(save_tuning(path_, "A100", one("b")), "");
    EXPECT_EQ(save_tuning(path_, "H100", one("c")), "");
    TunedKernels both = one("a");
    both.set("c", *one("c").find("c"));
    EXPECT_EQ(load("H100").all(), both.all());
    EXPECT_EQ(load("A100").all(), one("b").all());
    EXPECT_TRUE(load("H100 with another driver").all().empty());
    EXPECT_EQ(problem_, "");
}

TEST_F(TuningFile, ADamagedOneIsSaidAndReplaced) {
    save_tuning(path_, "H100", one("a"));
    const std::string whole = text();
    for (const std::string& damaged :
         {whole.substr(0, whole.size() / 2), whole.substr(0, 40) + "]" + whole.substr(41), std::string()}) {
        std::ofstream(path_) << damaged;
        EXPECT_TRUE(load("H100").all().empty());
        EXPECT_NE(problem_.find("kernels.json: damaged; its timings are not used"), std::string::npos) << problem_;
        EXPECT_EQ(problem_.find('\n'), std::string::npos);
        EXPECT_EQ(save_tuning(path_, "H100", one("b")), "");
        EXPECT_EQ(load("H100").all(), one("b").all());
    }
}

TEST_F(TuningFile, AForeignOneIsSaidAndLeftAsItIs) {
    fs::create_directories(fs::path(path_).parent_path());
    std::ofstream(path_) << "{\"somebody\": \"else's\"}";
    EXPECT_TRUE(load("H100").all().empty());
    EXPECT_NE(problem_.find("is no file of timings"), std::string::npos) << problem_;
    EXPECT_NE(save_tuning(path_, "H100", one("a")).find("left as it is"), std::string::npos);
    EXPECT_EQ(text(), "{\"somebody\": \"else's\"}");
    fs::remove(path_);
    fs::create_directories(path_);  // a folder in its place
    EXPECT_TRUE(load("H100").all().empty());
    EXPECT_NE(problem_.find("not used"), std::string::npos) << problem_;
    EXPECT_NE(save_tuning(path_, "H100", one("a")), "");
}

TEST_F(TuningFile, OfTwoProcessesNoneUndoesTheOther) {
    constexpr int each = 25;
    std::vector<pid_t> children;
    for (const char* name : {"first", "second"}) {
        const pid_t child = fork();
        if (child == 0) {
            bool good = true;
            for (int i = 0; i < each; ++i)
                good = good && save_tuning(path_, "H100", one(name + std::to_string(i))).empty();
            _exit(good ? 0 : 1);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 1;
        waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(load("H100").all().size(), size_t(2 * each)) << problem_;
}

TEST_F(TuningFile, ItsPlaceFollowsXdg) {
    const auto with = [](const char* cache, const char* home) {
        cache ? setenv("XDG_CACHE_HOME", cache, 1) : unsetenv("XDG_CACHE_HOME");
        home ? setenv("HOME", home, 1) : unsetenv("HOME");
        return default_tuning_file();
    };
    const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
    const std::string cache_before = cache ? cache : "", home_before = home ? home : "";
    EXPECT_EQ(with("/cache", "/home/a"), "/cache/atrous/kernels.json");
    EXPECT_EQ(with(nullptr, "/home/a"), "/home/a/.cache/atrous/kernels.json");
    EXPECT_EQ(with("relative", "/home/a"), "/home/a/.cache/atrous/kernels.json");
    EXPECT_EQ(with(nullptr, nullptr), "");
    with(cache ? cache_before.c_str() : nullptr, home ? home_before.c_str() : nullptr);
}

}  // namespace
}  // namespace atrous
