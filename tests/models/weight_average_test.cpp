// A training that keeps a moving average of its weights: the average itself, what sees it, and what files hold.
#include "engine/optim/weight_average.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include <unistd.h>

#include "engine/comm/thread_ranks.h"
#include "engine/context.h"
#include "engine/io/checkpoint.h"
#include "engine/io/pretrained.h"
#include "engine/ops/elementwise.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

namespace atrous {
namespace {

constexpr double decay = 0.9;

bool have(DeviceKind kind) { return kind != DeviceKind::gpu || gpu::device_count() > 0; }

OptimizerOptions averaging(double ema = decay) {
    OptimizerOptions o;
    o.ema_decay = ema;
    return o;
}

// Parameters and then buffers, as a net holds them.
std::vector<float> tensors_of(Module& net) {
    std::vector<float> all;
    const auto add = [&](const Tensor& t) {
        if (t.dtype() != DType::f32) return;
        const auto values = t.to_host<float>();
        all.insert(all.end(), values.begin(), values.end());
    };
    for (const auto& [path, p] : net.parameters()) add(p->value);
    for (const auto& [path, b] : net.buffers()) add(b->value);
    return all;
}
std::vector<float> averages_of(const Optimizer& optimizer) {
    std::vector<float> all;
    for (const Tensor& t : optimizer.average()->tensors()) {
        if (!t.defined()) continue;
        const auto values = t.to_host<float>();
        all.insert(all.end(), values.begin(), values.end());
    }
    return all;
}

std::vector<HostBatch> batches(int64_t count) {
    Rectangles source(count * 2, 2, 16, 5);
    source.start_epoch(0, 0);
    std::vector<HostBatch> all(static_cast<size_t>(count));
    for (auto& b : all) EXPECT_TRUE(source.next(b));
    return all;
}

struct Rig {
    UNet net{{.base_channels = 4, .depth = 2}};
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<LossFunction> loss;
    std::unique_ptr<TrainingStep> step;

