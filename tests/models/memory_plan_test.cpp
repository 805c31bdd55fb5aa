// The memory plan against what the allocator counts in the training that it describes, and what follows from it.
#include "engine/train/memory_plan.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/context.h"
#include "engine/kernel_choice.h"
#include "engine/train/trainer.h"
#include "kernels/conv.h"
#include "models/unet.h"
#include "tests/models/plan_against_count.h"

namespace atrous {
namespace {

class Grey : public BatchSource {
 public:
    Grey(int64_t samples, int64_t batch, int64_t size, ImageForm form)
        : samples_(samples), batch_(batch), size_(size), form_(form) {}
    int64_t samples() const override { return samples_; }
    int64_t batches_per_epoch() const override { return (samples_ + batch_ - 1) / batch_; }
    void start_epoch(int64_t, int64_t) override { done_ = 0; }
    bool next(HostBatch& b) override {
        b.n = std::min(batch_, samples_ - done_);
        done_ += b.n;
        b.h = b.w = size_, b.c = 3;
        b.form = form_;
        const auto values = size_t(b.n * size_ * size_ * 3);
        if (form_ == ImageForm::samples) make_samples(b);
        if (form_ != ImageForm::floats) {
            b.bytes.assign(values, 128);
            b.levels.assign(3 * 256, 0.5f);
        } else {
            b.images.assign(values, 0.5f);
        }
        b.labels.assign(size_t(b.n * size_ * size_), 0);
        for (size_t i = 0; i < b.labels.size(); i += 2) b.labels[i] = 1;
        b.names.assign(size_t(b.n), "grey");
        return b.n > 0;
    }

 private:
    // As they are, with room for a few filters that nobody asks for.
    void make_samples(HostBatch& b) const {
        b.source_pixels = b.n * size_ * size_;
        b.filter_values = b.n * 128;
        b.filters.assign(size_t(b.filter_values), 0);
        b.samples.assign(size_t(b.n), {});
        for (size_t i = 0; i < b.samples.size(); ++i) {
            kernels::AugmentedSample& s = b.samples[i];
            s.labels = int64_t(i) * size_ * size_;
            s.image = 3 * s.labels;
            s.h = s.w = s.resized_h = s.resized_w = s.crop_h = s.crop_w = int32_t(size_);
        }
    }

