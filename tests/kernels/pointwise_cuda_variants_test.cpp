// The GPU kernels other than convolution against the reference: every variant x element type x aligned, sliced, odd or
// misaligned views, gradients overwritten and accumulated. Where the arithmetic is exact (integers, copies, maxima,
// counts) results must be equal; elsewhere the stated tolerance covers float sums of the test's sizes.
#include "kernels/activation.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "kernels/pool.h"
#include "kernels/resize.h"
#include "tests/kernels/cuda_fixture.h"

namespace atrous::kernels {
namespace {

using test::Array;
using test::channels_name;
using test::float_sums;
using test::gpu_types;
using test::Layout;
using test::Names;
using test::pointwise_name;
using test::Shape;
using test::Tensor;
using test::wide;

constexpr Shape shapes[] = {{1, 1, 1, 1}, {2, 1, 1, 3}, {1, 5, 7, 8}, {2, 9, 13, 22}, {3, 6, 10, 64}, {1, 3, 2, 264}};

using PointwiseCuda = test::CudaTest;

TEST_F(PointwiseCuda, Activations) {
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
        Tensor x = tensor(s, t, l), y = tensor(s, t, l), dy = tensor(s, t, l), dx = tensor(s, t, l);
        const std::string width = pointwise_name(s, l, wide(t));
        x.integers(random_, 2);
        x.host[0] = std::nanf("");
        EXPECT_EQ(gpu_->both(reference::relu, {x.reference(), y.reference()}, cuda::relu,
                             {x.device(stream()), y.device(stream())}),
                  Names{"relu/" + width});
        y.expect(stream(), "relu");
        x.normal(random_, 0, 4);
        EXPECT_EQ(gpu_->both(reference::sigmoid, {x.reference(), y.reference()}, cuda::sigmoid,
                             {x.device(stream()), y.device(stream())}),
                  Names{"sigmoid/" + width});
        y.expect(stream(), "sigmoid", 4e-7);  // an exponential and a division
        for (bool accumulate : {false, true}) {
            y.integers(random_, 1), dy.integers(random_, 9), dx.integers(random_, 9);
            const auto args = [&](auto view) -> ActivationBackwardArgs {
                return {view(dy), view(y), {view(dx), accumulate}};
            };
            const auto host = args([](Tensor& v) { return v.reference(); });
            auto device = args([&](Tensor& v) { return v.device(stream()); });
            EXPECT_EQ(gpu_->both(reference::relu_backward, host, cuda::relu_backward, device),
                      Names{"relu_backward/" + width});
            dx.expect(stream(), "relu_backward");
            device.dx.view = dx.device(stream());
            EXPECT_EQ(gpu_->both(reference::sigmoid_backward, host, cuda::sigmoid_backward, device),
                      Names{"sigmoid_backward/" + width});
            dx.expect(stream(), "sigmoid_backward");  // dy * y * (1 - y) of integers: exact
        }
    });
}

TEST_F(PointwiseCuda, CopyAddFill) {
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
        Tensor a = tensor(s, t, l), b = tensor(s, t, l), sum = tensor(s, t, l);
        a.integers(random_, 9), b.integers(random_, 9);
        EXPECT_EQ(gpu_->both(reference::add, {a.reference(), b.reference(), sum.reference()}, cuda::add,
                             {a.device(stream()), b.device(stream()), sum.device(stream())}),
                  Names{"add/" + pointwise_name(s, l, wide(t))});
        sum.expect(stream(), "add");
        for (DType to : gpu_types)
            for (bool accumulate : {false, true}) {
                Tensor x = tensor(s, t, l), y = tensor(s, to, l);
                x.normal(random_, 0, 100), y.integers(random_, 9);
                EXPECT_EQ(gpu_->both(reference::copy, {x.reference(), {y.reference(), accumulate}}, cuda::copy,
                                     {x.device(stream()), {y.device(stream()), accumulate}}),
                          Names{"copy/" + pointwise_name(s, l, std::min(wide(t), wide(to)))});
                y.expect(stream(), "copy");
            }
    });
    for (DType t : {DType::f32, DType::bf16, DType::f16, DType::f64, DType::u8, DType::i32, DType::i64})
        for (size_t count : {1, 16, 33, 4096}) {
            Array<uint8_t> y(count * size_of(t), 1);
            const FillArgs device{y.upload(stream()), t, int64_t(count), 3.0},
                host{y.host.data(), t, int64_t(count), 3.0};
            EXPECT_EQ(gpu_->both(reference::fill, host, cuda::fill, device),
                      Names{count * size_of(t) % 16 == 0 ? "fill/vec16" : "fill/scalar"});
            y.expect(stream(), name_of(t));
        }
}

