// What a contract refuses, every implementation refuses in the same words and before it does anything: a mistake of the
// caller shows on every device alike. The checks stand in kernels/*.h; no work is done here, and no GPU is needed.
#include <gtest/gtest.h>

#include <cmath>
#include <list>
#include <source_location>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/activation.h"
#include "kernels/augment.h"
#include "kernels/boundary.h"
#include "kernels/class_slopes.h"
#include "kernels/conv_transpose.h"
#include "kernels/depthwise.h"
#include "kernels/dropout.h"
#include "kernels/elementwise.h"
#include "kernels/global_pool.h"
#include "kernels/hard_pixels.h"
#include "kernels/lovasz.h"
#include "kernels/metrics.h"
#include "kernels/nearest.h"
#include "kernels/norm.h"
#include "kernels/normalize.h"
#include "kernels/pool.h"
#include "kernels/resize.h"
#include "kernels/softmax_loss.h"
#include "kernels/step_log.h"
#include "kernels/weight_average.h"
#include "kernels/window.h"

namespace atrous::kernels {
namespace {

// Zeros that nothing else lies in.
class Memory : public Scratch {
 public:
    void* take(size_t bytes) override { return blocks_.emplace_back(bytes / sizeof(double) + 512).data(); }
    template <class T>
    T* some() {
        return static_cast<T*>(take(0));
    }
    View view(int64_t n, int64_t h, int64_t w, int64_t c) { return {take(0), DType::f32, n, h, w, c, c}; }

 private:
    std::list<std::vector<double>> blocks_;
};

template <class Args>
using Function = void (*)(Queue&, const Args&);

template <class Args>
struct Mistake {
    const char* what;
    void (*make)(Args&);
};

template <class F>
std::string refusal(F f) {
    try {
        f();
    } catch (const ShapeError& e) {
        return e.what();
    }
    return "nothing";
}

struct Contracts : testing::Test {
    Memory memory;
    Queue queue{gpu::StreamView::dry_run(), memory, 1};

