// Loss, metrics and optimizer kernels on the GPU against the reference: every variant x element type x aligned, sliced,
// odd or misaligned views. Counts must be equal; the stated tolerances cover float arithmetic at the test's sizes.
#include "kernels/loss.h"
#include "kernels/metrics.h"
#include "kernels/optim.h"
#include "tests/kernels/cuda_fixture.h"

namespace atrous::kernels {
namespace {

using test::Array;
using test::channels_name;
using test::Layout;
using test::Names;
using test::Shape;
using test::Tensor;
using test::width_name;

constexpr Shape shapes[] = {{1, 1, 1, 1}, {2, 16, 24, 1}, {3, 5, 7, 1},  {2, 9, 5, 3},
                            {2, 4, 5, 8}, {2, 9, 13, 22}, {1, 6, 10, 64}};

using TrainingCuda = test::CudaTest;

// ---- loss ----

// Vectors of `width` classes, or of pixels where there is one class.
std::string loss_name(const Shape& s, Layout l, int width, LabelForm form) {
    const bool plain = l.gap == 0 && l.shift == 0;
    if (form == LabelForm::bits)
        return "bits_" + (s.c % width == 0 && l.gap % width == 0 && l.shift == 0 ? width_name(width) : "scalar");
    if (s.c == 1 && plain && s.h * s.w % width == 0) return "single_" + width_name(width);
    return s.c % width == 0 && l.gap % width == 0 && l.shift == 0 ? width_name(width) : "scalar";
}

class BceDiceCuda : public TrainingCuda {
 protected:
    void check(DType t, const Shape& s, Layout l, const BceDiceOptions& options, bool accumulate, double deviation) {
        Tensor logits(s.n, s.h, s.w, s.c, t, l), dlogits(s.n, s.h, s.w, s.c, t, l);
        Shape drawn = s;  // with as many values as labels in bits have
        if (options.labels == LabelForm::bits) drawn.c = label_values(LabelForm::bits, s.c);
        Array<uint8_t> label = labels(drawn);
        Array<float> sums(size_t(s.n * s.c * bce_dice_sums)), loss(4), grad(1, 0.75f);
        logits.normal(random_, 0, deviation), dlogits.normal(random_, 0, 0.01);
        const View device_logits = logits.device(stream());
        const uint8_t* const device_labels = label.upload(stream());
        float* const device_sums = sums.upload(stream());
        EXPECT_EQ(gpu_->both(reference::bce_dice_forward,
                             {logits.reference(), label.host.data(), sums.host.data(), loss.host.data(), options},
                             cuda::bce_dice_forward,
                             {device_logits, device_labels, device_sums, loss.upload(stream()), options}),
                  Names{"bce_dice_forward/" + loss_name(s, l, 8 / int(size_of(t)), options.labels)});
        sums.expect(stream(), "sums", 2e-6);
        loss.expect(stream(), "loss", 2e-6);
        EXPECT_EQ(gpu_->both(reference::bce_dice_backward,
                             {logits.reference(),
                              label.host.data(),
                              sums.host.data(),
                              grad.host.data(),
                              {dlogits.reference(), accumulate},
                              options},
                             cuda::bce_dice_backward,
                             {device_logits,
                              device_labels,
                              device_sums,
                              grad.upload(stream()),
                              {dlogits.device(stream()), accumulate},
                              options}),
                  Names{"bce_dice_backward/" + loss_name(s, l, 16 / int(size_of(t)), options.labels)});
        const double one_element = grad.host[0] * options.bce_weight / double(logits.host.size());
        dlogits.expect(stream(), "dlogits", 2e-6, one_element);
    }
};

TEST_F(BceDiceCuda, EveryVariantAndGrouping) {
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
        for (DiceGroups groups : {DiceGroups::batch, DiceGroups::sample, DiceGroups::all})
            for (bool accumulate : {false, true})
                check(t, s, l, {0.7, 1.3, 1, accumulate ? 100.0 : 0.0, groups, accumulate ? -1 : 255}, accumulate, 4);
    });
}