TEST_F(PointwiseCuda, MaxPool) {
    for (PoolGeometry g : {PoolGeometry{2, 2, 0}, {3, 2, 1}, {3, 1, 1}, {2, 1, 0}, {1, 2, 0}, {5, 3, 2}})
        for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
            const int64_t p = (s.h + 2 * g.padding - g.kernel) / g.stride + 1,
                          q = (s.w + 2 * g.padding - g.kernel) / g.stride + 1;
            if (s.h + 2 * g.padding < g.kernel || s.w + 2 * g.padding < g.kernel) return;
            SCOPED_TRACE("kernel " + std::to_string(g.kernel) + " stride " + std::to_string(g.stride));
            Tensor x = tensor(s, t, l), y(s.n, p, q, s.c, t, l);
            Array<uint8_t> indices(y.host.size());
            x.integers(random_, 2);  // many ties: the first maximum wins
            x.host[x.host.size() / 2] = std::nanf("");
            x.host[x.host.size() / 3] = x.host[0] = -std::numeric_limits<float>::infinity();
            const std::string variant = (g.kernel == 2 && g.stride == 2 ? "2x2_" : "any_") + channels_name(s, l, t);
            uint8_t* const device_indices = indices.upload(stream());
            EXPECT_EQ(gpu_->both(reference::max_pool_forward, {x.reference(), y.reference(), indices.host.data(), g},
                                 cuda::max_pool_forward, {x.device(stream()), y.device(stream()), device_indices, g}),
                      Names{"max_pool_forward/" + variant});
            y.expect(stream(), "max_pool_forward");
            indices.expect(stream(), "indices");
            for (bool accumulate : {false, true}) {
                y.integers(random_, 3), x.integers(random_, 9);
                EXPECT_EQ(gpu_->both(reference::max_pool_backward,
                                     {y.reference(), indices.host.data(), {x.reference(), accumulate}, g},
                                     cuda::max_pool_backward,
                                     {y.device(stream()), device_indices, {x.device(stream()), accumulate}, g}),
                          Names{"max_pool_backward/" + variant});
                x.expect(stream(), "max_pool_backward");
            }
        });
}

TEST_F(PointwiseCuda, Bilinear) {
    const Shape outs[] = {{0, 1, 1, 0}, {0, 2, 0, 0},  {0, 8, 0, 0}, {0, 0, 7, 11},
                          {0, 0, 3, 2}, {0, 0, 41, 5}, {0, 0, 1, 3}};
    for (const Shape& out : outs)  // h times the size where w is 0, else w x c
        for (bool align_corners : {false, true})
            for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
                const int64_t p = out.w == 0 ? s.h * out.h : out.w, q = out.w == 0   ? s.w * out.h
                                                                        : out.h == 1 ? 1
                                                                                     : out.c;
                if (p * q > 2000) return;
                SCOPED_TRACE("to " + std::to_string(p) + 'x' + std::to_string(q) + (align_corners ? " corners" : ""));
                const double relative =
                    !align_corners && p == 2 * s.h && q == 2 * s.w ? 0 : 1e-6;  // quarters are exact
                const std::string one_pixel = s.h * s.w == 1 ? "one_pixel_" : "";
                Tensor x = tensor(s, t, l), y(s.n, p, q, s.c, t, l);
                x.integers(random_, 9);
                EXPECT_EQ(gpu_->both(reference::bilinear_forward, {x.reference(), y.reference(), align_corners},
                                     cuda::bilinear_forward, {x.device(stream()), y.device(stream()), align_corners}),
                          Names{"bilinear_forward/" + channels_name(s, l, t)});
                y.expect(stream(), "bilinear_forward", relative, 9);
                for (bool accumulate : {false, true}) {
                    y.integers(random_, 9), x.integers(random_, 9);
                    EXPECT_EQ(
                        gpu_->both(reference::bilinear_backward,
                                   {y.reference(), {x.reference(), accumulate}, align_corners}, cuda::bilinear_backward,
                                   {y.device(stream()), {x.device(stream()), accumulate}, align_corners}),
                        Names{"bilinear_backward/" + one_pixel + channels_name(s, l, t)});
                    x.expect(stream(), "bilinear_backward", relative, 9);
                }
            });
}

