// Optimizer steps on arenas: twenty steps on every device against the reference in double.
#include "kernels/optim.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/philox.h"
#include "benchmarks/cases/case.h"
#include "benchmarks/cases/run.h"
#include "engine/context.h"

namespace atrous::cases {

namespace k = kernels;

namespace {

enum class Rule { sgd, adam, adamw, rmsprop };

struct Recipe {
    std::string label;
    Rule rule = Rule::sgd;
    double momentum = 0;
    bool nesterov = false;
    double max_norm = 0;
    std::vector<k::OptimGroup> groups = {{}, {}};
    float loss_scale = 1;
    bool dynamic_loss_scale = false;
    int growth_interval = 2000;
    int poisoned_step = -1;   // its gradients hold an infinity
    DType half = DType::f32;  // f32: no half-precision copy
};

struct Where {
    DeviceKind kind;
    DType dtype;
};

// Parameters of these sizes, each beginning at a multiple of 64 elements as in an engine's arena; the second belongs to
// group 1, and the fourth is frozen: no chunk covers it.
constexpr int64_t sizes[] = {1, 4096, 9001, 130, 63, 65, 4097};
constexpr size_t frozen = 3;

std::vector<int64_t> offsets() {
    std::vector<int64_t> list;
    int64_t at = 0;
    for (int64_t size : sizes) {
        list.push_back(at);
        at += ceil_div(size, 64) * 64;
    }
    list.push_back(at);
    return list;
}

std::vector<k::OptimChunk> chunks() {
    std::vector<k::OptimChunk> list;
    const auto begin = offsets();
    for (size_t i = 0; i < std::size(sizes); ++i)
        for (int64_t at = 0; i != frozen && at < sizes[i]; at += k::optim_chunk_elements)
            list.push_back({begin[i] + at, int32_t(std::min<int64_t>(k::optim_chunk_elements, sizes[i] - at)), i == 1});
    return list;
}

std::vector<bool> covered() {
    std::vector<bool> in(size_t(offsets().back()), false);
    for (const k::OptimChunk& c : chunks()) std::fill_n(in.begin() + c.begin, c.count, true);
    return in;
}

template <class T>
Tensor on_device(Device device, const T* data, size_t count) {
    Tensor t = Tensor::empty({int64_t(count * sizeof(T))}, DType::u8, device);
    t.copy_from_host(data, count * sizeof(T));
    return t;
}

// An arena whose gaps and frozen parameters hold NaN: what reads or counts them shows.
class Training {
 public:
    Training(const Recipe& recipe, Where where)
        : recipe_(recipe), device_{where.kind}, dtype_(where.dtype), covered_(covered()) {
        const Shape shape{int64_t(covered_.size())};
        parameters = tensor(0, [](double u) { return u; });
        gradients = Tensor::empty(shape, dtype_, device_);
        moment1 = tensor(0, [](double) { return 0; });
        moment2 = tensor(0, [](double) { return 0; });
        if (recipe.half != DType::f32) halves = tensor_of(shape, recipe.half, device_, Pitch::dense, {});
        const auto list = chunks();
        chunks_ = on_device(device_, list.data(), list.size());
        chunk_count_ = int64_t(list.size());
        k::StepState state;
        state.loss_scale = recipe.loss_scale;
        state_ = on_device(device_, &state, 1);
    }

    void step(int number) {
        gradients = tensor(uint64_t(number) + 1, [&](double u) { return u * state().loss_scale; });
        if (number == recipe_.poisoned_step) poison();
        k::StepState s = state();
        s.learning_rate = 0.02 / (1 + number);
        state_.copy_from_host(&s, sizeof s);
        auto* on = state_.as<k::StepState>();
        run(device_, {k::reference::grad_statistics, k::cpu::grad_statistics, k::cuda::grad_statistics},
            k::GradStatisticsArgs{arena(), on, recipe_.max_norm});
        if (recipe_.rule == Rule::sgd)
            run(device_, {k::reference::sgd_step, k::cpu::sgd_step, k::cuda::sgd_step},
                k::SgdArgs{arena(), on, recipe_.momentum, recipe_.nesterov});
        else if (recipe_.rule == Rule::rmsprop)
            run(device_, {k::reference::rmsprop_step, k::cpu::rmsprop_step, k::cuda::rmsprop_step},
                k::RmspropArgs{arena(), on, 0.9, 1e-8, recipe_.momentum});
        else
            run(device_, {k::reference::adam_step, k::cpu::adam_step, k::cuda::adam_step},
                k::AdamArgs{arena(), on, 0.9, 0.999, 1e-8, recipe_.rule == Rule::adamw});
        run(device_, {k::reference::finish_step, k::cpu::finish_step, k::cuda::finish_step},
            k::FinishStepArgs{on, recipe_.dynamic_loss_scale, recipe_.growth_interval});
    }