TEST_F(BceDiceCuda, LabelsInBits) {
    constexpr Shape few_classes[] = {{3, 5, 7, 1}, {2, 16, 24, 2}, {2, 9, 5, 3}, {2, 4, 5, 4}, {2, 33, 29, 7}};
    for_each_case(few_classes, [&](DType t, const Shape& s, Layout l) {
        for (bool accumulate : {false, true}) {
            BceDiceOptions o{.bce_weight = 0.7,
                             .dice_weight = 1.3,
                             .labels = LabelForm::bits,
                             .weights = {2, 0.5, 3, 0.25, 1.5, 0.75, 4}};
            check(t, s, l, o, accumulate, 4);
            o.gamma = 2, o.alpha = 0.3, o.beta = 0.7, o.exponent = 0.75;
            check(t, s, l, o, accumulate, 4);
        }
    });
}

TEST_F(BceDiceCuda, ManyPixelsAndExtremeLogits) {
    check(DType::f32, {2, 97, 89, 1}, {}, {}, false, 2);
    check(DType::bf16, {1, 256, 256, 1}, {}, {}, false, 2);
    check(DType::f32, {2, 33, 47, 5}, {}, {}, false, 60);  // beyond where exp(z) overflows
}

// Confident and right everywhere: each term is 2e-9, far below the spacing of floats at 1, and none may be lost.
TEST_F(BceDiceCuda, KeepsTinyTerms) {
    Tensor logits(1, 32, 32, 1, DType::f32);
    std::fill(logits.host.begin(), logits.host.end(), 20.0f);
    Array<uint8_t> label(1024, 1);
    Array<float> sums(bce_dice_sums), loss(4);
    gpu_->both(reference::bce_dice_forward,
               {logits.reference(), label.host.data(), sums.host.data(), loss.host.data(), {}}, cuda::bce_dice_forward,
               {logits.device(stream()), label.upload(stream()), sums.upload(stream()), loss.upload(stream()), {}});
    const float found = loss.download(stream(), "loss")[1];
    EXPECT_NEAR(found, std::log1p(std::exp(-20.0)), 1e-5 * std::exp(-20.0));
}

TEST_F(BceDiceCuda, NothingCounted) {
    Tensor logits(2, 3, 5, 3, DType::f32), dlogits(2, 3, 5, 3, DType::f32);
    logits.integers(random_, 3);
    Array<uint8_t> label(30, 255);
    Array<float> sums(6 * bce_dice_sums), loss(4), grad(1, 1.0f);
    for (double smooth : {0.0, 1.0}) {
        BceDiceOptions options;
        options.smooth = smooth;
        const View device_logits = logits.device(stream());
        const uint8_t* const device_labels = label.upload(stream());
        float* const device_sums = sums.upload(stream());
        gpu_->both(reference::bce_dice_forward,
                   {logits.reference(), label.host.data(), sums.host.data(), loss.host.data(), options},
                   cuda::bce_dice_forward, {device_logits, device_labels, device_sums, loss.upload(stream()), options});
        sums.expect(stream(), "sums");
        loss.expect(stream(), "loss");
        gpu_->both(reference::bce_dice_backward,
                   {logits.reference(),
                    label.host.data(),
                    sums.host.data(),
                    grad.host.data(),
                    {dlogits.reference(), false},
                    options},
                   cuda::bce_dice_backward,
                   {device_logits,
                    device_labels,
                    device_sums,
                    grad.upload(stream()),
                    {dlogits.device(stream()), false},
                    options});
        dlogits.expect(stream(), "dlogits");
    }
}

// ---- metrics ----

TEST_F(TrainingCuda, Confusion) {
    const auto check = [&](DType t, const Shape& s, Layout l, double threshold, int ignore) {
        Tensor logits(s.n, s.h, s.w, s.c, t, l);
        Array<uint8_t> label = labels(s);
        const int64_t classes = s.c == 1 ? 2 : s.c;
        Array<int64_t> counts(size_t(classes * classes), 3);
        logits.integers(random_, 2);  // ties: the first maximum is predicted
        logits.host[0] = logits.host[logits.host.size() / 2] = std::nanf("");
        EXPECT_EQ(
            gpu_->both(reference::confusion,
                       {logits.reference(), label.host.data(), counts.host.data(), threshold, ignore}, cuda::confusion,
                       {logits.device(stream()), label.upload(stream()), counts.upload(stream()), threshold, ignore}),
            Names{"confusion/" + channels_name(s, l, t)});
        counts.expect(stream(), "counts");
    };
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
        for (double threshold : {0.0, 1.0, 0.1}) check(t, s, l, threshold, threshold == 0 ? 255 : -1);
    });
    check(DType::f32, {1, 97, 89, 2}, {}, 0, 255);
    check(DType::f32, {1, 5, 5, 120}, {}, 0, 255);  // too many counters for shared memory
}

