// Binary cross-entropy with soft Dice on the host.
#include "kernels/cpu/vector_math.h"
#include "kernels/loss.h"
#include "tests/kernels/host_fixture.h"

namespace atrous::host_test {

namespace k = kernels;

namespace {

const Shape shapes[] = {{1, 1, 1, 1},    {2, 5, 7, 1},      {1, 3, 5, 3, 5}, {2, 7, 5, 8},       {2, 13, 11, 22},
                        {3, 101, 97, 1}, {2, 70, 65, 1, 2}, {1, 60, 59, 21}, {1, 37, 41, 33, 7}, {2, 61, 67, 3}};
const k::DiceGroups all_groups[] = {k::DiceGroups::batch, k::DiceGroups::sample, k::DiceGroups::all};

struct Case {
    Shape shape;
    k::BceDiceOptions options;
    double ignored = 0.1;
    bool accumulate = false;
    std::string text() const {
        return shape.text() + " groups " + std::to_string(int(options.groups)) + " ignore " +
               std::to_string(options.ignore_index);
    }
    std::vector<uint8_t> labels() const {
        return random_labels(shape.n * shape.h * shape.w, 2, int(shape.c) + 1, ignored);
    }
};

struct Result {
    Values sums, loss;
};

Result forward(const Backend& b, const Case& c, const Values& logits) {
    Block z(b.dtype, c.shape, logits), sums(b.accumulator(), {1, c.shape.n, c.shape.c, k::bce_dice_sums}),
        loss(b.accumulator(), {1, 1, 1, 4});
    const std::vector<uint8_t> labels = c.labels();
    run(b, k::reference::bce_dice_forward, k::cpu::bce_dice_forward,
        k::BceDiceForwardArgs{z.view(), labels.data(), sums.data(), loss.data(), c.options});
    EXPECT_TRUE(sums.guards_intact() && loss.guards_intact()) << c.text();
    return {sums.get(), loss.get()};
}

Values backward(const Backend& b, const Case& c, const Values& logits, const Values& sum_values, const Values& before) {
    Block z(b.dtype, c.shape, logits), sums(b.accumulator(), {1, c.shape.n, c.shape.c, k::bce_dice_sums}, sum_values),
        dz(b.dtype, c.shape);
    Block grad_output(b.accumulator(), {1, 1, 1, 1}, {1.5});
    if (c.accumulate) dz.set(before);
    const std::vector<uint8_t> labels = c.labels();
    run(b, k::reference::bce_dice_backward, k::cpu::bce_dice_backward,
        k::BceDiceBackwardArgs{
            z.view(), labels.data(), sums.data(), grad_output.data(), {dz.view(), c.accumulate}, c.options});
    EXPECT_TRUE(dz.guards_intact()) << c.text();
    return dz.get();
}

// Gradients are about 1 / count: they are compared after multiplication with the count.
Outputs both_ways(const Backend& b, DType inputs, const Case& c) {
    Values logits = random_values(inputs, c.shape.count(), 1, -8, 8);
    for (size_t i = 0; i < logits.size(); i += 13) logits[i] *= 16;  // saturated
    const Result out = forward(b, c, logits), reference = forward(exact, c, logits);
    const double scale = c.accumulate ? 1 : std::fmax(1, reference.loss[3]);
    Values dz = backward(b, c, logits, reference.sums, random_values(inputs, c.shape.count(), 4));
    for (double& g : dz) g *= scale;
    return {out.sums, out.loss, dz};
}

}  // namespace

TEST(HostLoss, MatchesReference) {
    for (const Shape& s : shapes)
        for (k::DiceGroups groups : all_groups)
            for (bool accumulate : {false, true}) {
                const Case c{
                    s, {.bce_weight = 0.7, .dice_weight = 1.3, .smooth = 0.5, .groups = groups}, 0.1, accumulate};
                check_backends(
                    "bce_dice " + c.text(), [&](const Backend& b, DType t) { return both_ways(b, t, c); }, 2e-6);
            }
}

TEST(HostLoss, NormalizerIgnoreIndexAndWeights) {
    for (const Shape& s : {Shape{2, 13, 11, 1}, Shape{2, 9, 7, 3}})
        for (const k::BceDiceOptions& o : {k::BceDiceOptions{.normalizer = 500},
                                           {.ignore_index = -1},
                                           {.ignore_index = 1},
                                           {.bce_weight = 0},
                                           {.dice_weight = 0},
                                           {.smooth = 0}}) {
            const Case c{s, o};
            check_backends(
                "bce_dice " + c.text(), [&](const Backend& b, DType t) { return both_ways(b, t, c); }, 2e-6);
        }
}

// Nothing counts: loss 0 with Dice 1, whatever the logits, and no gradient.
TEST(HostLoss, AllIgnored) {
    for (const Shape& s : {Shape{2, 13, 11, 1}, Shape{2, 9, 7, 3}})
        for (double smooth : {1.0, 0.0})
            for (k::DiceGroups groups : all_groups)
                for (const Backend& b : backends) {
                    const Case c{s, {.smooth = smooth, .groups = groups}, 1.0};
                    Values logits = random_values(b.dtype, s.count(), 1);
                    logits[3] = NAN, logits[4] = INFINITY;
                    const Result out = forward(b, c, logits);
                    EXPECT_EQ(out.loss, (Values{0, 0, 1, 0})) << b.text();
                    EXPECT_EQ(out.sums, Values(out.sums.size(), 0.0)) << b.text();
                    EXPECT_EQ(backward(b, c, logits, out.sums, {}), Values(s.count(), 0.0)) << b.text();
                }
}

TEST(HostLoss, ReferenceKnownValues) {
    // Logits 0: p = 1/2 and every element costs log 2. Targets 1 0 1, one pixel ignored: sums p*t = 1, p = 1.5, t = 2.
    Block z(DType::f64, {1, 2, 2, 1}, {0, 0, 0, 0}), sums(DType::f64, {1, 1, 1, 5}), loss(DType::f64, {1, 1, 1, 4});
    const std::vector<uint8_t> labels{9, 0, 1, 255};
    run(exact, k::reference::bce_dice_forward, k::cpu::bce_dice_forward,
        k::BceDiceForwardArgs{z.view(), labels.data(), sums.data(), loss.data(), {.bce_weight = 2, .dice_weight = 3}});
    const double bce = std::log(2.0), dice = (2 * 1 + 1) / (1.5 + 2 + 1);
    expect_close(sums.get(), {3 * bce, 3, 1, 1.5, 2}, 1e-15, "sums");
    expect_close(loss.get(), {2 * bce + 3 * (1 - dice), bce, dice, 3}, 1e-15, "loss");
    // Two classes in one pixel of label 1: targets 0, 1; p = 1/4 and 3/4; Dice of each class by itself.
    Block z2(DType::f64, {1, 1, 1, 2}, {-std::log(3.0), std::log(3.0)}), sums2(DType::f64, {1, 1, 2, 5});
    const std::vector<uint8_t> label{1};
    run(exact, k::reference::bce_dice_forward, k::cpu::bce_dice_forward,
        k::BceDiceForwardArgs{z2.view(), label.data(), sums2.data(), loss.data(), {}});
    const double bce2 = std::log(4.0 / 3), dice2 = (1 / 1.25 + 2.5 / 2.75) / 2;
    expect_close(loss.get(), {bce2 + 1 - dice2, bce2, dice2, 2}, 1e-15, "two classes");
}

// 3e-7 is 2.5 ulp of a float: the polynomials' own error is under 1e-8, the rest rounding.
TEST(HostLoss, VectorMathIsAccurate) {
    for (int i = -87000; i <= 88000; i += 7) {
        const float x = float(i) * 1e-3f;
        ASSERT_NEAR(k::cpu::vector_exp(x) / std::exp(double(x)), 1, 3e-7) << x;
    }
    for (int i = 1; i <= 100000; ++i) {
        const float e = float(i) * 1e-5f;
        ASSERT_NEAR(k::cpu::vector_log1p(e) / std::log1p(double(e)), 1, 3e-7) << e;
    }
    EXPECT_EQ(k::cpu::vector_log1p(1e-30f), 1e-30f);
    EXPECT_TRUE(std::isnan(k::cpu::vector_exp(NAN)));
}

}  // namespace atrous::host_test
