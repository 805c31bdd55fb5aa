// The GPU kernels of global pooling, dropout, nearest resampling, depthwise convolution and the softmax losses against
// the reference: every variant x element type x dense, sliced, odd or misaligned views, gradients overwritten and
// accumulated, and sizes at which loops over tiles and chunks go round more than once.
#include "kernels/depthwise.h"
#include "kernels/dropout.h"
#include "kernels/global_pool.h"
#include "kernels/nearest.h"
#include "kernels/softmax_loss.h"
#include "tests/kernels/cuda_fixture.h"

namespace atrous::kernels {
namespace {

using test::Array;
using test::channels_name;
using test::float_sums;
using test::Layout;
using test::Names;
using test::pointwise_name;
using test::Shape;
using test::Tensor;
using test::wide;
using test::width_name;

constexpr Shape shapes[] = {{1, 1, 1, 1}, {2, 5, 7, 3}, {2, 9, 4, 24}, {1, 6, 10, 136}};

class ModelOpsCuda : public test::CudaTest {
 protected:
    void global_pool(DType t, const Shape& s, Layout l) {
        Tensor x = tensor(s, t, l), y(s.n, 1, 1, s.c, t, l);
        x.integers(random_, 9);
        EXPECT_EQ(gpu_->both(reference::global_pool_forward, {x.reference(), y.reference()}, cuda::global_pool_forward,
                             {x.device(stream()), y.device(stream())}),
                  Names{"global_pool_forward/" + channels_name(s, l, t)});
        y.expect(stream(), "global_pool_forward", 1e-7, 9);  // sums of integers: exact up to the division
        for (bool accumulate : {false, true}) {
            y.integers(random_, 9), x.integers(random_, 9);
            EXPECT_EQ(gpu_->both(reference::global_pool_backward, {y.reference(), {x.reference(), accumulate}},
                                 cuda::global_pool_backward, {y.device(stream()), {x.device(stream()), accumulate}}),
                      Names{"global_pool_backward/" + channels_name(s, l, t)});
            x.expect(stream(), "global_pool_backward", 2e-7);
        }
    }

    void depthwise(DType t, const Shape& s, Layout l, int64_t kernel, const ConvGeometry& g) {
        const int64_t p = g.output_size(s.h, kernel), q = g.output_size(s.w, kernel);
        if (p < 1 || q < 1) return;
        SCOPED_TRACE("kernel " + std::to_string(kernel) + " stride " + std::to_string(g.stride) + " dilation " +
                     std::to_string(g.dilation));
        const std::string width = channels_name(s, l, t);
        Tensor x = tensor(s, t, l), w(1, kernel, kernel, s.c, t), y(s.n, p, q, s.c, t, l);
        Array<float> bias(size_t(s.c), 2), dbias(size_t(s.c), 5);
        x.integers(random_, 3), w.integers(random_, 3);
        EXPECT_EQ(
            gpu_->both(reference::depthwise_forward, {x.reference(), w.reference(), bias.host.data(), y.reference(), g},
                       cuda::depthwise_forward,
                       {x.device(stream()), w.device(stream()), bias.upload(stream()), y.device(stream()), g}),
            Names{"depthwise_forward/" + width});
        y.expect(stream(), "depthwise_forward");
        for (bool accumulate : {false, true}) {
            y.integers(random_, 3), x.integers(random_, 3);
            EXPECT_EQ(gpu_->both(reference::depthwise_backward_input,
                                 {y.reference(), w.reference(), {x.reference(), accumulate}, g},
                                 cuda::depthwise_backward_input,
                                 {y.device(stream()), w.device(stream()), {x.device(stream()), accumulate}, g}),
                      Names{"depthwise_backward_input/" + width});
            x.expect(stream(), "depthwise_backward_input");
            Tensor dw(1, kernel, kernel, s.c, DType::f32);
            x.integers(random_, 3), dw.integers(random_, 3);
            EXPECT_EQ(
                gpu_->both(
                    reference::depthwise_backward_weight,
                    {x.reference(), y.reference(), {dw.reference(), accumulate}, {dbias.host.data(), !accumulate}, g},
                    cuda::depthwise_backward_weight,
                    {x.device(stream()),
                     y.device(stream()),
                     {dw.device(stream()), accumulate},
                     {dbias.upload(stream()), !accumulate},
                     g}),
                Names{"depthwise_backward_weight/" + width});
            dw.expect(stream(), "depthwise_backward_weight");
            dbias.expect(stream(), "dbias");
        }
    }
};

TEST_F(ModelOpsCuda, GlobalPool) {
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) { global_pool(t, s, l); });
    global_pool(DType::f32, {2, 301, 211, 5}, {});
    global_pool(DType::bf16, {1, 128, 190, 40}, {});
}