    k::StepState state() const {
        k::StepState s;
        state_.copy_to_host(&s, sizeof s);
        return s;
    }
    std::vector<double> trained(const Tensor& t) const {  // of the chunks alone
        const auto all = values_in(t);
        std::vector<double> some;
        for (size_t i = 0; i < all.size(); ++i)
            if (covered_[i]) some.push_back(all[i]);
        return some;
    }
    std::vector<std::vector<double>> everything() const {
        return {trained(parameters), trained(moment1), trained(moment2)};
    }
    bool gaps_are_untouched(const Tensor& t) const {
        const auto all = values_in(t);
        for (size_t i = 0; i < all.size(); ++i)
            if (!covered_[i] && !std::isnan(all[i])) return false;
        return true;
    }

    Tensor parameters, gradients, moment1, moment2, halves;

 private:
    template <class F>
    Tensor tensor(uint64_t draw, F f) const {
        Random random(7, draw);
        std::vector<double> values(covered_.size());
        for (double& v : values) v = float(random.uniform(-1, 1));
        for (size_t i = 0; i < values.size(); ++i) values[i] = covered_[i] ? f(values[i]) : NAN;
        return tensor_of({int64_t(values.size())}, dtype_, device_, Pitch::dense, values);
    }
    void poison() {
        auto values = values_in(gradients);
        values[size_t(offsets()[2]) + 8999] = std::numeric_limits<double>::infinity();
        gradients = tensor_of(gradients.shape(), dtype_, device_, Pitch::dense, values);
    }
    k::Arena arena() const {
        const bool moments = recipe_.rule != Rule::sgd, adam = moments && recipe_.rule != Rule::rmsprop;
        k::Arena a{parameters.data(),
                   gradients.data(),
                   adam || recipe_.momentum != 0 ? moment1.data() : nullptr,
                   moments ? moment2.data() : nullptr,
                   halves.data(),
                   dtype_,
                   recipe_.half == DType::f32 ? DType::bf16 : recipe_.half,
                   int64_t(covered_.size()),
                   chunks_.as<k::OptimChunk>(),
                   chunk_count_,
                   {}};
        a.groups[0] = recipe_.groups[0];
        a.groups[1] = recipe_.groups[1];
        return a;
    }