// ---- optimizers ----

struct ArenaCase {
    bool aligned, half;
    DType half_type;
};

// An arena of some chunks, whole and ragged, with gaps between them that nothing may touch.
class OptimizerCuda : public TrainingCuda {
 protected:
    void reset(ArenaCase c) {
        case_ = c;
        chunks_ = Array<OptimChunk>();
        const int32_t counts[] = {4096, 4095, 1, 7, 1024, 64};
        int64_t begin = c.aligned ? 0 : 1;
        for (int32_t count : counts) {
            chunks_.host.push_back({begin, count, int32_t(chunks_.host.size() % 3)});
            begin += (count + 7) / 8 * 8;
        }
        const size_t size = size_t(begin);
        for (Array<float>* a : {&parameters_, &gradients_, &moment1_, &moment2_}) *a = Array<float>(size);
        for (size_t i = 0; i < size; ++i) {
            parameters_.host[i] = float(random_.normal()), gradients_.host[i] = float(random_.normal() * 1e-2 * 1024);
            moment1_.host[i] = float(random_.normal()), moment2_.host[i] = float(random_.uniform(0, 1));
        }
        half_ = Array<uint16_t>(size, 0x1234);
        state_ = Array<StepState>(1);
        state_.host[0].learning_rate = 1e-2, state_.host[0].loss_scale = 1024, state_.host[0].step = 3;
    }
    Arena arena(bool device) {
        Arena a;
        const auto put = [&](auto& array) { return device ? array.upload(stream()) : array.host.data(); };
        a.parameters = put(parameters_), a.gradients = put(gradients_), a.moment1 = put(moment1_),
        a.moment2 = put(moment2_);
        if (case_.half) a.half = put(half_), a.half_dtype = case_.half_type;
        a.count = int64_t(parameters_.host.size()), a.chunks = put(chunks_),
        a.chunk_count = int64_t(chunks_.host.size());
        a.groups[0] = {0, 1}, a.groups[1] = {0.1, 0.5}, a.groups[2] = {0.01, 2};
        return a;
    }
    // The moments' and parameters' rounding; the copy is of the device's own parameters, rounded once.
    void expect_arena() {
        parameters_.expect(stream(), "parameters", 1e-6);
        moment1_.expect(stream(), "moment1", 1e-6);
        moment2_.expect(stream(), "moment2", 1e-6);
        if (!case_.half) return;
        const std::vector<float> p = parameters_.download(stream(), "parameters");
        for (const OptimChunk& chunk : chunks_.host)
            for (int64_t i = chunk.begin; i < chunk.begin + chunk.count; ++i)
                half_.host[size_t(i)] = half_before_ != 0                ? half_before_
                                        : case_.half_type == DType::bf16 ? round_to<bf16>(p[size_t(i)]).bits
                                                                         : round_to<f16>(p[size_t(i)]).bits;
        half_.expect(stream(), "half-precision copy");
    }
    template <class Args>
    void step(void (*reference)(Queue&, const Args&), void (*own)(Queue&, const Args&), Args options,
              const char* name) {
        Args host = options, device = options;
        device.arena = arena(true), host.arena = arena(false);
        device.state = state_.upload(stream()), host.state = state_.host.data();
        EXPECT_EQ(gpu_->both(reference, host, own, device), Names{std::string(name) + "/vec4"});
        expect_arena();
        gpu_->scratch.blocks.clear();
    }
    template <class Optimizer>
    void every_arena(Optimizer run) {
        for (ArenaCase c :
             {ArenaCase{true, false, DType::bf16}, {true, true, DType::bf16}, {false, true, DType::f16}}) {
            SCOPED_TRACE(std::string(c.aligned ? "aligned" : "odd") + (c.half ? name_of(c.half_type) : ""));
            reset(c), run();
            reset(c), state_.host[0].step = 0, state_.host[0].clip_factor = 0.25, run();
            reset(c), state_.host[0].found_nonfinite = 1, half_before_ = 0x1234, run();
            half_before_ = 0;
        }
    }
    ArenaCase case_{};
    Array<OptimChunk> chunks_;
    Array<float> parameters_, gradients_, moment1_, moment2_;
    Array<uint16_t> half_;
    uint16_t half_before_ = 0;
    Array<StepState> state_;
};