TEST_F(ModelOpsCuda, Dropout) {
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
        for (bool accumulate : {false, true})
            for (double p : {0.0, 0.5, 0.75, 1.0}) {
                Tensor x = tensor(s, t, l), y = tensor(s, t, l);
                Array<int64_t> step(1, int64_t(1) << 33);
                x.integers(random_, 9), y.integers(random_, 9);
                const uint64_t key = 0x123456789abcdef0;
                EXPECT_EQ(gpu_->both(
                              reference::dropout,
                              {x.reference(), {y.reference(), accumulate}, p, key, 7, step.host.data()}, cuda::dropout,
                              {x.device(stream()), {y.device(stream()), accumulate}, p, key, 7, step.upload(stream())}),
                          Names{"dropout/" + pointwise_name(s, l, wide(t))});
                y.expect(stream(), "dropout");  // twice and four times an integer
            }
    });
}

TEST_F(ModelOpsCuda, Nearest) {
    for (const auto& [p, q] : {std::pair<int64_t, int64_t>{1, 1}, {13, 11}, {2, 31}, {20, 3}})
        for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
            SCOPED_TRACE("to " + std::to_string(p) + 'x' + std::to_string(q));
            Tensor x = tensor(s, t, l), y(s.n, p, q, s.c, t, l);
            x.integers(random_, 9);
            EXPECT_EQ(gpu_->both(reference::nearest_forward, {x.reference(), y.reference()}, cuda::nearest_forward,
                                 {x.device(stream()), y.device(stream())}),
                      Names{"nearest_forward/" + channels_name(s, l, t)});
            y.expect(stream(), "nearest_forward");
            for (bool accumulate : {false, true}) {
                y.integers(random_, 3), x.integers(random_, 9);
                EXPECT_EQ(gpu_->both(reference::nearest_backward, {y.reference(), {x.reference(), accumulate}},
                                     cuda::nearest_backward, {y.device(stream()), {x.device(stream()), accumulate}}),
                          Names{"nearest_backward/" + channels_name(s, l, t)});
                x.expect(stream(), "nearest_backward");
            }
        });
}

// Every pair of sizes up to a hundred: whoever reads an input is found whatever the rounding of the scale.
TEST_F(ModelOpsCuda, NearestFindsEveryReader) {
    for (int64_t in = 1; in <= 100; in += 3)
        for (int64_t out : {1, 2, 7, 41, 82, 99, 123}) {
            Tensor x(1, 1, in, 1, DType::f32), y(1, 1, out, 1, DType::f32);
            y.integers(random_, 9);
            gpu_->both(reference::nearest_backward, {y.reference(), {x.reference(), false}}, cuda::nearest_backward,
                       {y.device(stream()), {x.device(stream()), false}});
            x.expect(stream(), ("from " + std::to_string(in) + " to " + std::to_string(out)).c_str());
        }
}

TEST_F(ModelOpsCuda, Depthwise) {
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
        depthwise(t, s, l, 3, {.padding = 1});
        depthwise(t, s, l, 3, {.stride = 2, .padding = 2, .dilation = 2});
    });
    depthwise(DType::f32, {2, 61, 67, 5}, {}, 3, {.padding = 1});
    depthwise(DType::bf16, {1, 64, 48, 40}, {}, 5, {.padding = 2});
}

// ---- softmax losses ----

