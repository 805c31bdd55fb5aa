// The recorded step: a replay is the eager step bit for bit, takes no memory and waits for nothing; loss scaling; and
// what becomes of NaN.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/context.h"
#include "engine/train/trainer.h"
#include "models/catalogue.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

namespace atrous {
namespace {

const Device gpu_device{DeviceKind::gpu};
const Device cpu_device{DeviceKind::cpu};
bool have_gpu() { return gpu::device_count() > 0; }

struct Rig {
    UNet net{{.base_channels = 8, .depth = 2}};
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<LossFunction> loss;
    std::unique_ptr<TrainingStep> step;

    Rig(Device device, TrainingStepOptions options, OptimizerOptions optimizer_options = {}) {
        net.materialize({.device = device, .compute = options.compute, .seed = 3});
        optimizer = std::make_unique<Optimizer>(net, optimizer_options);
        loss = bce_dice_loss()(device, options.compute);
        step = std::make_unique<TrainingStep>(net, *optimizer, *loss, options);
    }
    std::vector<float> weights() { return net.arena().values.to_host<float>(); }
};

std::vector<HostBatch> batches(int64_t count, int64_t n = 2, int64_t size = 16) {
    Rectangles source(count * n, n, size, 5);
    source.start_epoch(0, 0);
    std::vector<HostBatch> all(static_cast<size_t>(count));
    for (auto& b : all) EXPECT_TRUE(source.next(b));
    return all;
}

void expect_equal(const std::vector<StepLogEntry>& a, const std::vector<StepLogEntry>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
        EXPECT_TRUE(a[i].loss == b[i].loss || (std::isnan(a[i].loss) && std::isnan(b[i].loss))) << "step " << i;
        EXPECT_EQ(a[i].nonfinite, b[i].nonfinite) << "step " << i;
        EXPECT_EQ(a[i].loss_scale, b[i].loss_scale) << "step " << i;
        if (!a[i].nonfinite) {
            EXPECT_EQ(a[i].grad_norm, b[i].grad_norm) << "step " << i;
        }
    }
}

// Data and learning rate change with every step; one batch holds an Inf, whose step changes no weight.
void replay_equals_eager(DType compute, bool scaled) {
    auto data = batches(12);
    data[7].images[5] = std::numeric_limits<float>::infinity();
    OptimizerOptions adam;
    adam.dynamic_loss_scale = scaled;
    if (scaled) adam.initial_loss_scale = 1024, adam.growth_interval = 3;
    std::vector<StepLogEntry> logs[2];
    std::vector<float> weights[2];
    for (const bool graphs : {false, true}) {
        Rig rig(gpu_device, {.compute = compute, .scale_loss = scaled, .graphs = graphs}, adam);
        for (size_t i = 0; i < data.size(); ++i) {
            const auto before = i == 7 ? rig.weights() : std::vector<float>();
            rig.step->run(&data[i], 1, 1e-3 / double(i + 1));
            if (i == 7) {
                EXPECT_EQ(rig.weights(), before) << "a step with Inf changes nothing";
            }
        }
        logs[graphs] = rig.step->read();
        weights[graphs] = rig.weights();
        EXPECT_EQ(rig.step->replayed() >= 6, graphs) << rig.step->replayed() << " of 12 steps were replays";
    }
    expect_equal(logs[0], logs[1]);
    EXPECT_EQ(weights[0], weights[1]);
    EXPECT_EQ(logs[1][7].nonfinite, 1);
    EXPECT_NE(logs[1][10].loss, logs[1][11].loss) << "the data changes";
    if (scaled) {
        EXPECT_EQ(logs[1][7].loss_scale * 2, logs[1][6].loss_scale) << "Inf halves the loss scale";
    }
    if (scaled) {
        EXPECT_EQ(logs[1][2].loss_scale, 2048) << "three good steps double it";
    }
}

TEST(TrainingStepTest, ReplayEqualsEagerF32) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    replay_equals_eager(DType::f32, false);
}
TEST(TrainingStepTest, ReplayEqualsEagerBf16) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    replay_equals_eager(DType::bf16, false);
}
TEST(TrainingStepTest, ReplayEqualsEagerF16WithDynamicLossScale) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    replay_equals_eager(DType::f16, true);
}