    int64_t samples_, batch_, size_, done_ = 0;
    ImageForm form_;
};

struct Setting {
    DeviceKind device;
    int64_t base, size, batch;
    int depth = 4;
    bool bilinear = false;
    DType compute = DType::f32;
    std::string optimizer = "adam";
    int64_t last_batch = 0;
    std::string kernels = "auto";
    ImageForm images = ImageForm::floats;
    double ema = 0;  // 1: a mean of epochs instead
};

std::ostream& operator<<(std::ostream& out, const Setting& s) {
    return out << name_of(Device{s.device}) << " base " << s.base << " size " << s.size << " batch " << s.batch
               << " depth " << s.depth << (s.bilinear ? " bilinear " : " ") << name_of(s.compute) << " " << s.optimizer
               << " last batch " << s.last_batch << " kernels " << s.kernels
               << (s.images == ImageForm::bytes     ? " bytes"
                   : s.images == ImageForm::samples ? " samples"
                                                    : "")
               << " ema " << s.ema;
}

UNet net_of(const Setting& s) { return UNet({3, 1, s.base, s.depth, s.bilinear}); }

void average(OptimizerOptions& o, const Setting& s) {
    o.keeps_mean = s.ema == 1;
    o.ema_decay = s.ema == 1 ? 0 : s.ema;
}

PlanOptions plan_of(const Setting& s) {
    PlanOptions o;
    o.device = {s.device};
    o.compute = s.compute;
    o.batch = o.validation_batch = s.batch;
    o.last_batch = o.last_validation_batch = s.last_batch;
    o.height = o.width = s.size;
    o.optimizer.rule = s.optimizer;
    average(o.optimizer, s);
    o.images = s.images;
    o.validation_images = std::min(s.images, ImageForm::bytes);
    o.source_pixels = s.size * s.size;
    o.filter_values = 128;
    return o;
}

void train(const Setting& s) {
    UNet net = net_of(s);
    net.materialize({.device = {s.device}, .compute = s.compute, .seed = 1});
    OptimizerOptions options;
    options.rule = s.optimizer;
    average(options, s);
    Optimizer optimizer(net, options);
    TrainerOptions trained{.epochs = 6, .compute = s.compute};
    if (options.keeps_mean) trained.swa.from = 0.5;
    Trainer trainer(net, optimizer, trained);
    Grey training(2 * s.batch + s.last_batch, s.batch, s.size, s.images),
        validation(s.batch + s.last_batch, s.batch, s.size, std::min(s.images, ImageForm::bytes));
    TrainObserver observer;
    trainer.run(training, &validation, observer);
}

// bf16 on the cpu wants AVX-512, a GPU kernel a GPU.
bool can_run(const Setting& s) {
    if (s.device == DeviceKind::gpu) return gpu::device_count() > 0;
    return s.compute == DType::f32 || kernels::cpu::has_bf16_convolutions();
}

class MemoryPlanTest : public testing::TestWithParam<Setting> {};

// A tenth is promised. Exact is what a dry run should be: only the cpu's scratch memory outside convolutions is not
// in it, under a hundredth here.
TEST_P(MemoryPlanTest, MeetsWhatTheAllocatorCounts) {
    const Setting& s = GetParam();
    if (!can_run(s)) GTEST_SKIP() << "not on this machine";
    const ScopedKernelChoice scope(parse_kernel_choice(s.kernels));
    UNet net = net_of(s);
    expect_plan_meets_count(net, plan_of(s), [&] { train(s); });
}

// Under a limit blocks are given back and asked for again, so that a training gets by with less than the plan's peak.
// The smallest limit under which the plan can be carried out is nearly the smallest for the training, which ends in MemoryError
// a hundredth below, and leaves nothing behind. On the cpu, scratch memory that is not in the plan may take a block that
// something larger wanted, of up to half a MiB here: a twentieth of the least limit.
class MemoryLimitTest : public testing::TestWithParam<Setting> {};

TEST_P(MemoryLimitTest, IsMetFromBothSides) {
    const Setting& s = GetParam();
    if (!can_run(s)) GTEST_SKIP() << "not on this machine";
    UNet net = net_of(s);
    PlanOptions plan = plan_of(s);
    size_t good = plan_memory(net, plan).reserved_bytes, bad = 0;
    while (good - bad > good / 1000) {
        plan.limit_bytes = bad + (good - bad) / 2;
        (can_be_carried_out(net, plan) ? good : bad) = plan.limit_bytes;
    }
    CachingAllocator& memory = context_of({s.device}).memory();
    memory.release_cache();
    const size_t before = memory.statistics().in_use_bytes;
    memory.set_limit(before + good + good / (s.device == DeviceKind::cpu ? 20 : 100));
    EXPECT_NO_THROW(train(s));
    memory.set_limit(before + good - good / 100);
    EXPECT_THROW(train(s), MemoryError);
    EXPECT_EQ(memory.statistics().in_use_bytes, before) << "running out of memory left blocks behind";
    memory.set_limit(0);
}

constexpr auto as_bytes = ImageForm::bytes, as_samples = ImageForm::samples;
constexpr auto host = DeviceKind::cpu, accelerator = DeviceKind::gpu;
INSTANTIATE_TEST_SUITE_P(
    All, MemoryPlanTest,
    testing::Values(Setting{host, 16, 32, 2}, Setting{host, 8, 64, 4, 3, false, DType::f32, "adam", 1},
                    Setting{host, 8, 48, 3, 4, true}, Setting{host, 24, 32, 1, 3},
                    Setting{host, 8, 64, 4, 4, false, DType::bf16},
                    Setting{host, 8, 48, 2, 3, true, DType::bf16, "sgd"}, Setting{accelerator, 4, 32, 2, 2},
                    Setting{accelerator, 8, 16, 4, 2, true},
                    Setting{accelerator, 8, 16, 2, 2, false, DType::bf16, "adam", 1},
                    Setting{host, 16, 32, 2, 3, false, DType::f32, "adam", 0, "own"},
                    Setting{host, 16, 32, 2, 3, false, DType::f32, "adam", 0, "winograd4"},
                    Setting{host, 8, 64, 4, 3, false, DType::bf16, "adam", 0, "own"},
                    Setting{host, 8, 48, 2, 3, false, DType::bf16, "adam", 0, "pairs"},
                    Setting{accelerator, 8, 16, 2, 2, false, DType::bf16, "adam", 1, "simt"},
                    Setting{host, 8, 64, 4, 3, false, DType::f32, "adam", 1, "auto", as_bytes},
                    Setting{accelerator, 8, 16, 4, 2, false, DType::f32, "adam", 0, "auto", as_bytes},
                    Setting{accelerator, 8, 16, 2, 2, false, DType::bf16, "adam", 1, "auto", as_bytes},
                    Setting{host, 8, 64, 4, 3, false, DType::f32, "adam", 1, "auto", as_samples},
                    Setting{accelerator, 8, 16, 2, 2, false, DType::bf16, "adam", 1, "auto", as_samples},
                    Setting{host, 24, 32, 1, 3, false, DType::f32, "adam", 0, "auto", ImageForm::floats, 0.999},
                    Setting{accelerator, 8, 16, 2, 2, false, DType::bf16, "sgd", 1, "auto", as_bytes, 0.999},
                    Setting{host, 24, 32, 1, 3, false, DType::f32, "adam", 0, "auto", ImageForm::floats, 1},
                    Setting{accelerator, 8, 16, 2, 2, false, DType::bf16, "sgd", 1, "auto", as_bytes, 1}));
INSTANTIATE_TEST_SUITE_P(All, MemoryLimitTest,
                         testing::Values(Setting{host, 8, 64, 4, 3}, Setting{host, 8, 32, 4, 2, true, DType::bf16},
                                         Setting{accelerator, 4, 16, 2, 2}));

// The plan follows the choice: im2col wants lines of a matrix, others tiles or little.
TEST(MemoryPlan, FollowsTheChoiceOfKernels) {
    UNet net({3, 1, 16, 3, false});
    const PlanOptions plan = plan_of({host, 16, 64, 2, 3});
    const size_t chosen = plan_memory(net, plan).peak_bytes;
    const ScopedKernelChoice lines(parse_kernel_choice("im2col"));
    EXPECT_NE(plan_memory(net, plan).peak_bytes, chosen);
}

TEST(LargestBatch, FitsAndTheNextDoesNot) {
    UNet net({3, 1, 8, 3, false});
    const PlanForBatch plan = [](int64_t batch) {
        PlanOptions o = plan_of({host, 8, 64, batch, 3});
        return o;
    };
    for (const size_t mebibytes : {8, 13, 30}) {
        const size_t bytes = mebibytes << 20;
        const int64_t batch = largest_batch(net, plan, bytes, 1000);
        ASSERT_GE(batch, 1);
        EXPECT_LE(plan_memory(net, plan(batch)).reserved_bytes, bytes);
        EXPECT_GT(plan_memory(net, plan(batch + 1)).reserved_bytes, bytes);
    }
    EXPECT_EQ(largest_batch(net, plan, 1 << 20, 1000), 0);
    EXPECT_EQ(largest_batch(net, plan, size_t(1) << 30, 5), 5) << "no more than there are samples";
}

TEST(LargestBatch, PassesOverBatchesThatBatchNormCannotTrainOn) {
    UNet net({3, 1, 4, 3, false});  // at 8x8 its lowest map is one pixel: one image is one value a channel
    const PlanForBatch plan = [](int64_t batch) { return plan_of({host, 4, 8, batch, 3}); };
    EXPECT_GE(largest_batch(net, plan, size_t(1) << 30, 4), 2);
    EXPECT_EQ(largest_batch(net, plan, size_t(1) << 30, 1), 0);
}

// Of 100 samples in batches of 33 the last is one image.
TEST(LargestBatch, PassesOverBatchesThatLeaveOneImage) {
    UNet net({3, 1, 4, 3, false});
    const PlanForBatch plan = [](int64_t batch) {
        PlanOptions o = plan_of({host, 4, 8, batch, 3});
        o.last_batch = 100 % batch;
        return o;
    };
    ASSERT_FALSE(bytes_held(net, plan(33))) << "one image is one value a channel";
    for (const int64_t fits : {32, 34}) {
        const auto bytes = bytes_held(net, plan(fits));
        ASSERT_TRUE(bytes) << fits;
        for (const int64_t at_most : {int64_t{100}, fits + 1})
            EXPECT_EQ(largest_batch(net, plan, *bytes, at_most), fits) << "of at most " << at_most;
    }
}

// A graph needs the inputs of all its micro-batches at once: 13 MiB each here, which 32 of them may not take.
TEST(MemoryPlan, ManyMicroBatchesShareTheirInputs) {
    UNet net({3, 1, 4, 1, false});
    size_t inputs[2];
    for (const int64_t accumulate : {4, 32}) {
        PlanOptions o = plan_of({accelerator, 4, 1024, 1, 1});
        o.validation_batch = 0;
        o.accumulate = accumulate;
        inputs[accumulate == 32] = plan_memory(net, o).at_peak(BlockUse::batch);
    }
    EXPECT_GE(inputs[0], 4 * size_t{13} << 20) << "of a graph";
    EXPECT_LE(inputs[1], 3 * size_t{13} << 20) << "of micro-batches that take turns: one's, and its staging block";
}

// What top tensors are named by: the layer and op that filled a block, concatenations as wholes.
TEST(MemoryPlan, NamesItsBlocks) {
    UNet net({3, 1, 8, 2, false});
    const MemoryPlan plan = plan_memory(net, plan_of({host, 8, 64, 2, 2}));
    ASSERT_GE(plan.blocks.size(), 8u);
    EXPECT_EQ(plan.blocks[0].module, "up2");
    EXPECT_EQ(plan.blocks[0].what, "concat");
    EXPECT_EQ(plan.blocks[0].shape, (Shape{2, 64, 64, 16}));
    size_t gradients = 0;
    for (const SimulatedBlock& b : plan.blocks) {
        if (b.use == BlockUse::activation) {
            EXPECT_FALSE(b.module.empty() && b.what.empty()) << b.shape.text();
        }
        gradients += b.use == BlockUse::activation_gradient;
    }
    EXPECT_GE(gradients, 1u) << "the peak of a training lies in its backward pass";
}

}  // namespace
}  // namespace atrous