// Sizes at which loops over blocks, rows and runs of rows go round more than once.
TEST_F(PointwiseCuda, LargeShapes) {
    const Shape shapes[] = {{1, 750, 701, 1}, {1, 1300, 900, 1}}, outs[] = {{1, 1501, 1402, 1}, {1, 1051, 1003, 1}};
    for (int i = 0; i < 2; ++i) {  // runs of 8 output rows; of 2 and 4 input rows; enlarging, then shrinking
        Tensor x = tensor(shapes[i], DType::f32, {}), y = tensor(outs[i], DType::f32, {});
        x.integers(random_, 9);
        gpu_->both(reference::bilinear_forward, {x.reference(), y.reference(), false}, cuda::bilinear_forward,
                   {x.device(stream()), y.device(stream()), false});
        y.expect(stream(), "bilinear_forward", 1e-6);
        y.integers(random_, 9);
        gpu_->both(reference::bilinear_backward, {y.reference(), {x.reference(), true}, false}, cuda::bilinear_backward,
                   {y.device(stream()), {x.device(stream()), true}, false});
        x.expect(stream(), "bilinear_backward", 1e-6);
    }
    Tensor x(1, 140003, 2, 1, DType::bf16), y(1, 70001, 1, 1, DType::bf16);  // more rows than a grid is high
    Array<uint8_t> indices(y.host.size());
    x.integers(random_, 2);
    uint8_t* const device_indices = indices.upload(stream());
    gpu_->both(reference::max_pool_forward, {x.reference(), y.reference(), indices.host.data(), {}},
               cuda::max_pool_forward, {x.device(stream()), y.device(stream()), device_indices, {}});
    y.expect(stream(), "max_pool_forward");
    indices.expect(stream(), "indices");
    Tensor wide(1, 3, 1, 9000, DType::f32, {8, 0}), copied(1, 3, 1, 9000, DType::f32, {8, 0});  // over a block a pixel
    wide.integers(random_, 9);
    gpu_->both(reference::relu, {wide.reference(), copied.reference()}, cuda::relu,
               {wide.device(stream()), copied.device(stream())});
    copied.expect(stream(), "relu");
}

struct NormCase {
    bool training, relu, residual, accumulate;
};

class BatchNormCuda : public PointwiseCuda {
 protected:
    void forward(DType t, const Shape& s, Layout l, NormCase c, double mean, double tolerance) {
        Tensor x = tensor(s, t, l), residual = tensor(s, t, l), y = tensor(s, t, l);
        Array<float> gamma = channels(s), beta = channels(s), means(s.c), inv_std(s.c), running_mean = channels(s),
                     running_var = channels(s);
        Array<int64_t> tracked(1, 5);
        x.normal(random_, mean, 2), residual.normal(random_, 0, 1);
        BatchNormForwardArgs host, device;
        host.x = x.reference(), device.x = x.device(stream());
        host.y = y.reference(), device.y = y.device(stream());
        if (c.residual) host.residual = residual.reference(), device.residual = residual.device(stream());
        host.gamma = gamma.host.data(), device.gamma = gamma.upload(stream());
        host.beta = beta.host.data(), device.beta = beta.upload(stream());
        host.mean = means.host.data(), device.mean = means.upload(stream());
        host.inv_std = inv_std.host.data(), device.inv_std = inv_std.upload(stream());
        host.running_mean = running_mean.host.data(), device.running_mean = running_mean.upload(stream());
        host.running_var = running_var.host.data(), device.running_var = running_var.upload(stream());
        host.batches_tracked = tracked.host.data(), device.batches_tracked = tracked.upload(stream());
        host.training = device.training = c.training, host.relu = device.relu = c.relu;
        host.update_running = device.update_running = !c.accumulate;
        EXPECT_EQ(gpu_->both(reference::batch_norm_forward, host, cuda::batch_norm_forward, device),
                  Names{"batch_norm_forward/" + channels_name(s, l, t)});
        y.expect(stream(), "y", tolerance);
        means.expect(stream(), "mean", 1e-6);
        inv_std.expect(stream(), "inv_std", tolerance);
        running_mean.expect(stream(), "running_mean", 1e-6);
        running_var.expect(stream(), "running_var", tolerance);
        tracked.expect(stream(), "batches_tracked");
    }