TEST(TrainingStepTest, SteadyStepsTakeNoMemoryAndWaitForNothing) {
    const auto data = batches(2);
    for (const Device device : {cpu_device, gpu_device}) {
        if (device.kind == DeviceKind::gpu && !have_gpu()) continue;
        SCOPED_TRACE(name_of(device));
        Rig rig(device, {});
        const auto run = [&](int steps) {
            for (int i = 0; i < steps; ++i) rig.step->run(&data[size_t(i % 2)], 1, 1e-3);
        };
        run(8);
        const uint64_t taken = context_of(device).memory().statistics().backend_allocations;
        const uint64_t waits = gpu::synchronizations();
        const int64_t replays = rig.step->replayed();
        run(20);
        EXPECT_EQ(context_of(device).memory().statistics().backend_allocations, taken);
        EXPECT_EQ(gpu::synchronizations(), waits);
        if (device.kind == DeviceKind::gpu) {
            EXPECT_EQ(rig.step->replayed() - replays, 20);
        }
        EXPECT_EQ(rig.step->read().size(), 28u);
    }
}

// What runs between replays may use any memory but the graph's own.
TEST(TrainingStepTest, TensorsMadeBetweenReplaysAreLeftAlone) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    const auto data = batches(1);
    Rig rig(gpu_device, {});
    std::vector<Tensor> kept;
    for (int i = 0; i < 8; ++i) {
        rig.step->run(data.data(), 1, 1e-3);
        for (const int64_t count : {64, 4096, 16384, 65536})
            kept.push_back(Tensor::full({count}, DType::f32, gpu_device, double(kept.size())));
    }
    ASSERT_GT(rig.step->replayed(), 2);
    for (size_t i = 0; i < kept.size(); ++i)
        for (const float v : kept[i].to_host<float>()) ASSERT_EQ(v, float(i)) << "tensor " << i << " was overwritten";
}

TEST(TrainingStepTest, ShapesTakeTurns) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    const auto small = batches(1, 1), large = batches(1, 3, 24);
    std::vector<float> weights[2];
    for (const bool graphs : {false, true}) {
        Rig rig(gpu_device, {.graphs = graphs});
        for (int i = 0; i < 14; ++i) rig.step->run(i % 2 ? small.data() : large.data(), 1, 1e-3);
        weights[graphs] = rig.weights();
        if (graphs) {
            EXPECT_GT(rig.step->replayed(), 4);
        }
    }
    EXPECT_EQ(weights[0], weights[1]);
}

// The same images as bytes, and as floats that the host normalized.
HostBatch as_bytes(const HostBatch& floats, HostBatch& normalized) {
    HostBatch b = floats;
    b.form = ImageForm::bytes;
    b.levels.resize(3 * 256);
    for (size_t i = 0; i < b.levels.size(); ++i)
        b.levels[i] = (float(i % 256) / 255 - 0.4f) / (0.2f + 0.1f * float(i / 256));
    for (const float v : floats.images) b.bytes.push_back(uint8_t(v * 255));
    b.images.clear();
    normalized = floats;
    for (size_t i = 0; i < b.bytes.size(); ++i) normalized.images[i] = b.levels[i % 3 * 256 + b.bytes[i]];
    return b;
}

