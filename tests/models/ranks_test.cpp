// A training step of several ranks is that of one with all their images.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/comm/thread_ranks.h"
#include "engine/context.h"
#include "engine/nn/layers.h"
#include "engine/ops/dropout.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous {
namespace {

// Convolutions and dropout, no batch norm.
class Plain : public SegmentationNet {
 public:
    int64_t in_channels() const override { return 3; }
    int64_t out_channels() const override { return 1; }
    int64_t input_multiple() const override { return 1; }

 private:
    Conv2d first_{*this, "first", {.in_channels = 3, .out_channels = 8, .padding = 1}};
    Conv2d second_{*this, "second", {.in_channels = 8, .out_channels = 8, .padding = 1}};
    Conv2d last_{*this, "last", {.in_channels = 8, .out_channels = 1, .kernel = 1}};
    NetOutputs compute(const Tensor& x, bool) override {
        const Tensor y = second_.forward(dropout(first_.forward(x), 0.3, training()));
        return {last_.forward(y), {}};
    }
};

std::unique_ptr<SegmentationNet> net_of(bool batch_norm) {
    if (!batch_norm) return std::make_unique<Plain>();
    auto net = std::make_unique<UNet>(UNetOptions{.base_channels = 4, .depth = 2});
    net->freeze_batch_norm();  // each rank has statistics of its own images
    return net;
}

struct Trained {
    std::vector<StepLogEntry> log;
    std::vector<float> weights;
};

// Five steps; every rank takes its share of the window's batches, in turns.
Trained train(Device device, bool batch_norm, Communicator* ranks, uint64_t seed = 3) {
    const auto net = net_of(batch_norm);
    net->materialize({.device = device, .seed = seed});
    OptimizerOptions sgd;  // Adam would make steps of gradients that are rounding alone
    sgd.rule = "sgd";
    sgd.clip_norm = 0.2;
    Optimizer optimizer(*net, sgd);
    const auto loss = bce_dice_loss()(device, DType::f32);
    TrainingStep step(*net, optimizer, *loss, {.graphs = false, .ranks = ranks});
    const int64_t size = ranks ? ranks->size() : 1, rank = ranks ? ranks->rank() : 0, window = 2;
    Rectangles source(40, 2, 8, 1);
    source.start_epoch(0, 0);
    Trained found;
    for (int i = 0; i < 5; ++i) {
        std::vector<HostBatch> mine;
        for (int64_t at = 0; at < window; ++at) {
            HostBatch b;
            EXPECT_TRUE(source.next(b));
            // Other counts of pixels that count: the normalizer is the joint one.
            for (size_t p = 0; at == 1 && p < b.labels.size(); p += 3) b.labels[p] = 255;
            if (at % size == rank) mine.push_back(b);
        }
        step.run(mine.data(), int64_t(mine.size()), 0.1);
    }
    found.log = step.read();
    EXPECT_EQ(step.replayed(), 0);
    found.weights = net->arena().values.to_host<float>();
    return found;
}

// Ranks have equal bits. Their gradients are added in the order of ranks, as those of micro-batches are in theirs, so
// that they are those of one rank, too, but where a kernel adds a gradient to the one before in several parts: on the cpu
// some do. Then the rounding of float sums is the difference; `tolerance` is relative to the largest weight.
void two_ranks_equal_one(DeviceKind kind, bool batch_norm, double tolerance) {
    const Trained expected = train({kind, 0}, batch_norm, nullptr);
    Trained found[2];
    run_ranks(2, [&](Communicator& ranks) {
        // The nets begin with other values: rank 0's are sent to all.
        found[ranks.rank()] = train({kind, ranks.rank()}, batch_norm, &ranks, ranks.rank() == 0 ? 3 : 17);
    });
    EXPECT_EQ(found[0].weights, found[1].weights);
    double largest = 0, off = 0;
    for (size_t i = 0; i < expected.weights.size(); ++i) {
        largest = std::max(largest, std::abs(double(expected.weights[i])));
        off = std::max(off, std::abs(double(found[0].weights[i]) - double(expected.weights[i])));
    }
    EXPECT_LE(off, tolerance * largest);
    for (const Trained& rank : found) {
        ASSERT_EQ(rank.log.size(), 5u);
        EXPECT_EQ(rank.log[0].loss, expected.log[0].loss) << "before anything was rounded otherwise";
        for (size_t i = 0; i < 5; ++i) {
            EXPECT_EQ(rank.log[i].loss, found[0].log[i].loss) << "step " << i;
            EXPECT_EQ(rank.log[i].grad_norm, found[0].log[i].grad_norm) << "step " << i;
            EXPECT_NEAR(rank.log[i].loss, expected.log[i].loss, 1e-6) << "step " << i;
            EXPECT_NEAR(rank.log[i].terms[0], expected.log[i].terms[0], 1e-6) << "step " << i;
            EXPECT_NEAR(rank.log[i].terms[1], expected.log[i].terms[1], 1e-6) << "step " << i;
            EXPECT_NEAR(rank.log[i].grad_norm, expected.log[i].grad_norm, 1e-6) << "step " << i;
            EXPECT_EQ(rank.log[i].nonfinite, 0);
        }
    }
    EXPECT_NE(expected.log[0].loss, expected.log[4].loss);
}

TEST(RanksTest, TwoOnTheCpuAreOneWithBothShares) { two_ranks_equal_one(DeviceKind::cpu, false, 1e-6); }
TEST(RanksTest, TwoOnTheCpuAreOneWithBothSharesAndFrozenStatistics) {
    two_ranks_equal_one(DeviceKind::cpu, true, 1e-6);
}

#ifdef ATROUS_EMULATED
TEST(RanksTest, TwoOnEmulatedDevicesAreOneWithBothShares) {
    gpu::emu::ScopedOptions options;
    options->devices = 2;
    two_ranks_equal_one(DeviceKind::gpu, false, 0);
    gpu::set_device(0);
}
#endif

// Counts what is asked of a device's memory.
struct Counting : SelfCommunicator {
    int64_t calls = 0;
    void all_reduce(void*, int64_t count, DType, gpu::StreamView) override { calls += count > 2; }
    void broadcast(void*, size_t, int, gpu::StreamView) override { ++calls; }
    void barrier() override { ++calls; }
};

TEST(RanksTest, AloneNothingIsAskedAndTheBitsAreThose) {
    for (const DeviceKind kind : {DeviceKind::cpu, DeviceKind::gpu}) {
        if (kind == DeviceKind::gpu && gpu::device_count() == 0) continue;
        Counting self;
        const Trained expected = train({kind}, true, nullptr), found = train({kind}, true, &self);
        EXPECT_EQ(self.calls, 0);
        EXPECT_EQ(found.weights, expected.weights);
        EXPECT_EQ(found.log[4].loss, expected.log[4].loss);
    }
}

TEST(RanksTest, ANonFiniteGradientOfOneHaltsAll) {
    StepState states[2];
    run_ranks(2, [&](Communicator& ranks) {
        Plain net;
        net.materialize({.device = {DeviceKind::cpu, ranks.rank()}, .seed = 1});
        Optimizer optimizer(net, {.halt_at_nonfinite = true});
        const auto loss = bce_dice_loss()(net.materialized().device, DType::f32);
        TrainingStep step(net, optimizer, *loss, {.ranks = &ranks});
        Rectangles source(8, 2, 8, 1);
        source.start_epoch(0, 0);
        HostBatch b;
        for (int i = 0; i < 3; ++i) {
            EXPECT_TRUE(source.next(b));
            if (i == 1 && ranks.rank() == 1) b.images[5] = NAN;
            step.run(&b, 1, 1e-3);
        }
        states[ranks.rank()] = optimizer.state();
    });
    for (const StepState& state : states) {
        EXPECT_EQ(state.first_bad_attempt, 1);
        EXPECT_EQ(state.step, 1);
        EXPECT_EQ(state.attempts, 3);
    }
}

TEST(RanksTest, OneThatFailsWithinItsStepsLeavesNoOtherHanging) {
    EXPECT_THROW(run_ranks(2,
                           [&](Communicator& ranks) {
                               Plain net;
                               net.materialize({.device = {DeviceKind::cpu, ranks.rank()}, .seed = 1});
                               Optimizer optimizer(net, {});
                               const auto loss = bce_dice_loss()(net.materialized().device, DType::f32);
                               TrainingStep step(net, optimizer, *loss, {.ranks = &ranks});
                               Rectangles source(8, 2, 8, 1);
                               source.start_epoch(0, 0);
                               HostBatch b;
                               while (source.next(b)) {
                                   if (ranks.rank() == 1 && b.indices.empty() && optimizer.state().attempts == 2)
                                       throw DataError("no such image");
                                   step.run(&b, 1, 1e-3);
                               }
                           }),
                 DataError);
}

// ---- buckets ----

TEST(GradientBucketsTest, AreSummedOnceEachInTheOrderOfTheArenaWhileTheBackwardPassGoesOn) {
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
    int64_t end = 0, summed = 0, early = 0;
    bool running = true;
    GradientBuckets buckets(
        net.arena(),
        [&](const Tensor& g) {
            EXPECT_EQ(g.data(), net.arena().gradients.as<float>() + end) << "in order, without a gap";
            end += g.count();
            ++summed;
            early += running;
        },
        4096);
    EXPECT_GT(buckets.count(), 3u);
    const Tensor x = Tensor::full({1, 16, 16, 3}, DType::f32, {DeviceKind::cpu}, 0.5);
    const Tensor labels = Tensor::full({1, 16, 16, 1}, DType::u8, {DeviceKind::cpu}, 1);
    for (int step = 0; step < 2; ++step) {
        end = summed = early = 0;
        running = true;
        net.zero_gradients();
        Tape tape;
        const auto loss = bce_dice_loss()({DeviceKind::cpu}, DType::f32);
        const Tensor value = loss->value(net.forward(x), labels).loss;
        buckets.begin();
        tape.backward({{value}}, [&](const Leaf& leaf) { buckets.leaf_done(leaf); });
        running = false;
        buckets.finish();
        EXPECT_EQ(end, net.arena().gradients.count());
        EXPECT_EQ(summed, int64_t(buckets.count()));
        EXPECT_EQ(early, summed) << "every parameter of this net gets a gradient";
    }
}

// Where a parameter is read twice, its gradient is complete after the earlier of the two.
TEST(GradientBucketsTest, AParameterIsDoneAfterItsLastContribution) {
    Plain net;
    net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
    const Tensor x = Tensor::full({1, 8, 8, 3}, DType::f32, {DeviceKind::cpu}, 0.5);
    const Tensor labels = Tensor::full({1, 8, 8, 1}, DType::u8, {DeviceKind::cpu}, 1);
    const auto loss = bce_dice_loss()({DeviceKind::cpu}, DType::f32);
    net.set_training(false);
    Tape tape;
    const Tensor one = loss->value(net.forward(x), labels).loss, two = loss->value(net.forward(x), labels).loss;
    std::vector<float> when_done;
    const std::shared_ptr<Leaf> leaf = net.arena().parameters[0].parameter->value.leaf();
    int calls = 0;
    tape.backward({{one}, {two}}, [&](const Leaf& done) {
        ++calls;
        if (&done == leaf.get()) when_done = leaf->gradient->to_host<float>();
    });
    EXPECT_EQ(calls, int(net.arena().parameters.size()));
    EXPECT_EQ(when_done, leaf->gradient->to_host<float>());
}

}  // namespace
}  // namespace atrous
