// The profile: what is recorded, how spans nest, the trace's form, and that nothing happens without a profiler.
#include "engine/profile.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "engine/nn/layers.h"
#include "engine/ops/loss.h"
#include "engine/ops/pool.h"
#include "engine/optim/optimizer.h"

namespace atrous {
namespace {

using Json = nlohmann::json;

struct Net : Module {
    Conv2d conv{*this, "conv", {.in_channels = 3, .out_channels = 8, .padding = 1}};
    BatchNorm2d norm{*this, "norm", 8};
    Conv2d last{*this, "last", {.in_channels = 8, .out_channels = 1, .kernel = 1}};
    Tensor forward(const Tensor& x) { return last.forward(max_pool(normalized(norm, conv, x, {.relu = true}))); }
};

struct Training {
    explicit Training(Device device) : device(device) {
        net.materialize({.device = device});
        optimizer = std::make_unique<Optimizer>(net, OptimizerOptions{});
        x = Tensor::full({2, 8, 8, 3}, DType::f32, device, 0.5);
        labels = Tensor::empty({2, 4, 4, 1}, DType::u8, device);
        const std::vector<uint8_t> ids(32, 1);
        labels.copy_from_host(ids.data(), ids.size());
    }
    void step() {
        const ProfileScope span("step", "step");
        net.zero_gradients();
        Tape tape;
        const LossValue loss = bce_dice(net.forward(x), labels);
        tape.backward(loss.loss);
        optimizer->step(1e-3);
    }
    Device device;
    Net net;
    std::unique_ptr<Optimizer> optimizer;
    Tensor x, labels;
};

class ProfileTest : public testing::TestWithParam<DeviceKind> {
 protected:
    void SetUp() override {
        std::string why;
        if (GetParam() == DeviceKind::gpu && gpu::device_count(&why) == 0) GTEST_SKIP() << why;
    }
};

TEST_P(ProfileTest, EveryOpAppearsOnceEachWayWithItsLayerAndShapes) {
    Training training({GetParam()});
    training.step();
    Profiler profiler;
    training.step();
    profiler.finish_step();
    std::map<std::string, int> seen;
    for (const Span& s : profiler.spans())
        if (s.category != "kernel") ++seen[s.category + " " + s.name + " " + s.module];
    const std::map<std::string, int> expected{{"step step ", 1},
                                              {"optimizer adam ", 1},
                                              {"forward conv2d conv", 1},
                                              {"forward conv2d last", 1},
                                              {"forward batch_norm norm", 1},
                                              {"forward max_pool ", 1},
                                              {"forward bce_dice ", 1},
                                              {"backward conv2d conv", 1},
                                              {"backward conv2d last", 1},
                                              {"backward batch_norm norm", 1},
                                              {"backward max_pool ", 1},
                                              {"backward bce_dice ", 1}};
    EXPECT_EQ(seen, expected);
    for (const Span& s : profiler.spans())
        if (s.name == "conv2d" && s.module == "conv") {
            EXPECT_EQ(s.shapes, "2x8x8x3, 8x3x3x3, 8 -> 2x8x8x8");
            const double values = 2 * 64 * 3 + 216 + 8 + 2 * 64 * 8;
            const double gradients = s.category == "backward" ? 216 + 8 : 0;  // nobody asks for the images'
            EXPECT_DOUBLE_EQ(s.bytes, 4 * (values + gradients)) << s.category;
        }
}

TEST_P(ProfileTest, SpansNestAndOpsHoldKernels) {
    Training training({GetParam()});
    Profiler profiler;
    for (int i = 0; i < 2; ++i) {
        training.step();
        profiler.finish_step();
    }
    EXPECT_EQ(profiler.steps(), 2);
    const auto& spans = profiler.spans();
    const bool gpu = GetParam() == DeviceKind::gpu;
    for (size_t i = 0; i < spans.size(); ++i) {
        const Span& s = spans[i];
        EXPECT_LE(s.begin_us, s.end_us) << s.name;
        EXPECT_EQ(s.device_begin_us >= 0, gpu) << s.category << " " << s.name;
        EXPECT_LE(s.device_begin_us, s.device_end_us) << s.name;
        int kernels = 0;
        for (size_t j = s.first; j < s.last; ++j) {
            kernels += spans[j].category == "kernel";
            EXPECT_GE(spans[j].begin_us, s.begin_us) << spans[j].name << " begins before " << s.name;
            EXPECT_LE(spans[j].end_us, s.end_us) << spans[j].name << " ends after " << s.name;
        }
        if (s.category == "forward" || s.category == "backward" || s.category == "optimizer") {
            EXPECT_GT(kernels, 0) << s.category << " " << s.name << " holds no kernel";
        }
        if (s.category == "kernel") {
            EXPECT_NE(s.name, "kernel") << "a variant without a name";
        }
    }
    for (size_t i = 0; i < spans.size(); ++i)  // two spans are apart, or one holds the other
        for (size_t j = i + 1; j < spans.size(); ++j) {
            const Span &a = spans[i], &b = spans[j];
            const bool apart = a.end_us <= b.begin_us || b.end_us <= a.begin_us;
            const bool holds = (a.begin_us <= b.begin_us && b.end_us <= a.end_us) ||
                               (b.begin_us <= a.begin_us && a.end_us <= b.end_us);
            EXPECT_TRUE(apart || holds) << a.name << " and " << b.name << " overlap";
        }
}

TEST_P(ProfileTest, TheTraceIsWhatChromeReads) {
    Training training({GetParam()});
    Profiler profiler;
    training.step();
    profiler.finish_step();
    const Json trace = Json::parse(profiler.chrome_trace());
    size_t on_host = 0, on_gpu = 0, names = 0;
    double before_ts = 0, before_dur = 0;
    for (const Json& e : trace.at("traceEvents")) {
        ASSERT_TRUE(e.at("name").is_string() && e.at("pid").is_number() && e.at("tid").is_number());
        if (e["ph"] == "M") {
            ++names;
            continue;
        }
        ASSERT_EQ(e["ph"], "X") << "a complete event";
        ASSERT_TRUE(e.at("ts").is_number() && e.at("dur").is_number()) << e;
        EXPECT_GE(e["ts"].get<double>(), 0) << e;
        EXPECT_GE(e["dur"].get<double>(), 0) << e;
        ++(e["tid"] == 1 ? on_host : on_gpu);
        if (e["tid"] != 1) continue;
        const double ts = e["ts"], dur = e["dur"];
        EXPECT_TRUE(ts > before_ts || (ts == before_ts && dur <= before_dur)) << e << " comes after what it holds";
        before_ts = ts, before_dur = dur;
    }
    const bool gpu = GetParam() == DeviceKind::gpu;
    EXPECT_EQ(on_host, profiler.spans().size());
    EXPECT_EQ(names, gpu ? 2u : 1u);
    EXPECT_EQ(on_gpu > 0, gpu);
}

TEST_P(ProfileTest, TheSummaryAccountsForAllTime) {
    Training training({GetParam()});
    Profiler profiler;
    training.step();
    profiler.finish_step();
    std::istringstream lines(profiler.summary());
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(line.find("profile of 1 steps"), 0u) << line;
    std::getline(lines, line);
    double share = 0;
    int rows = 0;
    for (; std::getline(lines, line); ++rows) {
        const size_t percent = line.find('%');
        ASSERT_NE(percent, line.npos) << line;
        share += std::stod(line.substr(line.rfind(' ', percent) + 1));
    }
    EXPECT_NEAR(share, 100, 0.05 * (rows + 1)) << profiler.summary() << "each row is rounded to a tenth";
    EXPECT_EQ(rows, 10) << profiler.summary();
}

INSTANTIATE_TEST_SUITE_P(Devices, ProfileTest, testing::Values(DeviceKind::cpu, DeviceKind::gpu),
                         [](const auto& info) { return info.param == DeviceKind::gpu ? "gpu" : "cpu"; });

TEST(Profile, OpsInsideAnotherPhaseAreNotCountedTwice) {
    Training training({DeviceKind::cpu});
    Profiler profiler;
    {
        const ProfileScope validation("validation", "validation");
        const NoTape off;
        training.net.forward(training.x);
    }
    profiler.finish_step();
    EXPECT_NE(profiler.summary().find("validation"), std::string::npos);
    EXPECT_EQ(profiler.summary().find("conv2d"), std::string::npos) << profiler.summary();
}

TEST(Profile, OneAtATimeAndNoneLeftBehind) {
    {
        Profiler profiler;
        EXPECT_THROW(Profiler(), Error);
        EXPECT_EQ(Profiler::current(), &profiler);
    }
    EXPECT_EQ(Profiler::current(), nullptr);
    Training({DeviceKind::cpu}).step();  // without one, nothing is touched
}

}  // namespace
}  // namespace atrous