class SoftmaxLossCuda : public ModelOpsCuda {
 protected:
    static std::string loss_name(const Shape& s, Layout l, DType t) {
        const bool fits = s.h * s.w * s.c % wide(t) == 0 && l.gap == 0 && l.shift == 0;
        return width_name(fits ? wide(t) : 1);
    }
    void check(DType t, const Shape& s, Layout l, const SoftmaxLossOptions& options, bool accumulate,
               double deviation) {
        const int64_t classes = std::max<int64_t>(2, s.c);
        Tensor logits = tensor(s, t, l), dlogits = tensor(s, t, l);
        Array<uint8_t> label = labels(s);
        Array<int64_t> counts(size_t(s.n * classes));
        Array<float> sums(size_t(s.n * (1 + 2 * classes))), loss(4), grad(1, 0.75f), weights{size_t(classes)};
        for (float& w : weights.host) w = float(random_.uniform(0.5, 2));
        logits.normal(random_, 0, deviation), dlogits.normal(random_, 0, 0.01);
        const View device_logits = logits.device(stream());
        const uint8_t* const device_labels = label.upload(stream());
        const float* const device_weights = weights.upload(stream());
        float* const device_sums = sums.upload(stream());
        int64_t* const device_counts = counts.upload(stream());
        EXPECT_EQ(gpu_->both(reference::softmax_loss_forward,
                             {logits.reference(), label.host.data(), weights.host.data(), sums.host.data(),
                              counts.host.data(), loss.host.data(), options},
                             cuda::softmax_loss_forward,
                             {device_logits, device_labels, device_weights, device_sums, device_counts,
                              loss.upload(stream()), options}),
                  Names{"softmax_loss_forward/" + loss_name(s, l, t)});
        sums.expect(stream(), "sums", float_sums);
        counts.expect(stream(), "counts");
        loss.expect(stream(), "loss", float_sums);
        EXPECT_EQ(gpu_->both(reference::softmax_loss_backward,
                             {logits.reference(),
                              label.host.data(),
                              weights.host.data(),
                              sums.host.data(),
                              counts.host.data(),
                              grad.host.data(),
                              {dlogits.reference(), accumulate},
                              options},
                             cuda::softmax_loss_backward,
                             {device_logits,
                              device_labels,
                              device_weights,
                              device_sums,
                              device_counts,
                              grad.upload(stream()),
                              {dlogits.device(stream()), accumulate},
                              options}),
                  Names{"softmax_loss_backward/" + loss_name(s, l, t)});
        dlogits.expect(stream(), "dlogits", float_sums, 0.75 / double(s.n * s.h * s.w));
    }
};

TEST_F(SoftmaxLossCuda, EveryVariantAndGrouping) {
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
        for (DiceGroups groups : {DiceGroups::batch, DiceGroups::sample, DiceGroups::all}) {
            SoftmaxLossOptions options{.ce_weight = 0.7, .region_weight = 1.3, .groups = groups};
            check(t, s, l, options, false, 3);
            options.gamma = 2, options.alpha = 0.3, options.beta = 0.7, options.exponent = 0.75;
            options.normalizer = 100, options.background = false, options.ignore_index = -1;
            check(t, s, l, options, true, 3);
        }
    });
}

// Tiles of 256, 128, 64 and 32 pixels, several a block, cut off at the end; the most classes there can be.
TEST_F(SoftmaxLossCuda, ManyPixelsManyClassesAndExtremeLogits) {
    const SoftmaxLossOptions options{.region_weight = 1};
    for (const Shape& s : {Shape{2, 97, 89, 2}, {1, 53, 61, 21}, {2, 23, 31, 33}, {1, 19, 29, 100}, {1, 7, 13, 256}})
        check(DType::f32, s, {}, options, false, 3);
    check(DType::bf16, {1, 96, 80, 19}, {}, options, false, 3);
    check(DType::f32, {1100, 16, 17, 2}, {}, options, false, 3);  // more images than blocks are wanted
    check(DType::f32, {2, 33, 47, 5}, {}, options, false, 60);    // beyond where exp(z) overflows
}

// Confident and right everywhere: each term is 4e-9, far below the spacing of floats at 1, and none may be lost.
TEST_F(SoftmaxLossCuda, KeepsTinyTerms) {
    Tensor logits(1, 32, 32, 3, DType::f32), dlogits(1, 32, 32, 3, DType::f32);
    for (size_t i = 0; i < logits.host.size(); ++i) logits.host[i] = i % 3 == 1 ? 20.0f : 0.0f;
    Array<uint8_t> label(1024, 1);
    Array<int64_t> counts(3);
    Array<float> sums(7), loss(4), grad(1, 1.0f);
    const SoftmaxLossOptions options;
    const View device_logits = logits.device(stream());
    const uint8_t* const device_labels = label.upload(stream());
    float* const device_sums = sums.upload(stream());
    int64_t* const device_counts = counts.upload(stream());
    gpu_->both(reference::softmax_loss_forward,
               {logits.reference(), label.host.data(), nullptr, sums.host.data(), counts.host.data(), loss.host.data(),
                options},
               cuda::softmax_loss_forward,
               {device_logits, device_labels, nullptr, device_sums, device_counts, loss.upload(stream()), options});
    const double wanted = std::log1p(2 * std::exp(-20.0));
    EXPECT_NEAR(loss.download(stream(), "loss")[1], wanted, 1e-5 * wanted);
    gpu_->both(reference::softmax_loss_backward,
               {logits.reference(),
                label.host.data(),
                nullptr,
                sums.host.data(),
                counts.host.data(),
                grad.host.data(),
                {dlogits.reference(), false},
                options},
               cuda::softmax_loss_backward,
               {device_logits,
                device_labels,
                nullptr,
                device_sums,
                device_counts,
                grad.upload(stream()),
                {dlogits.device(stream()), false},
                options});
    dlogits.expect(stream(), "dlogits", 1e-5);
}

}  // namespace
}  // namespace atrous::kernels
