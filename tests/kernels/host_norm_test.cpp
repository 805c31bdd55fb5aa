// Batch normalization: every backend against the f64 reference, the reference against known values and differences.
#include "kernels/norm.h"
#include "tests/kernels/host_fixture.h"

namespace atrous::host_test {

namespace k = kernels;

namespace {

const Shape small_shapes[] = {{1, 1, 2, 1},    {2, 1, 1, 3},     {1, 7, 5, 3},  {2, 3, 3, 8, 8},
                              {3, 13, 11, 22}, {2, 7, 9, 33, 7}, {1, 5, 3, 640}};
// Large enough for several threads and parts.
const Shape large_shapes[] = {{1, 48, 48, 32}, {1, 41, 43, 32, 32}, {1, 31, 37, 64}, {1, 199, 197, 1}, {1, 50, 37, 33}};

struct Options {
    bool training = true, relu = false, residual = false, accumulate = false;
    double centre = 0, drift = 0;  // values lie around centre, plus drift times their relative position
    std::string text() const {
        return std::string(training ? " training" : " evaluation") + (relu ? " relu" : "") +
               (residual ? " residual" : "") + (accumulate ? " accumulate" : "");
    }
};

Values input_values(DType inputs, const Shape& s, const Options& o) {
    Values x = random_values(DType::f64, s.count(), 1, o.centre - 1, o.centre + 1);
    std::byte buffer[8];
    for (int64_t i = 0; i < s.count(); ++i) {
        write(inputs, buffer, x[i] + o.drift * double(i) / double(s.count()));
        x[i] = read(inputs, buffer);
    }
    return x;
}

Outputs forward(const Backend& b, DType inputs, const Shape& s, const Options& o) {
    const Shape channels{1, 1, 1, s.c};
    Block x(b.dtype, s, input_values(inputs, s, o));
    Block residual(b.dtype, s, random_values(inputs, s.count(), 2)), y(b.dtype, s);
    const DType a = b.accumulator();
    Block gamma(a, channels, random_values(DType::f32, s.c, 3, 0.5, 1.5)),
        beta(a, channels, random_values(DType::f32, s.c, 4));
    Block mean(a, channels), inv_std(a, channels);
    Block running_mean(a, channels, random_values(DType::f32, s.c, 5)),
        running_var(a, channels, random_values(DType::f32, s.c, 6, 0.5, 2));
    int64_t tracked = 41;
    run(b, k::reference::batch_norm_forward, k::cpu::batch_norm_forward,
        k::BatchNormForwardArgs{x.view(), o.residual ? residual.view() : View{}, y.view(), gamma.data(), beta.data(),
                                mean.data(), inv_std.data(), running_mean.data(), running_var.data(), &tracked, 0.1,
                                1e-5, o.training, true, o.relu});
    EXPECT_EQ(tracked, o.training ? 42 : 41);
    for (Block* block : {&y, &mean, &inv_std, &running_mean, &running_var})
        EXPECT_TRUE(block->guards_intact()) << s.text();
    return {y.get(), mean.get(), inv_std.get(), running_mean.get(), running_var.get()};
}

// dy is 0 where the activation is near its kink: there rounding may choose either side.
Outputs backward(const Backend& b, DType inputs, const Shape& s, const Options& o) {
    Options linear = o;
    linear.relu = false;
    const Outputs plain = forward(exact, inputs, s, linear), active = forward(exact, inputs, s, o);
    Values dy_values = random_values(inputs, s.count(), 7);
    for (int64_t i = 0; i < s.count(); ++i)
        if (std::fabs(plain[0][i]) < 1e-3) dy_values[i] = 0;
    const auto rounded = [](Values v) {
        for (double& e : v) e = double(float(e));
        return v;
    };
    const Shape channels{1, 1, 1, s.c};
    const DType a = b.accumulator();
    Block x(b.dtype, s, input_values(inputs, s, o)), dy(b.dtype, s, dy_values), y(b.dtype, s, active[0]);
    Block gamma(a, channels, random_values(DType::f32, s.c, 3, 0.5, 1.5)),
        beta(a, channels, random_values(DType::f32, s.c, 4));
    Block mean(a, channels, rounded(plain[1])), inv_std(a, channels, rounded(plain[2]));
    Block dx(b.dtype, s), dresidual(b.dtype, s), dgamma(a, channels), dbeta(a, channels);
    if (o.accumulate) {
        dx.set(random_values(inputs, s.count(), 8)), dresidual.set(random_values(inputs, s.count(), 9));
        dgamma.set(random_values(DType::f32, s.c, 10)), dbeta.set(random_values(DType::f32, s.c, 11));
    }
    k::BatchNormBackwardArgs args{dy.view(),
                                  x.view(),
                                  {},
                                  gamma.data(),
                                  beta.data(),
                                  mean.data(),
                                  inv_std.data(),
                                  {dx.view(), o.accumulate},
                                  {},
                                  {dgamma.data(), o.accumulate},
                                  {dbeta.data(), o.accumulate},
                                  o.training,
                                  o.relu};
    if (o.residual) args.dresidual = {dresidual.view(), o.accumulate};
    if (o.residual && o.relu) args.y = y.view();
    run(b, k::reference::batch_norm_backward, k::cpu::batch_norm_backward, args);
    for (Block* block : {&dx, &dgamma, &dbeta, &dresidual}) EXPECT_TRUE(block->guards_intact()) << s.text();
    Outputs outputs{dx.get(), dgamma.get(), dbeta.get()};
    if (o.residual) outputs.push_back(dresidual.get());
    return outputs;
}

void each_case(const std::function<void(const Shape&, const Options&)>& f) {
    for (bool relu : {false, true})
        for (bool residual : {false, true}) {
            for (const Shape& s : small_shapes)
                for (bool training : {true, false})
                    for (bool accumulate : {false, true}) f(s, {training, relu, residual, accumulate});
            for (const Shape& s : large_shapes)
                if (relu || !residual) f(s, {true, relu, residual, relu && residual});
        }
}

}  // namespace

TEST(HostNorm, ForwardMatchesReference) {
    each_case([](const Shape& s, const Options& o) {
        check_backends("batch_norm_forward " + s.text() + o.text(),
                       [&](const Backend& b, DType t) { return forward(b, t, s, o); });
    });
}

TEST(HostNorm, BackwardMatchesReference) {
    each_case([](const Shape& s, const Options& o) {
        check_backends("batch_norm_backward " + s.text() + o.text(),
                       [&](const Backend& b, DType t) { return backward(b, t, s, o); });
    });
}

// Sums of squares about zero would lose every digit: the mean is 3,000 times the deviation. The stored mean is a float,
// 6e-8 of it is 3e-4 deviations, which the reference shares; statistics themselves hold to 1e-6.
TEST(HostNorm, LargeMeansKeepTheirDeviation) {
    for (const Shape& s : {Shape{2, 64, 64, 32}, Shape{1, 97, 89, 1}, Shape{2, 17, 19, 33, 7}})
        for (bool cpu : {true, false}) {
            const Options o{.centre = 2000};
            const Outputs expected = forward(exact, DType::f32, s, o),
                          got = forward({cpu, DType::f32}, DType::f32, s, o);
            expect_close(got[2], expected[2], 1e-6, "inv_std " + s.text());
            expect_close(got[0], expected[0], 1e-3, "y " + s.text());
        }
}

// More blocks than parts, whose means differ: what merging must get right.
TEST(HostNorm, ManyBlocksWithDifferentMeans) {
    const Shape s{2, 160, 128, 32};
    const Options o{.relu = true, .centre = 3, .drift = 10};
    check_backends("batch_norm_forward " + s.text(), [&](const Backend& b, DType t) { return forward(b, t, s, o); });
    check_backends("batch_norm_backward " + s.text(), [&](const Backend& b, DType t) { return backward(b, t, s, o); });
}

// Forward and backward must agree on which elements passed the ReLU: with dy = 1, dbeta counts the positive outputs.
TEST(HostNorm, MaskIsRecomputedBitForBit) {
    for (DType t : {DType::f32, DType::bf16}) {
        const Shape s{2, 61, 59, 33}, channels{1, 1, 1, 33};
        Block x(t, s, random_values(t, s.count(), 1)), y(t, s), dy(t, s, Values(s.count(), 1.0)), dx(t, s);
        Block gamma(DType::f32, channels, random_values(DType::f32, 33, 3)),
            beta(DType::f32, channels, Values(33, 0.0));
        Block mean(DType::f32, channels), inv_std(DType::f32, channels), dbeta(DType::f32, channels);
        Block running(DType::f32, channels, Values(33, 1.0));
        const Backend b{true, t, 2};
        run(b, k::reference::batch_norm_forward, k::cpu::batch_norm_forward,
            k::BatchNormForwardArgs{x.view(),
                                    {},
                                    y.view(),
                                    gamma.data(),
                                    beta.data(),
                                    mean.data(),
                                    inv_std.data(),
                                    running.data(),
                                    running.data(),
                                    nullptr,
                                    0.1,
                                    1e-5,
                                    true,
                                    false,
                                    true});
        k::BatchNormBackwardArgs args{
            dy.view(),          x.view(), {}, gamma.data(),          beta.data(), mean.data(), inv_std.data(),
            {dx.view(), false}, {},       {}, {dbeta.data(), false}, true,        true};
        run(b, k::reference::batch_norm_backward, k::cpu::batch_norm_backward, args);
        Values positive(33);
        const Values out = y.get();
        for (int64_t i = 0; i < s.count(); ++i) positive[i % 33] += out[i] > 0;
        EXPECT_EQ(dbeta.get(), positive) << name_of(t);
        EXPECT_EQ(running.get(), Values(33, 1.0));  // update_running was false
    }
}

TEST(HostNorm, OnlyWantedGradientsAreWritten) {
    const Shape s{2, 5, 7, 3}, channels{1, 1, 1, 3};
    for (const Backend& b : backends) {
        Block x(b.dtype, s, random_values(b.dtype, s.count(), 1)), dy(b.dtype, s, random_values(b.dtype, s.count(), 2));
        Block one(b.accumulator(), channels, Values(3, 1.0)), dgamma(b.accumulator(), channels);
        k::BatchNormBackwardArgs args{dy.view(),  x.view(),   {},   one.data(), one.data(),
                                      one.data(), one.data(), {},   {},         {dgamma.data(), false},
                                      {},         false,      false};
        run(b, k::reference::batch_norm_backward, k::cpu::batch_norm_backward, args);
        Values expected(3);
        const Values xs = x.get(), dys = dy.get();
        for (int64_t i = 0; i < s.count(); ++i) expected[i % 3] += dys[i] * (xs[i] - 1);
        expect_close(dgamma.get(), expected, 2e-6, b.text());
    }
}

TEST(HostNorm, ReferenceKnownValues) {
    const Shape s{1, 2, 2, 1}, one{1, 1, 1, 1};
    Block x(DType::f64, s, {1, 2, 3, 6}), y(DType::f64, s);
    Block gamma(DType::f64, one, {2}), beta(DType::f64, one, {0.5}), mean(DType::f64, one), inv_std(DType::f64, one);
    Block running_mean(DType::f64, one, {1}), running_var(DType::f64, one, {1});
    int64_t tracked = 0;
    run(exact, k::reference::batch_norm_forward, k::cpu::batch_norm_forward,
        k::BatchNormForwardArgs{x.view(),
                                {},
                                y.view(),
                                gamma.data(),
                                beta.data(),
                                mean.data(),
                                inv_std.data(),
                                running_mean.data(),
                                running_var.data(),
                                &tracked,
                                0.1,
                                0.5,
                                true,
                                true,
                                true});
    // mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5, inv_std = 1 / sqrt(4) = 1/2; y = max(0, x - 3 + 0.5)
    expect_close(mean.get(), {3}, 1e-15, "mean");
    expect_close(inv_std.get(), {0.5}, 1e-15, "inv_std");
    expect_close(y.get(), {0, 0, 0.5, 3.5}, 1e-15, "y");
    expect_close(running_mean.get(), {1.2}, 1e-15, "running mean");
    expect_close(running_var.get(), {0.9 + 0.1 * 14 / 3}, 1e-15, "running variance");  // unbiased: 14 / 3
}

}  // namespace atrous::host_test