    template <class Args>
    void expect_refused(Function<Args> reference, Function<Args> cpu, Function<Args> cuda,
                        const std::type_identity_t<Args>& good,
                        const std::vector<Mistake<std::type_identity_t<Args>>>& mistakes,
                        std::source_location from = std::source_location::current()) {
        EXPECT_EQ(refusal([&] { check(good); }), "nothing");
        for (const auto& mistake : mistakes) {
            const testing::ScopedTrace trace(from.file_name(), int(from.line()), mistake.what);
            Args bad = good;
            mistake.make(bad);
            const std::string words = refusal([&] { check(bad); });
            EXPECT_NE(words, "nothing");
            EXPECT_EQ(refusal([&] { reference(queue, bad); }), words) << "reference";
            EXPECT_EQ(refusal([&] { cpu(queue, bad); }), words) << "cpu";
            EXPECT_EQ(refusal([&] { cuda(queue, bad); }), words) << "cuda";
        }
    }
    View view(int64_t n, int64_t h, int64_t w, int64_t c) { return memory.view(n, h, w, c); }
    template <class T = float>
    T* some() {
        return memory.some<T>();
    }
};

TEST_F(Contracts, Activations) {
    const View v = view(2, 3, 5, 8);
    const std::vector<Mistake<ActivationArgs>> forward{{"another height", [](auto& a) { a.y.h = 4; }},
                                                       {"another type", [](auto& a) { a.y.dtype = DType::f64; }}};
    const std::vector<Mistake<ActivationBackwardArgs>> backward{
        {"y of other channels", [](auto& a) { a.y.c = 7; }},
        {"dx of another type", [](auto& a) { a.dx.view.dtype = DType::f64; }}};
    expect_refused(reference::relu, cpu::relu, cuda::relu, {v, v}, forward);
    expect_refused(reference::sigmoid, cpu::sigmoid, cuda::sigmoid, {v, v}, forward);
    expect_refused(reference::relu_backward, cpu::relu_backward, cuda::relu_backward, {v, v, {v}}, backward);
    expect_refused(reference::sigmoid_backward, cpu::sigmoid_backward, cuda::sigmoid_backward, {v, v, {v}}, backward);
}

TEST_F(Contracts, ImagesFromBytes) {
    View bytes = view(2, 3, 5, 3);
    bytes.dtype = DType::u8;
    const View y = view(2, 3, 5, 3);
    expect_refused(reference::normalize_bytes, cpu::normalize_bytes, cuda::normalize_bytes, {bytes, some(), 3, y},
                   {{"x of floats", [](auto& a) { a.x.dtype = DType::f32; }},
                    {"another width", [](auto& a) { a.y.w = 4; }},
                    {"a slice", [](auto& a) { a.y.pitch = 8; }},
                    {"no levels", [](auto& a) { a.levels = nullptr; }},
                    {"levels of no kind", [](auto& a) { a.kinds = 0; }}});
    AugmentArgs augment;
    augment.sources = augment.source_labels = augment.labels = some<uint8_t>();
    augment.samples = some<AugmentedSample>(), augment.filters = some<int32_t>(), augment.levels = some();
    augment.y = y;
    expect_refused(reference::augment, cpu::augment, cuda::augment, augment,
                   {{"no sources", [](auto& a) { a.sources = nullptr; }},
                    {"no filters", [](auto& a) { a.filters = nullptr; }},
                    {"no labels", [](auto& a) { a.labels = nullptr; }},
                    {"a slice", [](auto& a) { a.y.pitch = 8; }},
                    {"17 channels", [](auto& a) { a.y.c = a.y.pitch = 17; }},
                    {"65536 images", [](auto& a) { a.y.n = 65536; }},
                    {"levels of 17 kinds", [](auto& a) { a.kinds = 17; }}});
}

TEST_F(Contracts, CopyAddFill) {
    const View v = view(2, 3, 5, 8);
    expect_refused(reference::copy, cpu::copy, cuda::copy, {v, {v}},
                   {{"another width", [](auto& a) { a.y.view.w = 4; }}});
    expect_refused(reference::add, cpu::add, cuda::add, {v, v, v},
                   {{"b of another batch", [](auto& a) { a.b.n = 1; }},
                    {"y of another type", [](auto& a) { a.y.dtype = DType::f64; }}});
    expect_refused(
        reference::fill, cpu::fill, cuda::fill, {some(), DType::f32, 3, 1},
        {{"no elements", [](auto& a) { a.y = nullptr; }}, {"a negative count", [](auto& a) { a.count = -1; }}});
}

TEST_F(Contracts, Convolution) {
    const ConvGeometry g{2, 1, 1};
    const View x = view(1, 7, 9, 8), w = view(16, 3, 3, 8), y = view(1, 4, 5, 16);
    expect_refused(reference::conv_forward, cpu::conv_forward, cuda::conv_forward, {x, w, nullptr, y, g},
                   {{"stride 0", [](auto& a) { a.geometry.stride = 0; }},
                    {"dilation 0", [](auto& a) { a.geometry.dilation = 0; }},
                    {"negative padding", [](auto& a) { a.geometry.padding = -1; }},
                    {"weights for other channels", [](auto& a) { a.w.c = a.w.pitch = 4; }},
                    {"y of other channels", [](auto& a) { a.y.c = a.y.pitch = 8; }},
                    {"y of another batch", [](auto& a) { a.y.n = 2; }},
                    {"y of another height", [](auto& a) { a.y.h = 3; }},
                    {"no images", [](auto& a) { a.x.n = a.y.n = 0; }},
                    {"y of another type", [](auto& a) { a.y.dtype = DType::f64; }},
                    {"pitched weights", [](auto& a) { a.w.pitch = 16; }},
                    {"weights of another type", [](auto& a) { a.w.dtype = DType::f64; }}});
    expect_refused(reference::conv_backward_input, cpu::conv_backward_input, cuda::conv_backward_input, {y, w, {x}, g},
                   {{"dx of another width", [](auto& a) { a.dx.view.w = 11; }},
                    {"stride 0", [](auto& a) { a.geometry.stride = 0; }},
                    {"weights of another type", [](auto& a) { a.w.dtype = DType::f64; }}});
    expect_refused(reference::conv_backward_weight, cpu::conv_backward_weight, cuda::conv_backward_weight,
                   {x, y, {w}, {some()}, g},
                   {{"dy of another width", [](auto& a) { a.dy.w = 6; }},
                    {"stride 0", [](auto& a) { a.geometry.stride = 0; }},
                    {"dw not of accumulator type", [](auto& a) { a.dw.view.dtype = DType::bf16; }},
                    {"pitched dw", [](auto& a) { a.dw.view.pitch = 16; }}});
}

TEST_F(Contracts, TransposedConvolution) {
    const View x = view(1, 3, 5, 8), w = view(2, 2, 16, 8), y = view(1, 6, 10, 16);
    expect_refused(reference::conv_transpose_forward, cpu::conv_transpose_forward, cuda::conv_transpose_forward,
                   {x, w, nullptr, y},
                   {{"a kernel of 3", [](auto& a) { a.w.h = 3; }},
                    {"pitched weights", [](auto& a) { a.w.pitch = 16; }},
                    {"weights for other channels", [](auto& a) { a.w.c = a.w.pitch = 4; }},
                    {"y of another batch", [](auto& a) { a.y.n = 2; }},
                    {"y of another height", [](auto& a) { a.y.h = 5; }},
                    {"no images", [](auto& a) { a.x.n = a.y.n = 0; }},
                    {"y of another type", [](auto& a) { a.y.dtype = DType::f64; }},
                    {"weights of another type", [](auto& a) { a.w.dtype = DType::f64; }}});
    expect_refused(reference::conv_transpose_backward_input, cpu::conv_transpose_backward_input,
                   cuda::conv_transpose_backward_input, {y, w, {x}},
                   {{"dx of another width", [](auto& a) { a.dx.view.w = 4; }},
                    {"weights of another type", [](auto& a) { a.w.dtype = DType::f64; }}});
    expect_refused(reference::conv_transpose_backward_weight, cpu::conv_transpose_backward_weight,
                   cuda::conv_transpose_backward_weight, {x, y, {w}, {some()}},
                   {{"dw of other channels", [](auto& a) { a.dw.view.w = 8; }},
                    {"dw not of accumulator type", [](auto& a) { a.dw.view.dtype = DType::bf16; }}});
}

TEST_F(Contracts, DepthwiseConvolution) {
    const ConvGeometry g{1, 1, 1};
    const View x = view(2, 5, 7, 8), w = view(1, 3, 3, 8);
    expect_refused(reference::depthwise_forward, cpu::depthwise_forward, cuda::depthwise_forward, {x, w, nullptr, x, g},
                   {{"stride 0", [](auto& a) { a.geometry.stride = 0; }},
                    {"several kernels", [](auto& a) { a.w.n = 2; }},
                    {"y of other channels", [](auto& a) { a.y.c = 4; }},
                    {"y of another height", [](auto& a) { a.y.h = 3; }},
                    {"weights of another type", [](auto& a) { a.w.dtype = DType::f64; }}});
    expect_refused(reference::depthwise_backward_input, cpu::depthwise_backward_input, cuda::depthwise_backward_input,
                   {x, w, {x}, g},
                   {{"dx of another width", [](auto& a) { a.dx.view.w = 8; }},
                    {"weights of another type", [](auto& a) { a.w.dtype = DType::f64; }}});
    expect_refused(reference::depthwise_backward_weight, cpu::depthwise_backward_weight,
                   cuda::depthwise_backward_weight, {x, x, {w}, {some()}, g},
                   {{"dy of another batch", [](auto& a) { a.dy.n = 1; }},
                    {"pitched dw", [](auto& a) { a.dw.view.pitch = 16; }},
                    {"dw not of accumulator type", [](auto& a) { a.dw.view.dtype = DType::bf16; }}});
}

TEST_F(Contracts, Dropout) {
    const View v = view(2, 3, 5, 8);
    expect_refused(reference::dropout, cpu::dropout, cuda::dropout, {v, {v}},
                   {{"another width", [](auto& a) { a.y.view.w = 4; }},
                    {"p below 0", [](auto& a) { a.p = -0.1; }},
                    {"p above 1", [](auto& a) { a.p = 1.1; }},
                    {"p no number", [](auto& a) { a.p = std::nan(""); }}});
}

TEST_F(Contracts, Pooling) {
    const View x = view(2, 6, 8, 8), half = view(2, 3, 4, 8), one = view(2, 1, 1, 8);
    expect_refused(reference::global_pool_forward, cpu::global_pool_forward, cuda::global_pool_forward, {x, one},
                   {{"y of two rows", [](auto& a) { a.y.h = 2; }}, {"no pixels", [](auto& a) { a.x.h = 0; }}});
    expect_refused(reference::global_pool_backward, cpu::global_pool_backward, cuda::global_pool_backward, {one, {x}},
                   {{"dx of another type", [](auto& a) { a.dx.view.dtype = DType::f64; }}});
    expect_refused(reference::max_pool_forward, cpu::max_pool_forward, cuda::max_pool_forward, {x, half, nullptr, {}},
                   {{"a kernel of 16", [](auto& a) { a.geometry.kernel = 16; }},
                    {"stride 0", [](auto& a) { a.geometry.stride = 0; }},
                    {"more padding than half the kernel", [](auto& a) { a.geometry.padding = 2; }},
                    {"a window that does not fit", [](auto& a) { a.geometry.kernel = 7; }},
                    {"y of other channels", [](auto& a) { a.y.c = 4; }},
                    {"y of another width", [](auto& a) { a.y.w = 3; }}});
    expect_refused(reference::max_pool_backward, cpu::max_pool_backward, cuda::max_pool_backward,
                   {half, some<uint8_t>(), {x}, {}},
                   {{"no indices", [](auto& a) { a.indices = nullptr; }},
                    {"dx of another height", [](auto& a) { a.dx.view.h = 9; }}});
}

TEST_F(Contracts, Resampling) {
    const View x = view(2, 3, 4, 8), y = view(2, 5, 7, 8);
    expect_refused(reference::nearest_forward, cpu::nearest_forward, cuda::nearest_forward, {x, y},
                   {{"y of other channels", [](auto& a) { a.y.c = 4; }},
                    {"no rows", [](auto& a) { a.x.h = 0; }},
                    {"a width of 2^24", [](auto& a) { a.x.w = int64_t(1) << 24; }}});
    expect_refused(reference::nearest_backward, cpu::nearest_backward, cuda::nearest_backward, {y, {x}},
                   {{"dx of another batch", [](auto& a) { a.dx.view.n = 1; }}});
    expect_refused(reference::bilinear_forward, cpu::bilinear_forward, cuda::bilinear_forward, {x, y},
                   {{"y of another type", [](auto& a) { a.y.dtype = DType::f64; }},
                    {"no rows", [](auto& a) { a.x.h = 0; }},
                    {"no images", [](auto& a) { a.x.n = a.y.n = 0; }}});
    expect_refused(reference::bilinear_backward, cpu::bilinear_backward, cuda::bilinear_backward, {y, {x}},
                   {{"dx of another batch", [](auto& a) { a.dx.view.n = 1; }}});
    expect_refused(reference::window, cpu::window, cuda::window, {x, {y}},
                   {{"y of other channels", [](auto& a) { a.y.view.c = 4; }},
                    {"y of another type", [](auto& a) { a.y.view.dtype = DType::f64; }}});
}

TEST_F(Contracts, BatchNorm) {
    const View v = view(2, 3, 5, 8);
    BatchNormForwardArgs forward{v, v, v};
    forward.gamma = some(), forward.beta = some(), forward.mean = some(), forward.inv_std = some();
    forward.running_mean = some(), forward.running_var = some();
    expect_refused(reference::batch_norm_forward, cpu::batch_norm_forward, cuda::batch_norm_forward, forward,
                   {{"y of another width", [](auto& a) { a.y.w = 4; }},
                    {"a residual of another type", [](auto& a) { a.residual.dtype = DType::f64; }},
                    {"one value a channel",
                     [](auto& a) {
                         for (View* v : {&a.x, &a.residual, &a.y}) v->n = v->h = v->w = 1;
                     }},
                    {"no gamma", [](auto& a) { a.gamma = nullptr; }},
                    {"no mean", [](auto& a) { a.mean = nullptr; }},
                    {"nothing to update", [](auto& a) { a.running_var = nullptr; }},
                    {"nothing to use", [](auto& a) { a.training = false, a.running_mean = nullptr; }}});
    BatchNormBackwardArgs backward;
    backward.dy = backward.x = backward.y = v;
    backward.gamma = some(), backward.beta = some(), backward.mean = some(), backward.inv_std = some();
    backward.dx = backward.dresidual = {v, false}, backward.relu = true;
    expect_refused(reference::batch_norm_backward, cpu::batch_norm_backward, cuda::batch_norm_backward, backward,
                   {{"dy of another batch", [](auto& a) { a.dy.n = 1; }},
                    {"y of another type", [](auto& a) { a.y.dtype = DType::f64; }},
                    {"dx of other channels", [](auto& a) { a.dx.view.c = 4; }},
                    {"dresidual of another height", [](auto& a) { a.dresidual.view.h = 4; }},
                    {"ReLU with a residual, without y", [](auto& a) { a.y = {}; }},
                    {"no inv_std", [](auto& a) { a.inv_std = nullptr; }}});
}

TEST_F(Contracts, LossesAndMetrics) {
    const View z = view(2, 3, 5, 4);
    const auto* const labels = some<uint8_t>();
    auto* const counts = some<int64_t>();
    expect_refused(
        reference::bce_dice_forward, cpu::bce_dice_forward, cuda::bce_dice_forward, {z, labels, some(), some(), {}},
        {{"no labels", [](auto& a) { a.labels = nullptr; }},
         {"no loss", [](auto& a) { a.loss = nullptr; }},
         {"bits of 8 classes", [](auto& a) { a.options.labels = LabelForm::bits, a.logits.c = 8; }},
         {"focal loss of ids", [](auto& a) { a.options.gamma = 2; }},
         {"Tversky index of ids", [](auto& a) { a.options.alpha = 0.3; }},
         {"focal loss with smoothing",
          [](auto& a) { a.options.labels = LabelForm::bits, a.options.gamma = 2, a.options.smoothing = 0.1; }},
         {"a weight below 0", [](auto& a) { a.options.weights[2] = -1; }},
         {"no pixels", [](auto& a) { a.logits.n = 0; }}});
    expect_refused(reference::bce_dice_backward, cpu::bce_dice_backward, cuda::bce_dice_backward,
                   {z, labels, some(), some(), {z}, {}},
                   {{"dlogits of another width", [](auto& a) { a.dlogits.view.w = 4; }},
                    {"no grad_output", [](auto& a) { a.grad_output = nullptr; }},
                    {"no pixels", [](auto& a) { a.logits.n = a.dlogits.view.n = 0; }}});
    expect_refused(reference::softmax_loss_forward, cpu::softmax_loss_forward, cuda::softmax_loss_forward,
                   {z, labels, nullptr, some(), counts, some(), {}},
                   {{"no counts", [](auto& a) { a.counts = nullptr; }},
                    {"no pixels", [](auto& a) { a.logits.h = 0; }},
                    {"257 classes", [](auto& a) { a.logits.c = 257; }}});
    expect_refused(reference::softmax_loss_backward, cpu::softmax_loss_backward, cuda::softmax_loss_backward,
                   {z, labels, nullptr, some(), counts, some(), {z}, {}},
                   {{"dlogits of another type", [](auto& a) { a.dlogits.view.dtype = DType::f64; }},
                    {"no sums", [](auto& a) { a.sums = nullptr; }}});
    expect_refused(reference::lovasz_forward, cpu::lovasz_forward, cuda::lovasz_forward,
                   {z, labels, some(), some(), {}},
                   {{"no slopes", [](auto& a) { a.slopes = nullptr; }},
                    {"no loss", [](auto& a) { a.loss = nullptr; }},
                    {"no pixels", [](auto& a) { a.logits.h = 0; }},
                    {"257 classes", [](auto& a) { a.logits.c = 257; }}});
    expect_refused(reference::boundary_forward, cpu::boundary_forward, cuda::boundary_forward,
                   {z, labels, some(), some(), {}},
                   {{"no slopes", [](auto& a) { a.slopes = nullptr; }},
                    {"no labels", [](auto& a) { a.labels = nullptr; }},
                    {"no pixels", [](auto& a) { a.logits.w = 0; }},
                    {"257 classes", [](auto& a) { a.logits.c = 257; }},
                    {"32768 rows", [](auto& a) { a.logits.h = 32768; }},
                    {"32768 columns", [](auto& a) { a.logits.w = 32768; }}});
    expect_refused(reference::hard_pixels, cpu::hard_pixels, cuda::hard_pixels, {z, labels, some<uint8_t>(), {}},
                   {{"no labels", [](auto& a) { a.labels = nullptr; }},
                    {"no place for what is mined", [](auto& a) { a.mined = nullptr; }},
                    {"no pixels", [](auto& a) { a.logits.h = 0; }},
                    {"256 classes", [](auto& a) { a.logits.c = 256; }},
                    {"2^31 pixels", [](auto& a) { a.logits.h = a.logits.w = 32768; }},
                    {"a thresh of 2", [](auto& a) { a.options.thresh = 2; }},
                    {"a thresh of NaN", [](auto& a) { a.options.thresh = NAN; }},
                    {"a keep of 0", [](auto& a) { a.options.keep = 0; }}});
    expect_refused(reference::class_slopes_backward, cpu::class_slopes_backward, cuda::class_slopes_backward,
                   {z, some(), some(), {z}},
                   {{"dlogits of another type", [](auto& a) { a.dlogits.view.dtype = DType::f64; }},
                    {"no slopes", [](auto& a) { a.slopes = nullptr; }}});
    expect_refused(reference::confusion, cpu::confusion, cuda::confusion, {z, labels, counts},
                   {{"no labels", [](auto& a) { a.labels = nullptr; }},
                    {"no counts", [](auto& a) { a.counts = nullptr; }},
                    {"bits of 8 classes", [](auto& a) { a.form = LabelForm::bits, a.logits.c = 8; }}});
    expect_refused(reference::label_range, cpu::label_range, cuda::label_range,
                   {labels, 4, 2, 255, some<LabelsOutOfRange>()},
                   {{"no labels", [](auto& a) { a.labels = nullptr; }},
                    {"no pixels", [](auto& a) { a.count = 0; }},
                    {"no classes", [](auto& a) { a.classes = 0; }},
                    {"no place for what is found", [](auto& a) { a.found = nullptr; }}});
}

TEST_F(Contracts, LovaszSortsNoMoreSegmentsThanAGridHas) {
    LovaszForwardArgs a{memory.view(257, 1, 1, 256),
                        memory.some<uint8_t>(),
                        memory.some<float>(),
                        memory.some<float>(),
                        {.per_image = true}};
    const std::string message = refusal([&] { cuda::lovasz_forward(queue, a); });
    EXPECT_EQ(message,
              "lovasz: 257 images x 256 classes are more than the 65535 that are sorted at once; take fewer images, or "
              "all of them together, without per_image");
    a.options.per_image = false;
    EXPECT_EQ(refusal([&] { cuda::lovasz_forward(queue, a); }), "nothing");
}

TEST_F(Contracts, Optimizers) {
    Arena arena;
    arena.parameters = some(), arena.gradients = some(), arena.moment1 = some(), arena.moment2 = some();
    arena.half = some(), arena.chunks = some<OptimChunk>(), arena.chunk_count = 1;
    auto* const state = some<StepState>();
    expect_refused(reference::grad_statistics, cpu::grad_statistics, cuda::grad_statistics, {arena, state},
                   {{"no state", [](auto& a) { a.state = nullptr; }},
                    {"no gradients", [](auto& a) { a.arena.gradients = nullptr; }}});
    expect_refused(reference::sgd_step, cpu::sgd_step, cuda::sgd_step, {arena, state, 0.9},
                   {{"no state", [](auto& a) { a.state = nullptr; }},
                    {"no parameters", [](auto& a) { a.arena.parameters = nullptr; }},
                    {"no chunks", [](auto& a) { a.arena.chunks = nullptr; }},
                    {"a copy in f32", [](auto& a) { a.arena.half_dtype = DType::f32; }},
                    {"no buffer", [](auto& a) { a.arena.moment1 = nullptr; }}});
    expect_refused(reference::adam_step, cpu::adam_step, cuda::adam_step, {arena, state},
                   {{"no state", [](auto& a) { a.state = nullptr; }},
                    {"no first moment", [](auto& a) { a.arena.moment1 = nullptr; }},
                    {"no second moment", [](auto& a) { a.arena.moment2 = nullptr; }}});
    expect_refused(reference::rmsprop_step, cpu::rmsprop_step, cuda::rmsprop_step, {arena, state, 0.99, 1e-8, 0.9},
                   {{"no state", [](auto& a) { a.state = nullptr; }},
                    {"no mean of squares", [](auto& a) { a.arena.moment2 = nullptr; }},
                    {"no buffer", [](auto& a) { a.arena.moment1 = nullptr; }}});
    expect_refused(reference::finish_step, cpu::finish_step, cuda::finish_step, {state},
                   {{"no state", [](auto& a) { a.state = nullptr; }}});
    const AveragedWeights averaged{DType::f32, 1, some<AveragedChunk>(), 1};
    expect_refused(reference::average_weights, cpu::average_weights, cuda::average_weights, {averaged, state, 0.9},
                   {{"neither state nor share", [](auto& a) { a.state = nullptr; }},
                    {"no chunks", [](auto& a) { a.of.chunks = nullptr; }},
                    {"a decay above 1", [](auto& a) { a.decay = 1.5; }},
                    {"a share above 1", [](auto& a) { a.share = 1.5; }}});
    expect_refused(reference::exchange_weights, cpu::exchange_weights, cuda::exchange_weights, {averaged},
                   {{"no chunks", [](auto& a) { a.of.chunks = nullptr; }}});
    StepLogArgs log;
    LabelsOutOfRange labels;
    log.labels = log.step_labels = &labels;
    log.terms = some(), log.state = state, log.sums = some<double>(), log.ring = some<StepLogEntry>();
    expect_refused(reference::log_step, cpu::log_step, cuda::log_step, log,
                   {{"no terms", [](auto& a) { a.terms = nullptr; }},
                    {"no sums", [](auto& a) { a.sums = nullptr; }},
                    {"no labels", [](auto& a) { a.labels = nullptr; }},
                    {"no place for labels", [](auto& a) { a.step_labels = nullptr; }},
                    {"no ring after the last", [](auto& a) { a.ring = nullptr; }},
                    {"an empty ring", [](auto& a) { a.capacity = 0; }},
                    {"nine terms", [](auto& a) { a.term_count = 9; }},
                    {"terms in bf16", [](auto& a) { a.dtype = DType::bf16; }}});
}

}  // namespace
}  // namespace atrous::kernels