// Bytes are normalized on the device to the bits of the host, eagerly and in a replay; both forms take turns.
TEST(TrainingStepTest, BytesTrainAsFloats) {
    for (const Device device : {cpu_device, gpu_device})
        for (const DType compute : {DType::f32, DType::bf16}) {
            if (device.kind == DeviceKind::gpu ? !have_gpu() : compute != DType::f32) continue;
            SCOPED_TRACE(name_of(device) + std::string(" ") + name_of(compute));
            std::vector<float> weights[3];
            for (const int way : {0, 1, 2}) {
                Rig rig(device, {.compute = compute});
                auto data = batches(14);
                for (size_t i = 0; i < data.size(); ++i) {
                    HostBatch floats;
                    const HostBatch bytes = as_bytes(data[i], floats);
                    rig.step->run(way == 1 || (way == 2 && i % 2) ? &bytes : &floats, 1, 1e-3);
                }
                weights[way] = rig.weights();
                EXPECT_EQ(rig.step->replayed() > 0, device.kind == DeviceKind::gpu);
            }
            EXPECT_EQ(weights[0], weights[1]);
            EXPECT_EQ(weights[0], weights[2]);
        }
}

TEST(TrainingStepTest, BytesThatDoNotFillTheShapeAreRefused) {
    Rig rig(cpu_device, {});
    HostBatch floats, bytes = as_bytes(batches(1)[0], floats);
    bytes.bytes.pop_back();
    EXPECT_THROW(rig.step->run(&bytes, 1, 1e-3), Error);
}

// Three micro-batches, the last of them shorter, with other counts of pixels that count in every step.
TEST(TrainingStepTest, MicroBatchesAreReplayedTogether) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    std::vector<HostBatch> windows[8];
    Random random(4);
    for (auto& window : windows) {
        window = batches(2, 2);
        window.push_back(batches(1, 1).front());
        for (HostBatch& b : window) {
            for (float& v : b.images) v += float(random.normal() * 0.1);
            for (uint8_t& l : b.labels) l = random.chance(0.3) ? 255 : l;
        }
    }
    std::vector<StepLogEntry> logs[2];
    std::vector<float> weights[2];
    for (const bool graphs : {false, true}) {
        Rig rig(gpu_device, {.graphs = graphs});
        for (const auto& window : windows) rig.step->run(window.data(), 3, 1e-3);
        logs[graphs] = rig.step->read();
        weights[graphs] = rig.weights();
        EXPECT_EQ(rig.step->replayed() >= 3, graphs) << rig.step->replayed() << " of 8 steps were replays";
    }
    expect_equal(logs[0], logs[1]);
    EXPECT_EQ(weights[0], weights[1]);
    EXPECT_NE(logs[1][6].loss, logs[1][7].loss) << "the data changes";
}

// Beyond the limit micro-batches take turns in one input, as without graphs: 8x8 pixels of 3 floats and a label, two
// images each, three times.
TEST(TrainingStepTest, MicroBatchesBeyondTheLimitTakeTurns) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    const auto window = batches(3, 2, 8);
    const size_t bytes = 3 * 2 * 8 * 8 * (3 * sizeof(float) + 1);
    std::vector<StepLogEntry> logs[2];
    std::vector<float> weights[2];
    for (const bool within : {false, true}) {
        Rig rig(gpu_device, {.max_input_bytes = within ? bytes : bytes - 1});
        for (int i = 0; i < 8; ++i) rig.step->run(window.data(), 3, 1e-3);
        logs[within] = rig.step->read();
        weights[within] = rig.weights();
        EXPECT_EQ(rig.step->replayed() >= 3, within) << rig.step->replayed() << " of 8 steps were replays";
        if (!within) {
            for (int i = 0; i < 6; ++i) rig.step->run(window.data(), 1, 1e-3);
            EXPECT_GT(rig.step->replayed(), 0) << "a single batch is recorded whatever it takes";
        }
    }
    expect_equal(logs[0], logs[1]);
    EXPECT_EQ(weights[0], weights[1]);
}

// Each shape's inputs, memory and graph are kept, but not without end.
TEST(TrainingStepTest, ManyShapesTakeNoMoreMemoryThanAFew) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    Rig rig(gpu_device, {.log_capacity = 1000});
    std::vector<HostBatch> data;
    for (int64_t n = 1; n <= 9; ++n) data.push_back(batches(1, n, 8).front());
    size_t held = 0;
    for (int turn = 0; turn < 3; ++turn) {
        for (const HostBatch& b : data)
            for (int i = 0; i < 6; ++i) rig.step->run(&b, 1, 1e-3);
        const size_t now = context_of(gpu_device).memory().statistics().reserved_bytes;
        if (turn == 1) held = now;
        if (turn > 1) {
            EXPECT_EQ(now, held) << "turn " << turn;
        }
    }
    EXPECT_GE(rig.step->replayed(), 3 * 9 * 2) << "of six steps in a row at least the last two";
    EXPECT_LE(rig.step->replayed(), 3 * 9 * 4) << "one of a kind is not recorded";
}

