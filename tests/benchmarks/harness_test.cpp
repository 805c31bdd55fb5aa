// The harness of `atrous bench`: quantiles, floors, what a net's tape asks for, operands, records and figures.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "benchmarks/cases/run.h"
#include "benchmarks/harness/ceilings.h"
#include "benchmarks/harness/inputs.h"
#include "benchmarks/harness/report.h"
#include "benchmarks/harness/roofline.h"
#include "benchmarks/harness/step.h"
#include "models/unet.h"

namespace atrous::bench {
namespace {

using Json = nlohmann::json;

constexpr Device cpu{DeviceKind::cpu};

Workload wanted(const std::string& op, const std::vector<Shape>& shapes,
                const std::map<std::string, double>& numbers = {}) {
    Workload w;
    w.op = op;
    w.request.shapes = shapes;
    w.request.numbers = numbers;
    return w;
}

TEST(Statistics, QuantilesInterpolateBetweenOrderStatistics) {
    // numpy.percentile([5, 1, 4, 2, 3], [10, 50, 90]) = 1.4, 3, 4.6
    const Statistics five = statistics({5, 1, 4, 2, 3});
    EXPECT_DOUBLE_EQ(five.p10, 1.4);
    EXPECT_DOUBLE_EQ(five.median, 3);
    EXPECT_DOUBLE_EQ(five.p90, 4.6);
    EXPECT_DOUBLE_EQ(five.least, 1);
    EXPECT_EQ(five.count, 5u);
    EXPECT_DOUBLE_EQ(statistics({2, 1}).median, 1.5);
    EXPECT_DOUBLE_EQ(statistics({7}).p90, 7);
    EXPECT_EQ(statistics({}).count, 0u);
}

TEST(Ceilings, AFloorIsTheSlowerOfMemoryAndProducts) {
    const Ceilings c{100, 1000};
    EXPECT_DOUBLE_EQ(floor_s(c, 200, 1000), 2);
    EXPECT_DOUBLE_EQ(floor_s(c, 200, 5000), 5);
    EXPECT_TRUE(bound_by_bytes(c, 200, 1000));
    EXPECT_FALSE(bound_by_bytes(c, 200, 5000));
    EXPECT_NEAR(drift({100, 1000}, {101, 960}), 0.04, 1e-12);
    EXPECT_LE(drift({100, 1000}, {102, 1000}), steady);
}

TEST(Ceilings, GpusAreFoundHoweverTheirNamesAreWritten) {
    EXPECT_DOUBLE_EQ(ceilings_of_named("h200", DType::bf16).flops_per_s, 790e12);
    EXPECT_DOUBLE_EQ(ceilings_of_named("rtx-4090", DType::f32).bytes_per_s, 1008e9);
    EXPECT_DOUBLE_EQ(ceilings_of_named("T4", DType::f16).flops_per_s, 65e12);
    EXPECT_THROW(ceilings_of_named("T4", DType::bf16), UsageError) << "Turing has no bf16";
    EXPECT_THROW(ceilings_of_named("H2000", DType::bf16), UsageError);
}

TEST(Workload, ShapesAreReadWholeOrRefused) {
    EXPECT_EQ(parse_shape("16x256x128x3"), (Shape{16, 256, 128, 3}));
    for (const char* bad : {"", "16", "16x256x256", "16x256x256x0", "16x256x256x64x1", "16x256x256x64 ", "ax1x1x1",
                            "16x-2x3x4", "x1x1x1", "99999999999999999999x1x1x1"})
        EXPECT_THROW(parse_shape(bad), UsageError) << "'" << bad << "'";
}

// By hand: batch norm reads x twice and writes y; backwards it reads x and dy twice and writes dx. Bytes of the vectors
// are below a thousandth.
TEST(Floors, OfSomeOpsAreTheOnesCountedByHand) {
    const Shape x{16, 512, 512, 64};
    const double bytes = double(x.count()) * 2, h200 = 4.3e12;
    const auto norm = passes_of(wanted("batch_norm", {x}), DType::bf16);
    EXPECT_NEAR(norm[0].work.bytes / (3 * bytes), 1, 1e-3);
    EXPECT_NEAR(norm[1].work.bytes / (5 * bytes), 1, 1e-3);
    EXPECT_NEAR(norm[0].work.bytes / h200, 375e-6, 1e-6);
    EXPECT_NEAR(norm[1].work.bytes / h200, 624e-6, 1e-6);
    const auto pool = passes_of(wanted("max_pool", {x}), DType::bf16);  // with a byte for each maximum's place
    for (const Pass& p : pool) EXPECT_DOUBLE_EQ(p.work.bytes, bytes * 1.25 + bytes / 8) << p.name;
    const auto relu = passes_of(wanted("relu", {x}), DType::f32);
    EXPECT_DOUBLE_EQ(relu[0].work.bytes, 4 * bytes);
    EXPECT_DOUBLE_EQ(relu[1].work.bytes, 6 * bytes);
    const auto sum = passes_of(wanted("add", {x}), DType::bf16);
    EXPECT_DOUBLE_EQ(sum[1].work.bytes, 3 * bytes) << "dy is read, two gradients are written, no input is read";

    const auto conv =
        passes_of(wanted("conv2d", {{16, 65, 65, 2048}}, {{"out_channels", 256}, {"dilation", 12}}), DType::bf16);
    const double flops = 2.0 * 16 * 65 * 65 * 2048 * 9 * 256;
    EXPECT_DOUBLE_EQ(conv[0].work.flops, flops);
    EXPECT_DOUBLE_EQ(conv[1].work.flops, 2 * flops) << "two products";
    EXPECT_NEAR(conv[0].work.flops / 790e12, 808e-6, 1e-6);
}

// The figure is known from elsewhere: a step of this net at 512² and batch 16 is 18.5 TFLOP.
TEST(Workload, ANetsStepIsCountedFromItsTape) {
    const NetOps ops = ops_of({}, 512, 16, DType::bf16);
    double flops = 0;
    int convolutions = 0, norms = 0;
    for (const Workload& w : ops.ops) {
        for (const Pass& p : passes_of(w, DType::bf16)) flops += w.count * p.work.flops;
        if (w.op == "conv2d") convolutions += w.count;
        if (w.op == "batch_norm") norms += w.count;
    }
    EXPECT_NEAR(flops, 18.5e12, 0.05e12);
    EXPECT_EQ(convolutions, 19) << "eighteen of 3x3 and the last one";
    EXPECT_EQ(norms, 18);
    EXPECT_EQ(ops.parameters, 31037633) << "PyTorch's count";
    EXPECT_EQ(ops.notes.size(), 1u) << "four concatenations that copy nothing";
    EXPECT_FALSE(ops.ops.front().request.first_wanted) << "nobody asks for the images' gradient";
    EXPECT_TRUE(ops.ops.back().request.first_wanted);
    EXPECT_LT(ops.ops.size(), 40u) << "equal ops are one";
}

TEST(Workload, ShapesThatTheOpDoesNotTakeAreRefused) {
    const Shape x{2, 12, 10, 8}, wider{2, 12, 10, 16}, lower{2, 6, 10, 8};
    EXPECT_THROW(wanted("relu", {}).make(), UsageError);
    EXPECT_THROW(wanted("relu", {x, x}).make(), UsageError);
    EXPECT_THROW(wanted("add", {x, wider}).make(), UsageError);
    EXPECT_THROW(wanted("concat", {x, lower}).make(), UsageError);
    EXPECT_EQ(wanted("concat", {x, wider}).make().inputs.size(), 2u);
}

TEST(Workload, ShrinkingKeepsWhatChoosesAKernel) {
    const Workload whole = wanted("conv2d", {{16, 64, 128, 32}}, {{"kernel", 3}, {"stride", 2}, {"out_channels", 48}});
    const Workload small = downscaled(whole, 1e6);
    const Shape& x = small.request.shapes[0];
    EXPECT_LE(small.make().flops, 1e6);
    EXPECT_EQ(x[3], 32);
    EXPECT_GE(x[1], 4);
    EXPECT_GE(x[2], 4);
    EXPECT_EQ(small.request.numbers, whole.request.numbers);
    EXPECT_EQ(downscaled(whole, 1e12).request.shapes[0], whole.request.shapes[0]) << "small enough already";
    EXPECT_EQ(downscaled(wanted("conv2d", {{8, 64, 64, 512}}), 1).request.shapes[0], (Shape{1, 4, 4, 512}))
        << "no further";
}

TEST(Operands, AreNeitherZerosNorAllAlike) {
    const Workload w = wanted("conv2d", {{2, 64, 64, 256}});  // more than one period of values
    const cases::Case c = w.make();
    for (size_t i = 0; i < c.inputs.size(); ++i) {
        const auto values = cases::values_in(operand_of(c, i, DType::bf16, cpu));
        ASSERT_EQ(int64_t(values.size()), c.inputs[i].shape.count());
        double sum = 0, squares = 0;
        size_t zeros = 0;
        for (double v : values) sum += v, squares += v * v, zeros += v == 0;
        const double n = double(values.size()), mean = sum / n;
        EXPECT_LT(double(zeros), 0.01 * n) << c.inputs[i].name;
        EXPECT_NEAR(mean, 0, 0.02) << c.inputs[i].name << ": uniform in [-2, 2)";
        EXPECT_NEAR(squares / n - mean * mean, 4.0 / 3, 0.02) << c.inputs[i].name;
    }
}

TEST(Measuring, EveryOpIsTimedAndAgreesWithTheReference) {
    for (const std::string& op : cases::measured_ops()) {
        Workload w = wanted(op, {{2, 12, 10, 8}});
        if (op == "concat") w.request.shapes.push_back({2, 12, 10, 16});
        const Measurement m = measure(w, {cpu, DType::f32, 5, 0, true});
        ASSERT_FALSE(m.passes.empty());
        EXPECT_EQ(m.passes.size(), op == "confusion" ? 1u : 2u) << op;
        for (const Pass& p : m.passes) {
            EXPECT_EQ(p.seconds.count, 5u) << op << " " << p.name;
            EXPECT_GT(p.seconds.p10, 0) << op << " " << p.name;
            EXPECT_LE(p.seconds.p10, p.seconds.median) << op << " " << p.name;
            EXPECT_LE(p.seconds.median, p.seconds.p90) << op << " " << p.name;
            EXPECT_GT(p.work.bytes, 0) << op << " " << p.name;
            EXPECT_FALSE(p.variants.empty()) << op << " " << p.name << ": no kernel ran";
            ASSERT_TRUE(p.check) << op;
            EXPECT_TRUE(p.check->ok()) << op << " " << p.name << ": " << p.check->error << " > " << p.check->tolerance;
        }
    }
}

TEST(Measuring, AWrongResultIsSeen) {
    // The case's own tolerance is what decides: nothing passes one that is below rounding.
    const Measurement m = measure(wanted("sigmoid", {{1, 8, 8, 8}}), {cpu, DType::bf16, 5, 0, true});
    ASSERT_TRUE(m.passes[0].check);
    EXPECT_GT(m.passes[0].check->error, 1e-4) << "bf16 rounds: an error of zero would mean that nothing was compared";
    EXPECT_FALSE((Check{1e-3, 1e-4, ""}).ok());
    EXPECT_FALSE((Check{std::numeric_limits<double>::quiet_NaN(), 1e-4, ""}).ok());
}

TEST(Measuring, AGpuIsTimedByEventsOverSetsOfOperands) {
    std::string why;
    if (gpu::device_count(&why) == 0) GTEST_SKIP() << why;
    const Measurement m = measure(wanted("relu", {{1, 64, 64, 16}}), {{DeviceKind::gpu}, DType::bf16, 5, 0, true});
    EXPECT_GT(m.sets, 2) << "one set would stay in the cache";
    for (const Pass& p : m.passes) {
        EXPECT_GT(p.seconds.median, 0) << p.name;
        EXPECT_TRUE(p.check && p.check->ok()) << p.name;
    }
}

bench::Run made_up_run() {
    bench::Run run{{{"device", "cpu"}, {"commit", "abc"}}, DType::f32, {1e9, 1e12}, {1.1e9, 1e12}, {}, false};
    Measurement m{wanted("relu", {{1, 4, 4, 8}}), passes_of(wanted("relu", {{1, 4, 4, 8}}), DType::f32)};
    for (Pass& p : m.passes) p.seconds = {2e-6, 1e-6, 3e-6, 1e-6, 5};
    m.passes[0].check = Check{std::numeric_limits<double>::infinity(), 1e-5, "1x4x4x8"};
    run.measurements.push_back(m);
    return run;
}

TEST(Report, EveryLineIsJsonThatStandsAlone) {
    std::istringstream lines(json_lines(made_up_run()));
    std::vector<Json> all;
    for (std::string line; std::getline(lines, line);) all.push_back(Json::parse(line));
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0]["kind"], "run");
    EXPECT_FALSE(all[0]["steady"].get<bool>()) << "the copies differ by a tenth";
    EXPECT_NEAR(all[0]["drift"].get<double>(), 0.1, 1e-9);
    EXPECT_EQ(all[1]["pass"], "forward");
    EXPECT_EQ(all[2]["pass"], "backward");
    EXPECT_EQ(all[1]["commit"], "abc");
    EXPECT_NEAR(all[1]["median_us"].get<double>(), 2, 1e-9);
    EXPECT_NEAR(all[1]["GBps"].get<double>(), 2 * 128 * 4 / 2e-6 * 1e-9, 1e-9);
    EXPECT_NEAR(all[1]["share"].get<double>(), 2 * 128 * 4 / 1.1e9 / 2e-6, 1e-9) << "of the run's better ceiling";
    EXPECT_TRUE(all[1]["error"].is_null()) << "JSON has no infinity";
    EXPECT_FALSE(all[2].contains("error")) << "not checked";
}