    void backward(DType t, const Shape& s, Layout l, NormCase c) {
        Tensor x = tensor(s, t, l), y = tensor(s, t, l), dy = tensor(s, t, l), dx = tensor(s, t, l),
               dresidual = tensor(s, t, l);
        Array<float> gamma = channels(s), beta = channels(s), mean = channels(s), inv_std = channels(s),
                     dgamma = channels(s), dbeta = channels(s);
        x.normal(random_, 1, 1), y.integers(random_, 1), dy.normal(random_, 0, 1), dx.normal(random_, 0, 1),
            dresidual.normal(random_, 0, 1);
        BatchNormBackwardArgs host, device;
        host.dy = dy.reference(), device.dy = dy.device(stream());
        host.x = x.reference(), device.x = x.device(stream());
        host.dx = {dx.reference(), c.accumulate}, device.dx = {dx.device(stream()), c.accumulate};
        if (c.residual) {
            host.y = y.reference(), device.y = y.device(stream());
            host.dresidual = {dresidual.reference(), c.accumulate},
            device.dresidual = {dresidual.device(stream()), c.accumulate};
        }
        host.gamma = gamma.host.data(), device.gamma = gamma.upload(stream());
        host.beta = beta.host.data(), device.beta = beta.upload(stream());
        host.mean = mean.host.data(), device.mean = mean.upload(stream());
        host.inv_std = inv_std.host.data(), device.inv_std = inv_std.upload(stream());
        host.dgamma = {dgamma.host.data(), c.accumulate}, device.dgamma = {dgamma.upload(stream()), c.accumulate};
        host.dbeta = {dbeta.host.data(), c.accumulate}, device.dbeta = {dbeta.upload(stream()), c.accumulate};
        host.training = device.training = c.training, host.relu = device.relu = c.relu;
        EXPECT_EQ(gpu_->both(reference::batch_norm_backward, host, cuda::batch_norm_backward, device),
                  Names{"batch_norm_backward/" + channels_name(s, l, t)});
        dx.expect(stream(), "dx", float_sums);
        if (c.residual) dresidual.expect(stream(), "dresidual", 1e-7);
        dgamma.expect(stream(), "dgamma", float_sums);
        dbeta.expect(stream(), "dbeta", float_sums);
    }

    Array<float> channels(const Shape& s) {
        Array<float> a(s.c);
        for (float& v : a.host) v = float(random_.uniform(0.5, 2));
        return a;
    }
};

TEST_F(BatchNormCuda, Forward) {
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
        if (s.n * s.h * s.w < 2) return;
        for (bool relu : {false, true})
            for (bool residual : {false, true})
                forward(t, s, l, {true, relu, residual, residual}, 3, 1e-5);  // few values: a variance may be small
        forward(t, s, l, {false, true, true, false}, 3, 1e-6);
    });
    // Many chunks, many rows a thread; and a mean five hundred times the deviation, whose digits must not be lost.
    for (Shape s : {Shape{3, 97, 89, 3}, {2, 64, 64, 40}}) {
        forward(DType::f32, s, {}, {true, false, false, false}, 0, 2e-6);
        forward(DType::f32, s, {}, {true, false, false, false}, 1000,
                1e-4);  // y has the rounding of mean, 3e-5, in units of 2
    }
}

TEST_F(BatchNormCuda, Backward) {
    for_each_case(shapes, [&](DType t, const Shape& s, Layout l) {
        for (bool training : {false, true})
            for (bool relu : {false, true})
                for (bool accumulate : {false, true})
                    for (bool residual : {false, true}) backward(t, s, l, {training, relu, residual, accumulate});
    });
    backward(DType::f32, {3, 97, 89, 3}, {}, {true, true, false, false});
    backward(DType::bf16, {2, 64, 64, 40}, {}, {true, true, true, false});
}

}  // namespace
}  // namespace atrous::kernels