// An epoch's last batch is smaller than the others: its tensors lie in the memory of theirs, eagerly and recorded.
TEST(TrainingStepTest, ASmallerShapeBringsNoSecondSetOfActivations) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    const auto full = batches(1, 8, 16), last = batches(1, 5, 16);
    for (const DType compute : {DType::f32, DType::bf16}) {
        Rig rig(gpu_device, {.compute = compute, .log_capacity = 100});
        context_of(gpu_device).memory().release_cache();
        const size_t before = context_of(gpu_device).memory().statistics().reserved_bytes;
        const auto reserved = [&] { return context_of(gpu_device).memory().statistics().reserved_bytes - before; };
        for (int i = 0; i < 6; ++i) rig.step->run(full.data(), 1, 1e-3);
        const size_t of_full = reserved();
        const int64_t replays = rig.step->replayed();
        for (int i = 0; i < 6; ++i) rig.step->run(last.data(), 1, 1e-3);
        EXPECT_GT(rig.step->replayed(), replays + 1) << "the smaller shape is recorded too";
        const size_t inputs = size_t(2 * 5 * 16 * 16) * (3 * sizeof(float) + 1);  // and the block that stages them
        EXPECT_LE(reserved(), of_full + of_full / 20 + 2 * inputs);
        rig.step->run(full.data(), 1, 1e-3);
        EXPECT_EQ(rig.step->replayed() - replays > 2, true) << "and the full one's graph is still there";
    }
}

// Both graphs work in the same memory: what one leaves there is nothing to the other.
TEST(TrainingStepTest, ShapesTakeTurnsInTheSameMemory) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    const auto full = batches(1, 4, 16), last = batches(1, 3, 16);
    std::vector<StepLogEntry> logs[2];
    std::vector<float> weights[2];
    for (const bool graphs : {false, true}) {
        Rig rig(gpu_device, {.graphs = graphs, .log_capacity = 100});
        for (int i = 0; i < 24; ++i) rig.step->run(i % 3 == 2 ? last.data() : full.data(), 1, 1e-3);
        EXPECT_EQ(rig.step->replayed() > 12, graphs) << rig.step->replayed();
        logs[graphs] = rig.step->read();
        weights[graphs] = rig.weights();
    }
    expect_equal(logs[0], logs[1]);
    EXPECT_EQ(weights[0], weights[1]);
}

TEST(TrainingStepTest, AFullLogMustBeRead) {
    const auto data = batches(1);
    Rig rig(cpu_device, {.log_capacity = 2});
    rig.step->run(data.data(), 1, 1e-3);
    rig.step->run(data.data(), 1, 1e-3);
    EXPECT_THROW(rig.step->run(data.data(), 1, 1e-3), Error);
    EXPECT_EQ(rig.step->read().size(), 2u);
    rig.step->run(data.data(), 1, 1e-3);
    const auto entries = rig.step->read();
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_EQ(entries[0].attempt, 2);
}

// ---- NaN ----

struct BadStepCollector : TrainObserver {
    std::vector<double> losses;
    int64_t bad_step = -1;
    std::string bad_layer, bad_op;
    std::vector<std::string> names;
    bool backward = false;
    StepConditions conditions;
    void on_step(const StepReport& r) override { losses.push_back(r.loss); }
    void on_nonfinite(const BadStep& b) override {
        bad_step = b.step;
        names = b.batch->names;
        conditions = b.conditions;
        if (const auto* f = b.diagnosis->first_bad()) bad_layer = f->path, bad_op = f->op, backward = f->backward;
    }
};