TEST(Report, TheTableMarksWhatIsWrong) {
    const bench::Run run = made_up_run();
    EXPECT_NE(table_rows(run.measurements[0], best_of(run)).find("WRONG"), std::string::npos);
}

TEST(Report, PredictionsAddUp) {
    const Prediction p{"H200", "", DType::bf16, ceilings_of_named("H200", DType::bf16),
                       ops_of({}, 512, 16, DType::bf16).ops};
    const std::string table = prediction_table(p);
    EXPECT_NE(table.find("18.523 TFLOP"), std::string::npos) << table;
    std::istringstream lines(prediction_json(p));
    double seconds = 0;
    for (std::string line; std::getline(lines, line);) {
        const Json j = Json::parse(line);
        seconds += j["times"].get<double>() * j["floor_us"].get<double>() * 1e-6;
    }
    EXPECT_NEAR(seconds, 32.45e-3, 0.05e-3);
}

// Tags open and close in pairs, and points lie inside the image.
TEST(Roofline, IsAnImageThatHoldsItsPoints) {
    const std::vector<RooflinePoint> points{{"conv2d", "a < b & c", false, 100, 5e11},
                                            {"conv2d", "b", true, 1e5, 1e9},
                                            {"relu", "c", false, 0.01, 1e7},
                                            {"copy", "no operations", false, 0, 0}};
    const std::string svg = roofline_svg("cpu <f32>", {1e10, 1e12}, points);
    int depth = 0, drawn = 0;
    for (size_t at = svg.find('<'); at != svg.npos; at = svg.find('<', at + 1)) {
        const size_t end = svg.find('>', at);
        ASSERT_NE(end, svg.npos);
        const std::string tag = svg.substr(at, end - at);
        if (tag[1] == '/')
            --depth;
        else if (tag.back() != '/')
            ++depth;
        ASSERT_GE(depth, 0) << tag;
        double x = -1, y = -1;
        if (sscanf(tag.c_str(), "<circle cx=\"%lf\" cy=\"%lf\"", &x, &y) == 2 && tag.find("opacity") != tag.npos) {
            ++drawn;
            EXPECT_TRUE(x > 0 && x < 960 && y > 0 && y < 600) << tag;
        }
    }
    EXPECT_EQ(depth, 0) << "an element is left open";
    EXPECT_EQ(drawn, 2) << "two forward points; a copy has no place on a roofline";
    EXPECT_NE(svg.find("a &lt; b &amp; c"), svg.npos);
    EXPECT_EQ(svg.find("nan"), svg.npos);
}

TEST(Step, LossesFallAndTheRecordIsJson) {
    StepOptions o;
    o.net = unet({.base_channels = 4, .depth = 2});
    o.size = ImageSize::of_width_and_height(48, 32);
    o.batch_size = 2;
    o.steps = 3;
    o.device = cpu;
    o.learning_rate = 1e-2;
    const StepResult r = measure_step(o);
    ASSERT_EQ(r.losses.size(), 4u);
    EXPECT_LT(r.losses.back(), r.losses.front()) << "three steps of Adam on one batch";
    EXPECT_EQ(r.seconds.count, 3u) << "the first step does not count";
    EXPECT_GT(r.device_peak_bytes, size_t(r.parameters) * 16) << "values, gradients and two moments at least";
    EXPECT_GE(r.device_reserved_bytes, r.device_peak_bytes);
    EXPECT_NE(step_table(o, r).find(", 2 images of 48x32, "), std::string::npos) << step_table(o, r);
    const Json j = Json::parse(step_json(o, r));
    EXPECT_EQ(j["losses"].size(), 4u);
    EXPECT_NEAR(j["images_per_s"].get<double>(), 2 / j["median_s"].get<double>(), 1e-6);
}

}  // namespace
}  // namespace atrous::bench
