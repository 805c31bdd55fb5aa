// Activations, copies, sums, fills and confusion counts on the host.
#include "kernels/activation.h"
#include "kernels/cpu/simd.h"
#include "kernels/elementwise.h"
#include "kernels/metrics.h"
#include "tests/kernels/host_fixture.h"

namespace atrous::host_test {

namespace k = kernels;

namespace {

const Shape shapes[] = {{1, 1, 1, 1},     {1, 3, 5, 3},    {2, 7, 5, 8, 8},    {3, 11, 13, 22, 10},
                        {1, 130, 127, 1}, {1, 65, 33, 33}, {1, 40, 40, 33, 3}, {1, 1, 1, 9000}};
const DType reals[] = {DType::f32, DType::bf16, DType::f16, DType::f64};

using Activation = void (*)(Queue&, const k::ActivationArgs&);
using ActivationBackward = void (*)(Queue&, const k::ActivationBackwardArgs&);

void check_activation(const char* name, Activation reference, Activation cpu, ActivationBackward reference_backward,
                      ActivationBackward cpu_backward) {
    for (const Shape& s : shapes) {
        check_backends(
            std::string(name) + " " + s.text(),
            [&](const Backend& b, DType t) {
                Block x(b.dtype, s, random_values(t, s.count(), 1, -9, 9)), y(b.dtype, s);
                run(b, reference, cpu, k::ActivationArgs{x.view(), y.view()});
                EXPECT_TRUE(y.guards_intact()) << s.text();
                return Outputs{y.get()};
            },
            3e-7);
        for (bool accumulate : {false, true})
            check_backends(
                std::string(name) + "_backward " + s.text(),
                [&](const Backend& b, DType t) {
                    Values y_values = random_values(t, s.count(), 2);
                    for (double& v : y_values) v = v < 0 ? 0 : v;
                    Block dy(b.dtype, s, random_values(t, s.count(), 3)), y(b.dtype, s, y_values), dx(b.dtype, s);
                    if (accumulate) dx.set(random_values(t, s.count(), 4));
                    run(b, reference_backward, cpu_backward,
                        k::ActivationBackwardArgs{dy.view(), y.view(), {dx.view(), accumulate}});
                    EXPECT_TRUE(dx.guards_intact()) << s.text();
                    return Outputs{dx.get()};
                },
                3e-7);
    }
}

Values mapped(const Backend& b, Activation reference, Activation cpu, const Values& x_values) {
    const Shape s{1, 1, 1, int64_t(x_values.size())};
    Block x(b.dtype, s, x_values), y(b.dtype, s);
    run(b, reference, cpu, k::ActivationArgs{x.view(), y.view()});
    return y.get();
}

}  // namespace

TEST(HostActivation, ReluMatchesReference) {
    check_activation("relu", k::reference::relu, k::cpu::relu, k::reference::relu_backward, k::cpu::relu_backward);
}
TEST(HostActivation, SigmoidMatchesReference) {
    check_activation("sigmoid", k::reference::sigmoid, k::cpu::sigmoid, k::reference::sigmoid_backward,
                     k::cpu::sigmoid_backward);
}

TEST(HostActivation, KnownAndSpecialValues) {
    for (const Backend& b : backends) {
        const Values r = mapped(b, k::reference::relu, k::cpu::relu, {-2, 3, NAN, -INFINITY, INFINITY});
        EXPECT_EQ(r[0], 0);
        EXPECT_EQ(r[1], 3);
        EXPECT_TRUE(std::isnan(r[2])) << b.text();
        EXPECT_EQ(r[3], 0);
        EXPECT_EQ(r[4], INFINITY);
        const Values s =
            mapped(b, k::reference::sigmoid, k::cpu::sigmoid, {0, std::log(3.0), NAN, -INFINITY, INFINITY, -80});
        expect_close({s[0], s[1], s[3], s[4]}, {0.5, 0.75, 0, 1}, b.tolerance(), b.text());
        EXPECT_TRUE(std::isnan(s[2])) << b.text();
        EXPECT_NEAR(s[5] / std::exp(-80.0), 1, b.tolerance()) << b.text();  // small probabilities keep their digits
    }
}

// Every pair of types, bit for bit: one addition and one rounding.
TEST(HostElementwise, CopyConvertsBetweenAllTypes) {
    for (const Shape& s : shapes)
        for (DType from : reals)
            for (DType to : reals)
                for (bool accumulate : {false, true}) {
                    Values results[3];
                    for (int i = 0; i < 3; ++i) {
                        Block x(from, s, random_values(from, s.count(), 1, -70000, 70000)),
                            y(to, {s.n, s.h, s.w, s.c, 5});
                        if (accumulate) y.set(random_values(to, s.count(), 2, -100, 100));
                        run({i > 0, from, i == 2 ? 3 : 1}, k::reference::copy, k::cpu::copy,
                            k::CopyArgs{x.view(), {y.view(), accumulate}});
                        EXPECT_TRUE(y.guards_intact());
                        results[i] = y.get();
                    }
                    EXPECT_EQ(results[1], results[0]) << name_of(from) << " to " << name_of(to) << " " << s.text();
                    EXPECT_EQ(results[2], results[0]) << name_of(from) << " to " << name_of(to) << " " << s.text();
                }
}

// The branch-free conversions equal those of base/half.h: all 65,536 half values, and floats around every
// boundary between them.
TEST(HostElementwise, HalfConversionsAreExact) {
    for (uint32_t bits = 0; bits < 65536; ++bits) {
        const bf16 b{uint16_t(bits)};
        const f16 h{uint16_t(bits)};
        for (const auto& [fast, plain] :
             {std::pair{k::cpu::load(b), to_float(b)}, std::pair{k::cpu::load(h), to_float(h)}}) {
            if (std::isnan(plain))
                EXPECT_TRUE(std::isnan(fast)) << bits;
            else
                EXPECT_EQ(half_detail::bits_of(fast), half_detail::bits_of(plain)) << bits;
            for (uint32_t low : {0u, 1u, 0xfffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u}) {
                const float x = half_detail::float_of(half_detail::bits_of(plain) + low);
                ASSERT_EQ(k::cpu::narrow<bf16>(x).bits, round_to<bf16>(x).bits) << x;
                ASSERT_EQ(k::cpu::narrow<f16>(x).bits, round_to<f16>(x).bits) << x;
            }
        }
    }
}

TEST(HostElementwise, AddMatchesReference) {
    for (const Shape& s : shapes)
        check_backends(
            "add " + s.text(),
            [&](const Backend& backend, DType t) {
                Block a(backend.dtype, s, random_values(t, s.count(), 1)),
                    b(backend.dtype, s, random_values(t, s.count(), 2));
                Block y(backend.dtype, {s.n, s.h, s.w, s.c, 3});
                run(backend, k::reference::add, k::cpu::add, k::AddArgs{a.view(), b.view(), y.view()});
                EXPECT_TRUE(y.guards_intact()) << s.text();
                run(backend, k::reference::add, k::cpu::add, k::AddArgs{a.view(), b.view(), a.view()});  // in place
                EXPECT_EQ(a.get(), y.get()) << s.text();
                return Outputs{y.get()};
            },
            1e-7);
}

TEST(HostElementwise, FillWritesEveryElement) {
    for (DType t : {DType::f32, DType::bf16, DType::f16, DType::f64, DType::u8, DType::i32, DType::i64})
        for (int64_t count : {1, 4095, 4097, 50000})
            for (bool cpu : {false, true}) {
                Block y(t, {1, 1, 1, count});
                run({cpu, t, 3}, k::reference::fill, k::cpu::fill, k::FillArgs{y.data(), t, count, 7.0});
                EXPECT_EQ(y.get(), Values(count, 7.0)) << name_of(t);
                EXPECT_TRUE(y.guards_intact()) << name_of(t);
            }
}

TEST(HostMetrics, ConfusionMatchesReference) {
    for (Shape s : {Shape{1, 1, 1, 1}, Shape{2, 7, 5, 1}, Shape{1, 5, 9, 3, 5}, Shape{2, 190, 101, 1},
                    Shape{2, 101, 90, 1, 2}, Shape{1, 60, 71, 21}})
        for (int ignore : {255, -1, 0})
            check_backends(
                "confusion " + s.text(),
                [&](const Backend& b, DType t) {
                    Values logits = random_values(t, s.count(), 1, -3, 3);
                    for (size_t i = 0; i < logits.size(); i += 3) logits[i] = std::round(logits[i]);  // ties
                    for (size_t i = 0; i < logits.size(); i += 17) logits[i] = NAN;
                    Block z(b.dtype, s, logits);
                    const std::vector<uint8_t> labels = random_labels(s.n * s.h * s.w, 2, int(s.c) + 2);
                    const int64_t classes = s.c == 1 ? 2 : s.c;
                    std::vector<int64_t> counts(classes * classes, 5);
                    run(b, k::reference::confusion, k::cpu::confusion,
                        k::ConfusionArgs{z.view(), labels.data(), counts.data(), 0.1, ignore});
                    return Outputs{Values(counts.begin(), counts.end())};
                },
                1e-15);
}

TEST(HostMetrics, KnownCounts) {
    for (const Backend& b : backends) {
        Block binary(b.dtype, {1, 1, 6, 1}, {0, 0.5, -1, 2, NAN, 3}),
            classes(b.dtype, {1, 1, 4, 3}, {1, 1, 0, NAN, -2, -1, NAN, NAN, NAN, 0, 1, 2});
        const std::vector<uint8_t> labels{0, 1, 7, 0, 2, 255}, class_labels{1, 0, 2, 3};
        std::vector<int64_t> counts(4), class_counts(9);
        run(b, k::reference::confusion, k::cpu::confusion,
            k::ConfusionArgs{binary.view(), labels.data(), counts.data(), 0, 255});
        EXPECT_EQ(counts, (std::vector<int64_t>{1, 1, 2, 1})) << b.text();
        run(b, k::reference::confusion, k::cpu::confusion,
            k::ConfusionArgs{classes.view(), class_labels.data(), class_counts.data(), 0, 255});
        EXPECT_EQ(class_counts, (std::vector<int64_t>{0, 0, 1, 1, 0, 0, 1, 0, 0}))
            << b.text();  // label 3 is not a class
    }
}

}  // namespace atrous::host_test