class PoisonedSource : public Rectangles {  // one pixel of one image of the whole training is NaN
 public:
    PoisonedSource(int64_t batch, int64_t image) : Rectangles(24, 2, 16, 1), bad_batch_(batch), bad_image_(image) {}
    void start_epoch(int64_t epoch, int64_t first) override {
        at_ = epoch * batches_per_epoch() + first;
        Rectangles::start_epoch(epoch, first);
    }
    bool next(HostBatch& b) override {
        if (!Rectangles::next(b)) return false;
        if (at_++ == bad_batch_) b.images[size_t(bad_image_ * b.h * b.w * b.c + 100)] = NAN;
        return true;
    }

 private:
    int64_t bad_batch_, bad_image_, at_ = 0;
};

std::string message_of(Trainer& trainer, BatchSource& source, TrainObserver& observer) {
    try {
        trainer.run(source, nullptr, observer);
    } catch (const NumericError& error) {
        return error.what();
    }
    return "nothing was thrown";
}

TEST(NonFiniteTest, ABadImageIsNamedWithStepAndLayerHoweverSeldomTheHostLooks) {
    for (const Device device : {cpu_device, gpu_device}) {
        if (device.kind == DeviceKind::gpu && !have_gpu()) continue;
        for (const int64_t read_every : {1, 5, 16}) {
            SCOPED_TRACE(name_of(device) + " every " + std::to_string(read_every));
            UNet net({.base_channels = 4, .depth = 2});
            net.materialize({.device = device, .seed = 1});
            Optimizer optimizer(net, {.halt_at_nonfinite = true});
            Trainer trainer(net, optimizer, {.epochs = 2, .schedule = {.base = 1e-3}, .read_every = read_every});
            PoisonedSource source(9, 1);
            BadStepCollector seen;
            const std::string message = message_of(trainer, source, seen);
            EXPECT_NE(message.find("step 10"), std::string::npos) << message;
            EXPECT_NE(message.find("images: rectangle 19)"), std::string::npos) << message;
            EXPECT_NE(message.find("layer inc.double_conv.0 (forward pass)"), std::string::npos) << message;
            EXPECT_EQ(seen.bad_step, 10);
            EXPECT_EQ(seen.losses.size(), 9u);
            EXPECT_EQ(optimizer.state().step, 9) << "nothing was changed from the bad step on";
        }
    }
}

TEST(NonFiniteTest, ABadWeightIsNamedByItsLayer) {
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = cpu_device, .seed = 1});
    for (auto& [path, p] : net.parameters())
        if (path == "up1.conv.double_conv.3.weight") {
            auto values = p->value.to_host<float>();
            values[10] = NAN;
            p->value.copy_from_host(values.data(), values.size() * sizeof(float));
        }
    Optimizer optimizer(net, {.halt_at_nonfinite = true});
    Trainer trainer(net, optimizer, {.epochs = 1, .schedule = {.base = 1e-3}});
    Rectangles source(4, 2, 16, 1);
    BadStepCollector seen;
    EXPECT_NE(message_of(trainer, source, seen).find("step 1:"), std::string::npos);
    EXPECT_EQ(seen.bad_layer, "up1.conv.double_conv.3");
    EXPECT_EQ(seen.bad_op, "conv2d");
    EXPECT_FALSE(seen.backward);
}

// Logits of 1e37 are finite, their cross-entropy summed over the pixels is not.
TEST(NonFiniteTest, AnOverflowOfTheLossIsNamed) {
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = cpu_device, .seed = 1});
    for (auto& [path, p] : net.parameters())
        if (path == "outc.conv.weight") p->value.fill(1e37);
    Optimizer optimizer(net, {.halt_at_nonfinite = true});
    Trainer trainer(net, optimizer, {.epochs = 1, .schedule = {.base = 1e-3}});
    Rectangles source(4, 2, 16, 1);
    BadStepCollector seen;
    const std::string message = message_of(trainer, source, seen);
    EXPECT_NE(message.find("bce_dice of layer (net) (forward pass): 1 of 1"), std::string::npos) << message;
    EXPECT_EQ(seen.bad_op, "bce_dice");
}