    Rig(Device device, const OptimizerOptions& options, TrainingStepOptions step_options = {}, uint64_t seed = 3) {
        net.materialize({.device = device, .compute = step_options.compute, .seed = seed});
        optimizer = std::make_unique<Optimizer>(net, options);
        loss = bce_dice_loss()(device, step_options.compute);
        step = std::make_unique<TrainingStep>(net, *optimizer, *loss, step_options);
    }
};

class WeightAverageOn : public testing::TestWithParam<DeviceKind> {
 protected:
    void SetUp() override {
        if (!have(GetParam())) GTEST_SKIP() << "no GPU";
    }
    Device device() const { return {GetParam()}; }
};

// Weights and batch norm's statistics, after eager and recorded steps alike.
TEST_P(WeightAverageOn, IsThatOfTheWeightsAfterEachStep) {
    Rig rig(device(), averaging());
    const auto data = batches(10);
    const auto first = tensors_of(rig.net);
    std::vector<double> expected(first.begin(), first.end());
    for (size_t i = 0; i < data.size(); ++i) {
        rig.step->run(&data[i], 1, 1e-2);
        const double t = double(i + 1), d = std::min(decay, (1 + t) / (10 + t));
        const auto weights = tensors_of(rig.net);
        for (size_t j = 0; j < expected.size(); ++j) expected[j] += (1 - d) * (double(weights[j]) - expected[j]);
    }
    if (GetParam() == DeviceKind::gpu) {
        EXPECT_GT(rig.step->replayed(), 0);
    }
    const auto found = averages_of(*rig.optimizer), last = tensors_of(rig.net);
    ASSERT_EQ(found.size(), expected.size());
    double far = 0;
    for (size_t j = 0; j < found.size(); ++j) {
        // Ten roundings to float of values of this size.
        ASSERT_NEAR(found[j], expected[j], 1e-6 * (1 + std::abs(expected[j]))) << j;
        far = std::max(far, std::abs(double(found[j]) - double(last[j])));
    }
    EXPECT_GT(far, 1e-3) << "an average lags behind";
}

TEST_P(WeightAverageOn, LeavesTheTrainingAsItIs) {
    std::vector<float> weights[2];
    std::vector<StepLogEntry> logs[2];
    const auto data = batches(8);
    for (const bool averages : {false, true}) {
        Rig rig(device(), averaging(averages ? decay : 0));
        EXPECT_EQ(rig.optimizer->average() != nullptr, averages);
        for (const HostBatch& b : data) {
            rig.step->run(&b, 1, 1e-2);
            const WithAveragedWeights validating(rig.optimizer->average());
        }
        weights[averages] = tensors_of(rig.net);
        logs[averages] = rig.step->read();
    }
    EXPECT_EQ(weights[0], weights[1]);
    for (size_t i = 0; i < logs[0].size(); ++i) EXPECT_EQ(logs[0][i].loss, logs[1][i].loss) << "step " << i;
}

TEST_P(WeightAverageOn, AStepOfInfChangesNoAverage) {
    Rig rig(device(), averaging());
    auto data = batches(6);
    data[5].images[5] = std::numeric_limits<float>::infinity();
    for (size_t i = 0; i < 5; ++i) rig.step->run(&data[i], 1, 1e-2);
    const auto before = averages_of(*rig.optimizer);
    rig.step->run(&data[5], 1, 1e-2);
    EXPECT_EQ(averages_of(*rig.optimizer), before);
}

INSTANTIATE_TEST_SUITE_P(Devices, WeightAverageOn, testing::Values(DeviceKind::cpu, DeviceKind::gpu),
                         [](const auto& info) { return info.param == DeviceKind::gpu ? "gpu" : "cpu"; });

// The loss scale overflows: skipped steps count as attempts alone.
TEST(WeightAverageTest, StepsThatTheLossScaleSkipsCountNowhere) {
    if (!have(DeviceKind::gpu)) GTEST_SKIP() << "no GPU";
    OptimizerOptions options = averaging();
    options.dynamic_loss_scale = true;
    options.initial_loss_scale = 0x1p24f;
    Rig rig({DeviceKind::gpu}, options, {.compute = DType::f16, .scale_loss = true});
    int64_t skipped = 0;
    for (const HostBatch& b : batches(14)) {
        const auto before = averages_of(*rig.optimizer);
        const StepState state = rig.optimizer->state();
        rig.step->run(&b, 1, 1e-2);
        const bool applied = rig.optimizer->state().step > state.step;
        skipped += !applied;
        EXPECT_EQ(averages_of(*rig.optimizer) != before, applied);
    }
    EXPECT_GT(skipped, 0);
    EXPECT_GT(rig.optimizer->state().step, 0);
    EXPECT_GT(rig.step->replayed(), 0);
}

// The halves are what the net computes with.
TEST(WeightAverageTest, HalfPrecisionCopiesGoWithTheWeights) {
    if (!have(DeviceKind::gpu)) GTEST_SKIP() << "no GPU";
    Rig rig({DeviceKind::gpu}, averaging(), {.compute = DType::bf16});
    for (const HostBatch& b : batches(5)) rig.step->run(&b, 1, 1e-2);
    const auto halves = [&] { return cast(rig.net.arena().halves, DType::f32).to_host<float>(); };
    const auto before = halves();
    {
        const WithAveragedWeights averaged(rig.optimizer->average());
        EXPECT_NE(halves(), before);
    }
    EXPECT_EQ(halves(), before);
}

TEST(WeightAverageTest, RanksBeginWithRankZerosAndStayEqual) {
    std::vector<float> averages[2];
    run_ranks(2, [&](Communicator& ranks) {
        UNet net({.base_channels = 4, .depth = 2});
        net.freeze_batch_norm();  // each rank has statistics of its own images
        net.materialize({.device = {DeviceKind::cpu, ranks.rank()}, .seed = uint64_t(3 + ranks.rank())});
        Optimizer optimizer(net, averaging());
        const auto loss = bce_dice_loss()(net.materialized().device, DType::f32);
        TrainingStep step(net, optimizer, *loss, {.graphs = false, .ranks = &ranks});
        const auto data = batches(6);
        for (size_t i = size_t(ranks.rank()); i < data.size(); i += 2) step.run(&data[i], 1, 1e-2);
        averages[ranks.rank()] = averages_of(optimizer);
    });
    EXPECT_EQ(averages[0], averages[1]);
}

struct WithStateNamedWeights : Copied<WithStateNamedWeights, UpdateRule> {
    std::string name() const override { return "with-state-named-weights"; }
    std::vector<RuleState> state(const Hyperparameters&) const override { return {{"weights", "copies"}}; }
    void step(const UpdateStep&) const override {}
};

// In a file, train.weights.* would be two tensors of each name.
TEST(WeightAverageTest, ARuleWhoseStateHasTheNameOfTheTrainedWeightsIsRefused) {
    static const bool added = (add_update_rule(WithStateNamedWeights()), true);
    ASSERT_TRUE(added);
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = {DeviceKind::cpu}});
    OptimizerOptions options;
    options.rule = "with-state-named-weights";
    EXPECT_THROW(Optimizer(net, options), Error);
}

// A step, a restart, a second scope or a file would take averages for the training's weights.
TEST(WeightAverageTest, NothingTrainsOrSavesWhileTheNetHoldsTheAverages) {
    Rig rig({DeviceKind::cpu}, averaging());
    for (const HostBatch& b : batches(2)) rig.step->run(&b, 1, 1e-2);
    const auto weights = tensors_of(rig.net), averages = averages_of(*rig.optimizer);
    WeightAverage* average = rig.optimizer->average();
    {
        const WithAveragedWeights scope(average);
        EXPECT_TRUE(average->exchanged());
        EXPECT_THROW(rig.optimizer->step(1e-2), ShapeError);
        EXPECT_THROW(average->update(rig.optimizer->device_state()), ShapeError);
        EXPECT_THROW(average->restart(), ShapeError);
        EXPECT_THROW(const WithAveragedWeights second(average), ShapeError);
        EXPECT_THROW(io::save_training("nowhere/file.safetensors", rig.net, *rig.optimizer, {}, {}), ShapeError);
        EXPECT_EQ(tensors_of(rig.net), averages);
    }
    EXPECT_FALSE(average->exchanged());
    EXPECT_EQ(tensors_of(rig.net), weights);
    EXPECT_EQ(averages_of(*rig.optimizer), averages);
}

