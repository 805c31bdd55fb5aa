// Automatic differentiation: what the tape records, and where gradients end up. Ops themselves are tested by
// tests/cases.
#include "engine/autograd/tape.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/ops/activation.h"
#include "engine/ops/conv.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/loss.h"
#include "engine/ops/norm.h"
#include "engine/ops/pool.h"
#include "engine/ops/resize.h"

namespace atrous {
namespace {

using Values = std::vector<double>;

// The same graphs on the plain loops and on the optimized kernels, whose demands on layout are stricter.
class TapeTest : public testing::TestWithParam<DeviceKind> {
 protected:
    void SetUp() override {
        std::string why;
        if (GetParam() == DeviceKind::gpu && gpu::device_count(&why) == 0) GTEST_SKIP() << why;
    }
    Device device() const { return {GetParam()}; }
    DType dtype() const { return GetParam() == DeviceKind::gpu ? DType::f32 : DType::f64; }
    double tolerance() const { return GetParam() == DeviceKind::gpu ? 1e-5 : 1e-12; }

    Tensor tensor(const Shape& shape, const Values& values) const {
        Tensor t = Tensor::empty(shape, dtype(), device());
        if (dtype() == DType::f64) {
            t.copy_from_host(values.data(), values.size() * sizeof(double));
        } else {
            const std::vector<float> rounded(values.begin(), values.end());
            t.copy_from_host(rounded.data(), rounded.size() * sizeof(float));
        }
        return t;
    }
    // first, first + step, … in every element.
    Tensor ramp(const Shape& shape, double first = 1, double step = 1) const {
        Values values;
        for (int64_t i = 0; i < shape.count(); ++i) values.push_back(first + step * double(i));
        return tensor(shape, values);
    }
    Values values(const Tensor& t) const {
        if (!t.defined()) return {};
        Tensor dense = empty_like(t);
        dense.copy_from(t);
        if (dtype() == DType::f64) return dense.to_host<double>();
        const auto floats = dense.to_host<float>();
        return {floats.begin(), floats.end()};
    }
    void expect_near(const Values& a, const Values& b) const {
        ASSERT_EQ(a.size(), b.size());
        for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance() * std::max(1.0, std::abs(b[i]))) << i;
    }
    Tensor parameter(const Shape& shape, const Values& initial) const {
        Tensor t = tensor(shape, initial);
        auto leaf = std::make_shared<Leaf>();
        leaf->gradient = std::make_shared<Tensor>(Tensor::full(shape, dtype(), device(), 99));
        t.set_leaf(leaf);
        return t;
    }
    Values leaf_gradient(const Tensor& t) const { return values(*t.leaf()->gradient); }
};

TEST_P(TapeTest, RecordsNothingWithoutATape) {
    EXPECT_EQ(Tape::current(), nullptr);
    const Tensor x = tensor({1, 1, 1, 2}, {-1, 2});
    EXPECT_EQ(values(relu(x)), (Values{0, 2}));
    Tape tape;
    EXPECT_EQ(Tape::current(), &tape);
    relu(x);
    EXPECT_TRUE(tape.entries().empty()) << "nothing asked for a gradient";
}

TEST_P(TapeTest, AddsTheGradientsOfAValueUsedTwice) {
    const Tensor x = tensor({1, 1, 1, 3}, {-1, 2, 3});
    Tape tape;
    tape.watch(x);
    const Tensor r = relu(x);
    const Tensor y = add(add(r, x), r);  // x + 2 relu(x)
    tape.backward(y, tensor({1, 1, 1, 3}, {1, 10, 100}));
    EXPECT_EQ(values(tape.gradient(x)), (Values{1, 30, 300}));
    EXPECT_TRUE(tape.entries().empty());
}

TEST_P(TapeTest, AddsAValueToItself) {
    const Tensor x = tensor({1, 1, 1, 2}, {1, 2});
    Tape tape;
    tape.watch(x);
    tape.backward(add(x, x), tensor({1, 1, 1, 2}, {3, 5}));
    EXPECT_EQ(values(tape.gradient(x)), (Values{6, 10}));
}

TEST_P(TapeTest, LeavesTheSeedAsItWas) {
    const Tensor x = ramp({1, 1, 2, 2}), seed = ramp({1, 1, 2, 4}), z = ramp({1, 1, 2, 2});
    const Values before = values(seed);
    Tape tape;
    tape.watch(x);
    tape.watch(z);
    tape.backward(concat(x, x), seed);
    EXPECT_EQ(values(tape.gradient(x)), (Values{4, 6, 12, 14}));
    EXPECT_EQ(values(seed), before);
    const Values sum = values(tape.gradient(x));
    seed.storage()->touch();
    Tensor(seed).fill(0);
    EXPECT_EQ(values(tape.gradient(x)), sum) << "a gradient must not lie in the caller's memory";
}

TEST_P(TapeTest, KeepsTheGradientOfAWatchedConcatenation) {
    const Tensor x = ramp({1, 1, 1, 2});
    Tape tape;
    tape.watch(x);
    const Tensor y = concat(x, x);
    tape.watch(y);
    tape.backward(relu(y), tensor({1, 1, 1, 4}, {1, 2, 10, 20}));
    EXPECT_EQ(values(tape.gradient(x)), (Values{11, 22}));
    EXPECT_EQ(values(tape.gradient(y)), (Values{1, 2, 10, 20}));
}

// A skip connection: the value goes into a concatenation and onwards into other ops.
TEST_P(TapeTest, AddsToAGradientThatIsAChannelSlice) {
    const Tensor weight = tensor({1, 1, 1, 2}, {3, 5});
    for (const char* other : {"relu", "pool", "conv", "up", "norm", "resize"}) {
        const Tensor x = ramp({1, 2, 2, 2});
        const std::string op = other;
        Tape tape;
        tape.watch(x);
        Tensor deeper;
        if (op == "relu") deeper = relu(x);
        if (op == "pool") deeper = bilinear(max_pool(x), 2, 2, true);
        if (op == "conv") deeper = conv2d(x, weight, {}, {});
        if (op == "up") deeper = max_pool(conv_transpose2x2(x, ramp({2, 2, 1, 2}), {}));
        if (op == "norm") deeper = batch_norm(x, {ramp({2}), ramp({2}), ramp({2}), ramp({2}), {}}, {.training = false});
        if (op == "resize") deeper = bilinear(x, 2, 2, false);
        const Tensor y = concat(x, deeper);
        Values seed(size_t(y.count()), 0);
        for (size_t i = 0; i < seed.size(); ++i) seed[i] = int64_t(i) % y.dim(3) < 2 ? 1 : 0;  // into x's part alone
        tape.backward(y, tensor(y.shape(), seed));
        EXPECT_EQ(values(tape.gradient(x)), Values(8, 1)) << op;

        Tape again;
        again.watch(x);
        Tensor mixed = op == "conv" ? conv2d(x, weight, {}, {}) : relu(x);
        mixed = concat(x, mixed);
        again.backward(mixed, Tensor::full(mixed.shape(), dtype(), device(), 1));
        const Values expected = op == "conv" ? Values{4, 6, 4, 6, 4, 6, 4, 6} : Values(8, 2);
        EXPECT_EQ(values(again.gradient(x)), expected) << op;
    }
}

TEST_P(TapeTest, NormalizesAValueThatIsItsOwnResidual) {
    const BatchNormParameters p{ramp({2}), ramp({2}), ramp({2}), ramp({2}), {}};
    for (bool training : {false, true})
        for (bool relu : {false, true}) {
            const Tensor x = tensor({1, 2, 2, 2}, {-1, 4, 2, -3, 5, 1, -2, 7}), seed = ramp({1, 2, 2, 2}, 1, 0.5);
            Tensor twin = empty_like(x);
            twin.copy_from(x);
            const BatchNormOptions options{.training = training, .update_running = false, .relu = relu};
            Tape tape;
            tape.watch(x);
            tape.backward(batch_norm(x, p, options, x), seed);
            Tape apart;
            apart.watch(x);
            apart.watch(twin);
            apart.backward(batch_norm(x, p, options, twin), seed);
            Values sum = values(apart.gradient(x));
            const Values other = values(apart.gradient(twin));
            for (size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
            expect_near(values(tape.gradient(x)), sum);
        }
}

TEST_P(TapeTest, AddsAtTheSecondUseOfALeaf) {
    const Tensor w = parameter({1, 1, 1, 1}, {2}), x = tensor({1, 1, 1, 1}, {3});
    {
        Tape tape;
        const Tensor y = conv2d(conv2d(x, w, {}, {}), w, {}, {});  // x w^2
        tape.backward(y);
        EXPECT_EQ(leaf_gradient(w), Values{12}) << "2 x w; what was there before is overwritten";
        EXPECT_FALSE(w.leaf()->fresh);
    }
    Tape tape;
    tape.backward(conv2d(x, w, {}, {}));
    EXPECT_EQ(leaf_gradient(w), Values{15}) << "a second backward pass adds";
    w.leaf()->fresh = true;
    Tape last;
    last.backward(conv2d(x, w, {}, {}));
    EXPECT_EQ(leaf_gradient(w), Values{3});
}

TEST_P(TapeTest, SkipsInputsThatWantNoGradient) {
    const Tensor x = ramp({1, 2, 2, 2}), w = parameter({1, 1, 1, 2}, {1, 2}), b = tensor({1}, {0});
    Tape tape;
    const Tensor y = conv2d(x, w, b, {});
    const Tensor side = relu(x);
    ASSERT_EQ(tape.entries().size(), 1u) << "relu(x) needs no gradient, so it is not kept";
    tape.backward(y, Tensor::full(y.shape(), dtype(), device(), 1));
    EXPECT_EQ(leaf_gradient(w), (Values{1 + 3 + 5 + 7, 2 + 4 + 6 + 8}));
    EXPECT_FALSE(tape.gradient(x).defined());
    EXPECT_FALSE(tape.gradient(b).defined());
    EXPECT_FALSE(tape.gradient(side).defined());
}

TEST_P(TapeTest, RefusesAValueThatNoParameterReached) {
    Tape tape;
    const Tensor y = relu(ramp({1, 1, 1, 1}));
    EXPECT_THROW(tape.backward(y), Error);
}

TEST_P(TapeTest, LeavesBranchesThatDoNotReachTheOutputOut) {
    const Tensor x = ramp({1, 1, 1, 2});
    Tape tape;
    tape.watch(x);
    const Tensor unused = sigmoid(x);
    tape.watch(unused);
    tape.backward(relu(x), tensor({1, 1, 1, 2}, {1, 1}));
    EXPECT_EQ(values(tape.gradient(x)), (Values{1, 1}));
    EXPECT_FALSE(tape.gradient(unused).defined());
}

TEST_P(TapeTest, KeepsWatchedValuesOnTheWay) {
    const Tensor x = ramp({1, 1, 1, 2});
    Tape tape;
    tape.watch(x);
    const Tensor middle = add(x, x);
    tape.watch(middle);
    const Tensor hidden = relu(middle);
    tape.backward(relu(hidden), tensor({1, 1, 1, 2}, {1, 2}));
    EXPECT_EQ(values(tape.gradient(middle)), (Values{1, 2}));
    EXPECT_EQ(values(tape.gradient(x)), (Values{2, 4}));
    EXPECT_FALSE(tape.gradient(hidden).defined()) << "other gradients are given back on the way";
}

TEST_P(TapeTest, DetectsASavedValueThatWasOverwritten) {
    const Tensor x = ramp({1, 1, 1, 2});
    for (bool overwrite : {false, true}) {
        Tape tape;
        tape.watch(x);
        Tensor y = relu(x);
        if (overwrite) y.fill(1);
        const Tensor seed = tensor({1, 1, 1, 2}, {1, 1});
        if (!overwrite) {
            EXPECT_NO_THROW(tape.backward(y, seed));
            continue;
        }
        try {
            tape.backward(y, seed);
            ADD_FAILURE() << "the overwritten value was used";
        } catch (const Error& e) {
            EXPECT_NE(std::string(e.what()).find("relu"), std::string::npos) << e.what();
            EXPECT_NE(std::string(e.what()).find("overwritten"), std::string::npos) << e.what();
        }
    }
}

TEST_P(TapeTest, DetectsAnOverwriteThroughASlice) {
    const Tensor wide = ramp({1, 1, 1, 16}), x = wide.slice_channels(0, 8), other = ramp({1, 1, 1, 8});
    const Tensor weight = parameter({1, 1, 1, 8}, Values(8, 1));
    Tape tape;
    const Tensor y = conv_transpose2x2(x, parameter({2, 2, 1, 8}, Values(32, 1)), {});
    wide.slice_channels(0, 8).copy_from(other);
    EXPECT_THROW(tape.backward(y, Tensor::full(y.shape(), dtype(), device(), 1)), Error);
}

TEST_P(TapeTest, PausesForNoTape) {
    const Tensor x = ramp({1, 1, 1, 1});
    Tape tape;
    tape.watch(x);
    const Tensor y = relu(x);
    {
        NoTape off;
        EXPECT_EQ(Tape::current(), nullptr);
        relu(y);
        Tape inner;
        EXPECT_EQ(Tape::current(), &inner);
    }
    EXPECT_EQ(Tape::current(), &tape);
    EXPECT_EQ(tape.entries().size(), 1u);
}

TEST_P(TapeTest, NestsTapes) {
    const Tensor x = ramp({1, 1, 1, 1});
    Tape outer;
    outer.watch(x);
    const Tensor y = relu(x);
    {
        Tape inner;
        inner.watch(y);
        const Tensor z = add(y, y);
        EXPECT_EQ(inner.entries().size(), 1u);
        inner.backward(z);
        EXPECT_EQ(values(inner.gradient(y)), Values{2});
    }
    EXPECT_EQ(outer.entries().size(), 1u);
    outer.backward(y);
    EXPECT_EQ(values(outer.gradient(x)), Values{1});
}

TEST_P(TapeTest, RecordsNothingDuringBackward) {
    const Tensor x = ramp({1, 1, 1, 1});
    Tape tape;
    tape.watch(x);
    tape.backward(relu(x));
    EXPECT_TRUE(tape.entries().empty());
    EXPECT_EQ(Tape::current(), &tape);
}

TEST_P(TapeTest, NamesTheModuleThatRan) {
    const Tensor x = ramp({1, 1, 1, 1});
    Tape tape;
    tape.watch(x);
    {
        const ModuleScope up("up1");
        Tensor y;
        {
            const ModuleScope conv("conv");
            EXPECT_EQ(ModuleScope::path(), "up1.conv");
            y = relu(x);
        }
        const ModuleScope unnamed("");
        EXPECT_EQ(ModuleScope::path(), "up1");
        relu(y);
    }
    EXPECT_EQ(ModuleScope::path(), "");
    relu(x);
    ASSERT_EQ(tape.entries().size(), 3u);
    EXPECT_EQ(tape.entries()[0].module, "up1.conv");
    EXPECT_EQ(tape.entries()[1].module, "up1");
    EXPECT_EQ(tape.entries()[2].module, "");
}

TEST_P(TapeTest, ConcatenatesInPlaceAsByCopy) {
    const Tensor a = ramp({1, 2, 3, 2}, -5), b = ramp({1, 1, 2, 3}, -4, 0.5), seed = ramp({1, 2, 3, 5}, 1, 0.25);
    const BatchNormParameters p{ramp({2}), ramp({2}), ramp({2}), ramp({2}), {}};
    Values outputs[2], gradients[2][2];
    for (bool in_place : {false, true}) {
        const int64_t channels[] = {2, 3};
        std::vector<Tensor> parts(2);
        if (in_place) parts = reserve_concat(1, 2, 3, channels, dtype(), device());
        Tape tape;
        tape.watch(a);
        tape.watch(b);
        const Tensor left = batch_norm(a, p, {.training = true, .update_running = false, .relu = true}, {}, parts[0]);
        const Tensor right = bilinear(b, 2, 3, false, parts[1]);
        const Tensor y = concat(left, right);
        EXPECT_EQ(y.is_dense(), true);
        EXPECT_EQ(y.data() == left.data(), in_place);
        outputs[in_place] = values(y);
        tape.backward(add(y, y), seed);
        gradients[in_place][0] = values(tape.gradient(a));
        gradients[in_place][1] = values(tape.gradient(b));
    }
    expect_near(outputs[0], outputs[1]);
    expect_near(gradients[0][0], gradients[1][0]);
    expect_near(gradients[0][1], gradients[1][1]);
}

TEST_P(TapeTest, CastsToTheSameTypeForNothing) {
    const Tensor x = ramp({1, 1, 1, 2});
    Tape tape;
    tape.watch(x);
    EXPECT_EQ(cast(x, dtype()).id(), x.id());
    EXPECT_TRUE(tape.entries().empty());
}

INSTANTIATE_TEST_SUITE_P(Devices, TapeTest, testing::Values(DeviceKind::reference, DeviceKind::cpu, DeviceKind::gpu),
                         [](const auto& info) {
                             return info.param == DeviceKind::gpu ? std::string("gpu") : name_of(Device{info.param});
                         });

TEST(Tracing, RecordsShapesWithoutMemory) {
    const Device meta{DeviceKind::meta};
    const auto vector = [&] { return Tensor::empty({8}, DType::f32, meta); };
    Tape tape(Tape::Mode::tracing);
    const Tensor x = Tensor::empty({2, 64, 48, 3}, DType::f32, meta);
    Tensor y = conv2d(x, Tensor::empty({8, 3, 3, 3}, DType::f32, meta), vector(), {.stride = 2, .padding = 1});
    const Tensor skip = y = batch_norm(y, {vector(), vector(), vector(), vector(), {}}, {.relu = true});
    y = conv_transpose2x2(max_pool(y), Tensor::empty({2, 2, 8, 8}, DType::f32, meta), {});
    y = bilinear(sigmoid(concat(skip, y)), 64, 48, true);
    const Tensor loss = bce_dice(y, Tensor::empty({2, 64, 48, 1}, DType::u8, meta)).loss;

    std::vector<std::string> found;
    for (const Entry& e : tape.entries()) {
        found.push_back(e.op + " " + e.output.shape.text());
        EXPECT_TRUE(e.saved.empty()) << e.op;
        EXPECT_FALSE(e.backward) << e.op;
    }
    EXPECT_EQ(found, (std::vector<std::string>{"conv2d 2x32x24x8", "batch_norm 2x32x24x8", "max_pool 2x16x12x8",
                                               "conv_transpose2x2 2x32x24x8", "concat 2x32x24x16", "sigmoid 2x32x24x16",
                                               "bilinear 2x64x48x16", "bce_dice 1"}));
    EXPECT_EQ(tape.entries()[1].inputs[0].id, tape.entries()[0].output.id) << "values are followed by their ids";
    EXPECT_EQ(loss.data(), nullptr);
    EXPECT_THROW(tape.backward(loss), Error) << "a trace cannot be walked backwards";
}

TEST(Tracing, StatesAttributes) {
    Tape tape(Tape::Mode::tracing);
    const Device meta{DeviceKind::meta};
    conv2d(Tensor::empty({1, 9, 9, 2}, DType::f32, meta), Tensor::empty({4, 3, 3, 2}, DType::f32, meta), {},
           {.stride = 1, .padding = 2, .dilation = 2});
    ASSERT_EQ(tape.entries().size(), 1u);
    const auto& attributes = tape.entries()[0].attributes;
    ASSERT_EQ(attributes.size(), 3u);
    EXPECT_EQ(attributes[2].first, "dilation");
    EXPECT_EQ(std::get<int64_t>(attributes[2].second), 2);
}

}  // namespace
}  // namespace atrous