TEST(NonFiniteTest, LookingSeldomChangesNoLossAndNoWeight) {
    std::vector<double> losses[2];
    std::vector<float> weights[2];
    for (const int64_t read_every : {1, 7}) {
        UNet net({.base_channels = 4, .depth = 2});
        net.materialize({.device = cpu_device, .seed = 1});
        Optimizer optimizer(net, {});
        Trainer trainer(net, optimizer, {.epochs = 2, .schedule = {.base = 1e-3}, .read_every = read_every});
        Rectangles source(10, 2, 16, 1);
        BadStepCollector seen;
        EXPECT_TRUE(trainer.run(source, nullptr, seen));
        losses[read_every == 7] = seen.losses;
        weights[read_every == 7] = net.arena().values.to_host<float>();
    }
    EXPECT_EQ(losses[0].size(), 10u);
    EXPECT_EQ(losses[0], losses[1]);
    EXPECT_EQ(weights[0], weights[1]);
}

// Dropout's masks are keyed by the micro-batch: the losses of a step run again add up to the step's own. 1e-5: sums in
// another order.
TEST(NonFiniteTest, TheDiagnosisOfAMicroBatchDrawsItsMasks) {
    auto net = make_net({.model = "fcn", .encoder = "resnet18"});
    net->materialize({.device = cpu_device, .seed = 1});
    const auto window = batches(2, 2, 32);
    const auto loss = bce_dice_loss()(cpu_device, DType::f32);
    double parts[2], unlike = 0;
    for (const int64_t i : {0, 1}) parts[i] = diagnose_step(*net, *loss, window[size_t(i)], {.micro_batch = i}).loss;
    unlike = diagnose_step(*net, *loss, window[1], {.micro_batch = 0}).loss;
    EXPECT_GT(std::abs(unlike - parts[1]), 1e-3) << "the masks of another micro-batch";
    Optimizer optimizer(*net, {});
    TrainingStep step(*net, optimizer, *loss, {});
    step.run(window.data(), 2, 0);
    EXPECT_NEAR(step.read().front().loss, (parts[0] + parts[1]) / 2, 1e-5);
}

TEST(NonFiniteTest, TheMicroBatchToBlameIsNamed) {
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = cpu_device, .seed = 1});
    Optimizer optimizer(net, {.halt_at_nonfinite = true});
    Trainer trainer(net, optimizer, {.epochs = 2, .schedule = {.base = 1e-3}, .accumulate = 3});
    PoisonedSource source(7, 1);  // batches 6, 7, 8 are step 3
    BadStepCollector seen;
    EXPECT_NE(message_of(trainer, source, seen).find("step 3:"), std::string::npos);
    EXPECT_EQ(seen.conditions.micro_batch, 1);
    EXPECT_EQ(seen.conditions.attempt, 2);
}

// A half-precision training starts with a scale that overflows, finds one that does not, and learns.
TEST(LossScaleTest, FindsItsLevelAndTrainingGoesOn) {
    if (!have_gpu()) GTEST_SKIP() << "no GPU";
    UNet net({.base_channels = 8, .depth = 2});
    net.materialize({.device = gpu_device, .compute = DType::f16, .seed = 1});
    Optimizer optimizer(net, {.dynamic_loss_scale = true, .initial_loss_scale = 16777216});
    Trainer trainer(net, optimizer, {.epochs = 8, .schedule = {.base = 3e-3}, .compute = DType::f16, .read_every = 4});
    Rectangles source(8, 2, 16, 1);
    BadStepCollector seen;
    EXPECT_TRUE(trainer.run(source, nullptr, seen));
    const StepState state = optimizer.state();
    EXPECT_LT(state.loss_scale, 16777216);
    EXPECT_LT(state.step, state.attempts) << "the first steps overflow and are skipped";
    EXPECT_GT(state.step, 10);
    EXPECT_LT(seen.losses.back(), seen.losses.front());
}

}  // namespace
}  // namespace atrous