// ---- trainings with validations and files ----

struct Watching : TrainObserver {
    std::vector<double> validation;
    int64_t stop_when_asked = -1;
    void on_epoch(const EpochReport& r) override { validation.push_back(r.validation->loss); }
    bool stop_requested() override { return stop_when_asked-- == 0; }
};

struct Training {
    UNet net{{.base_channels = 4, .depth = 2}};
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<Trainer> trainer;
    Rectangles source{16, 4, 16, 5}, held_out{6, 2, 16, 6};
    Watching watching;

    explicit Training(double ema, uint64_t seed = 7) {
        net.materialize({.device = {DeviceKind::cpu}, .seed = seed});
        optimizer = std::make_unique<Optimizer>(net, averaging(ema));
        trainer = std::make_unique<Trainer>(
            net, *optimizer,
            TrainerOptions{.epochs = 2, .schedule = {.name = "poly", .base = 1e-2, .length = {.total_steps = 8}}});
    }
    bool run() { return trainer->run(source, &held_out, watching); }
    void load(const std::string& path) {
        io::load_training(io::SafetensorsFile(path), net, *optimizer, trainer->progress);
    }
    void save(const std::string& path) const {
        io::save_training(path, const_cast<UNet&>(net), *optimizer, trainer->progress, {});
    }
};

struct WeightAverageFiles : testing::Test {
    std::string path =
        (std::filesystem::temp_directory_path() / ("atrous-average-" + std::to_string(::getpid()) + ".safetensors"))
            .string();
    void TearDown() override {
        std::filesystem::remove(path);
        std::filesystem::remove(path + ".previous");
    }
};

TEST_F(WeightAverageFiles, ValidationsScoreTheAverages) {
    Training averaged(decay), plain(0);
    ASSERT_TRUE(averaged.run());
    ASSERT_TRUE(plain.run());
    EXPECT_EQ(tensors_of(averaged.net), tensors_of(plain.net)) << "the training does not depend on it";
    EXPECT_NE(averaged.watching.validation, plain.watching.validation);
    const WithAveragedWeights scope(averaged.optimizer->average());
    EXPECT_EQ(evaluate(averaged.net, averaged.held_out, {}).loss, averaged.watching.validation.back());
}

// Stopped before a step or inside a validation, which leaves the training's weights in the net.
TEST_F(WeightAverageFiles, ResumingGivesTheSameBits) {
    Training whole(decay);
    ASSERT_TRUE(whole.run());
    const int64_t asked = 2 * (5 + 3);  // an epoch: before each of four steps, to find no fifth, after three batches
    for (int64_t stop = 0; stop < asked; ++stop) {
        Training first(decay), second(decay, 99);
        first.watching.stop_when_asked = stop;
        EXPECT_FALSE(first.run());
        first.save(path);
        second.load(path);
        second.watching.validation = first.watching.validation;
        EXPECT_TRUE(second.run());
        EXPECT_EQ(tensors_of(second.net), tensors_of(whole.net)) << "stopped when asked " << stop << " times";
        EXPECT_EQ(averages_of(*second.optimizer), averages_of(*whole.optimizer)) << stop;
        EXPECT_EQ(second.watching.validation, whole.watching.validation) << stop;
    }
}

TEST_F(WeightAverageFiles, WhoeverLoadsTheWeightsOfLastGetsTheAverages) {
    Training training(decay);
    ASSERT_TRUE(training.run());
    training.save(path);
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
    io::load_weights(io::SafetensorsFile(path), net);
    EXPECT_EQ(tensors_of(net), averages_of(*training.optimizer));
}

// What the file holds besides is the training's, and no weights that the net has no use for.
TEST_F(WeightAverageFiles, PretrainingFromLastTakesTheAveragesAndTellsOfNothingElse) {
    Training training(decay);
    ASSERT_TRUE(training.run());
    training.save(path);
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
    const io::PretrainedReport report = io::load_pretrained(net, io::SafetensorsFile(path), {});
    EXPECT_EQ(tensors_of(net), averages_of(*training.optimizer));
    EXPECT_EQ(report.loaded, report.of);
    EXPECT_EQ(report.file_prefix + report.net_prefix, "");
    EXPECT_TRUE(report.rows.empty()) << report.rows[0].what << " " << report.rows[0].name;
}

TEST_F(WeightAverageFiles, ATrainingMayGoOnWithoutAnAverageAndBeginOne) {
    Training with(decay), without(0, 99), again(decay, 99);
    ASSERT_TRUE(with.run());
    with.save(path);
    without.load(path);
    EXPECT_EQ(tensors_of(without.net), tensors_of(with.net)) << "not the averages";
    without.save(path);
    again.load(path);
    EXPECT_EQ(tensors_of(again.net), tensors_of(with.net));
    EXPECT_EQ(averages_of(*again.optimizer), tensors_of(with.net)) << "it begins as the weights";
}

}  // namespace
}  // namespace atrous