    Recipe recipe_;
    Device device_;
    DType dtype_;
    std::vector<bool> covered_;
    Tensor chunks_, state_;
    int64_t chunk_count_ = 0;
};

const std::vector<Recipe>& recipes() {
    static const std::vector<Recipe> list{
        {.label = "sgd"},
        {.label = "sgd_decay", .groups = {{0.1, 1}, {0, 0.1}}},
        {.label = "sgd_momentum", .momentum = 0.9},
        {.label = "sgd_nesterov", .momentum = 0.9, .nesterov = true, .groups = {{1e-2, 1}, {0, 1}}},
        {.label = "sgd_clipped", .momentum = 0.9, .max_norm = 5},
        {.label = "sgd_hardly_clipped", .max_norm = 1e6},
        {.label = "sgd_bad_step",
         .momentum = 0.9,
         .loss_scale = 1024,
         .dynamic_loss_scale = true,
         .poisoned_step = 6,
         .half = DType::f16},
        {.label = "sgd_first_step_bad", .momentum = 0.9, .poisoned_step = 0},
        {.label = "adam", .rule = Rule::adam},
        {.label = "adam_decay", .rule = Rule::adam, .groups = {{0.1, 1}, {0, 0.1}}},
        {.label = "adam_clipped", .rule = Rule::adam, .max_norm = 5, .half = DType::bf16},
        {.label = "adam_growing_scale",
         .rule = Rule::adam,
         .loss_scale = 4,
         .dynamic_loss_scale = true,
         .growth_interval = 3,
         .poisoned_step = 10,
         .half = DType::f16},
        {.label = "adam_bad_step_fixed_scale", .rule = Rule::adam, .loss_scale = 8, .poisoned_step = 3},
        {.label = "adamw", .rule = Rule::adamw, .groups = {{0.1, 1}, {0, 1}}},
        {.label = "adamw_clipped",
         .rule = Rule::adamw,
         .max_norm = 1,
         .groups = {{0.01, 1}, {0.2, 0.5}},
         .half = DType::bf16},
        {.label = "rmsprop", .rule = Rule::rmsprop},
        {.label = "rmsprop_decay", .rule = Rule::rmsprop, .groups = {{0.1, 1}, {0, 0.1}}, .half = DType::bf16},
        {.label = "rmsprop_momentum_clipped", .rule = Rule::rmsprop, .momentum = 0.9, .max_norm = 5},
        {.label = "rmsprop_bad_step",
         .rule = Rule::rmsprop,
         .momentum = 0.9,
         .loss_scale = 1024,
         .dynamic_loss_scale = true,
         .poisoned_step = 6,
         .half = DType::f16}};
    return list;
}

class OptimTest : public testing::TestWithParam<std::tuple<size_t, Where>> {
 protected:
    void SetUp() override {
        std::string why;
        if (where().kind == DeviceKind::gpu && gpu::device_count(&why) == 0) GTEST_SKIP() << why;
    }
    const Recipe& recipe() const { return recipes()[std::get<0>(GetParam())]; }
    Where where() const { return std::get<1>(GetParam()); }
    // Twenty roundings of each value, and Adam's quotient of two of them where gradients are small.
    double tolerance() const { return where().dtype == DType::f64 ? 1e-12 : 2e-5; }
    void expect_near(const char* what, const std::vector<double>& got, const std::vector<double>& expected) const {
        double scale = 0, worst = 0;
        for (size_t i = 0; i < expected.size(); ++i) {
            ASSERT_TRUE(std::isfinite(got[i])) << what << " " << i;
            scale = std::max(scale, std::abs(expected[i]));
            worst = std::max(worst, std::abs(got[i] - expected[i]));
        }
        EXPECT_LE(worst, tolerance() * scale) << what;
    }
};

void expect_same(const k::StepState& got, const k::StepState& expected, double tolerance) {
    EXPECT_EQ(got.step, expected.step);
    EXPECT_EQ(got.attempts, expected.attempts);
    EXPECT_EQ(got.first_bad_attempt, expected.first_bad_attempt);
    EXPECT_EQ(got.loss_scale, expected.loss_scale);
    EXPECT_EQ(got.good_steps, expected.good_steps);
    EXPECT_EQ(got.found_nonfinite, expected.found_nonfinite);
    EXPECT_EQ(got.learning_rate, expected.learning_rate);
    if (expected.found_nonfinite) return;  // then norm and factor are not used
    EXPECT_NEAR(got.grad_norm, expected.grad_norm, tolerance * expected.grad_norm);
    EXPECT_NEAR(got.clip_factor, expected.clip_factor, tolerance);
}

TEST_P(OptimTest, TwentyStepsEqualTheReference) {
    Training truth(recipe(), {DeviceKind::reference, DType::f64}), tested(recipe(), where());
    const auto start = truth.trained(truth.parameters);
    for (int step = 0; step < 20; ++step) {
        const auto before = tested.everything();
        truth.step(step);
        tested.step(step);
        expect_same(tested.state(), truth.state(), tolerance());
        if (step == recipe().poisoned_step) {
            EXPECT_EQ(tested.everything(), before) << "a bad step changed something";
        }
        if (HasFailure()) FAIL() << "step " << step;
    }
    const auto end = truth.trained(truth.parameters);
    for (size_t i = 0; i < start.size(); ++i) ASSERT_NE(start[i], end[i]) << "the reference left parameter " << i;
    expect_near("parameters", tested.trained(tested.parameters), end);
    expect_near("moment1", tested.trained(tested.moment1), truth.trained(truth.moment1));
    expect_near("moment2", tested.trained(tested.moment2), truth.trained(truth.moment2));
    for (const Tensor* t : {&tested.parameters, &tested.moment1, &tested.moment2})
        EXPECT_TRUE(tested.gaps_are_untouched(*t));
    if (!tested.halves.defined()) return;
    EXPECT_EQ(tested.trained(tested.halves), rounded(tested.trained(tested.parameters), recipe().half));
    EXPECT_TRUE(tested.gaps_are_untouched(tested.halves));
}

INSTANTIATE_TEST_SUITE_P(
    Recipes, OptimTest,
    testing::Combine(testing::Range<size_t>(0, recipes().size()),
                     testing::Values(Where{DeviceKind::reference, DType::f32}, Where{DeviceKind::cpu, DType::f64},
                                     Where{DeviceKind::cpu, DType::f32}, Where{DeviceKind::gpu, DType::f32})),
    [](const auto& info) {
        const Where w = std::get<1>(info.param);
        const char* kind = w.kind == DeviceKind::gpu ? "gpu" : w.kind == DeviceKind::cpu ? "cpu" : "reference";
        return recipes()[std::get<0>(info.param)].label + "_" + kind + "_" + name_of(w.dtype);
    });

}  // namespace

}  // namespace atrous::cases