TEST_F(OptimizerCuda, Adam) {
    for (bool decoupled : {false, true})
        every_arena([&] {
            step<AdamArgs>(reference::adam_step, cuda::adam_step, {{}, nullptr, 0.9, 0.999, 1e-8, decoupled},
                           "adam_step");
        });
}

TEST_F(OptimizerCuda, Sgd) {
    for (double momentum : {0.0, 0.9})
        for (bool nesterov : {false, true})
            every_arena([&] {
                step<SgdArgs>(reference::sgd_step, cuda::sgd_step, {{}, nullptr, momentum, nesterov}, "sgd_step");
            });
}

TEST_F(OptimizerCuda, Rmsprop) {
    for (double momentum : {0.0, 0.9})
        every_arena([&] {
            step<RmspropArgs>(reference::rmsprop_step, cuda::rmsprop_step, {{}, nullptr, 0.9, 1e-8, momentum},
                              "rmsprop_step");
        });
}

// A misaligned base pointer: the slow path.
TEST_F(OptimizerCuda, MisalignedArena) {
    reset({true, true, DType::bf16});
    AdamArgs host, device;
    host.arena = arena(false), device.arena = arena(true);
    for (Arena* a : {&host.arena, &device.arena}) {
        for (void** p : {&a->parameters, &a->gradients, &a->moment1, &a->moment2}) *p = static_cast<float*>(*p) + 1;
        a->half = static_cast<uint16_t*>(a->half) + 1;
        --a->chunk_count;  // the last chunk ends where the arena ends
    }
    host.state = state_.host.data(), device.state = state_.upload(stream());
    EXPECT_EQ(gpu_->both(reference::adam_step, host, cuda::adam_step, device), Names{"adam_step/scalar"});
    parameters_.expect(stream(), "parameters", 1e-6);
    moment2_.expect(stream(), "moment2", 1e-6);
    GradStatisticsArgs host_norm{host.arena, state_.host.data(), 0},
        device_norm{device.arena, state_.upload(stream()), 0};
    EXPECT_EQ(gpu_->both(reference::grad_statistics, host_norm, cuda::grad_statistics, device_norm),
              Names{"grad_statistics/scalar"});
    EXPECT_NEAR(state_.download(stream(), "state")[0].grad_norm, state_.host[0].grad_norm,
                1e-12 * state_.host[0].grad_norm);
}

TEST_F(OptimizerCuda, GradStatistics) {
    for (double max_norm : {0.0, 1.0, 1e9})
        for (float extreme : {0.0f, 3e38f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
            SCOPED_TRACE("max_norm " + std::to_string(max_norm) + " extreme " + std::to_string(extreme));
            reset({true, false, DType::bf16});
            gradients_.host[4096 + 4094] = extreme;
            gradients_.host.back() = std::nanf("");  // padding behind the last chunk is not looked at
            chunks_.host.back().count = 63;
            GradStatisticsArgs host{arena(false), state_.host.data(), max_norm},
                device{arena(true), state_.upload(stream()), max_norm};
            EXPECT_EQ(gpu_->both(reference::grad_statistics, host, cuda::grad_statistics, device),
                      Names{"grad_statistics/vec4"});
            const StepState found = state_.download(stream(), "state")[0], wanted = state_.host[0];
            EXPECT_EQ(found.found_nonfinite, wanted.found_nonfinite);
            if (wanted.found_nonfinite) continue;
            EXPECT_NEAR(found.grad_norm, wanted.grad_norm, 1e-12 * wanted.grad_norm);  // double sums
            EXPECT_NEAR(found.clip_factor, wanted.clip_factor, 1e-12);
            EXPECT_EQ(found.step, wanted.step);
        }
}

}  // namespace
}  // namespace atrous::kernels
