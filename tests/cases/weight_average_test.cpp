// The moving average of weights on every device against the reference in double.
#include "kernels/weight_average.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/philox.h"
#include "benchmarks/cases/run.h"
#include "engine/context.h"

namespace atrous::cases {

namespace k = kernels;

namespace {

struct Where {
    DeviceKind kind;
    DType dtype;
};

// Runs of these sizes that begin at these elements of one array: one, a whole chunk, odd ones, and one that no vector
// of four can begin at. Between them lie NaN, which no kernel may read or change.
constexpr int64_t begins[] = {0, 64, 4224, 5000, 9101}, sizes[] = {1, 4096, 130, 4095, 77};
constexpr int64_t length = 9216;

class Averages {
 public:
    explicit Averages(Where where) : device_{where.kind}, dtype_(where.dtype), covered_(length, false) {
        for (size_t i = 0; i < std::size(sizes); ++i) std::fill_n(covered_.begin() + begins[i], sizes[i], true);
        weights = drawn(0), average = drawn(1);
        std::vector<k::AveragedChunk> list;
        for (size_t i = 0; i < std::size(sizes); ++i) {
            const auto at = [&](const Tensor& t) { return t.as<std::byte>() + begins[i] * int64_t(size_of(dtype_)); };
            list.push_back({at(weights), at(average), sizes[i]});
            count_ += sizes[i];
        }
        chunks_ = Tensor::empty({int64_t(list.size() * sizeof list[0])}, DType::u8, device_);
        chunks_.copy_from_host(list.data(), chunks_.bytes());
        state_ = Tensor::empty({int64_t(sizeof(k::StepState))}, DType::u8, device_);
    }
    void update(const k::StepState& state, double decay) {
        state_.copy_from_host(&state, sizeof state);
        run(device_, {k::reference::average_weights, k::cpu::average_weights, k::cuda::average_weights},
            k::AverageWeightsArgs{of(), state_.as<k::StepState>(), decay});
    }
    void add(double share) {
        run(device_, {k::reference::average_weights, k::cpu::average_weights, k::cuda::average_weights},
            k::AverageWeightsArgs{of(), nullptr, 0, share});
    }
    void exchange() {
        run(device_, {k::reference::exchange_weights, k::cpu::exchange_weights, k::cuda::exchange_weights},
            k::ExchangeWeightsArgs{of()});
    }
    std::vector<double> covered(const Tensor& t) const {
        std::vector<double> some;
        const auto all = values_in(t);
        for (size_t i = 0; i < all.size(); ++i) {
            if (covered_[i]) some.push_back(all[i]);
            EXPECT_EQ(std::isnan(all[i]), !covered_[i]) << "element " << i;
        }
        return some;
    }
    void draw_weights(uint64_t draw) { weights.copy_from(drawn(draw)); }
    Tensor weights, average;

 private:
    Tensor drawn(uint64_t draw) const {
        Random random(5, draw);
        std::vector<double> values(static_cast<size_t>(length));
        for (size_t i = 0; i < values.size(); ++i) {
            const double value = float(random.uniform(-1, 1));
            values[i] = covered_[i] ? value : NAN;
        }
        return tensor_of({length}, dtype_, device_, Pitch::dense, values);
    }
    k::AveragedWeights of() const {
        return {dtype_, count_, chunks_.as<k::AveragedChunk>(), int64_t(std::size(sizes))};
    }

    Device device_;
    DType dtype_;
    std::vector<bool> covered_;
    Tensor chunks_, state_;
    int64_t count_ = 0;
};

class WeightAverageTest : public testing::TestWithParam<Where> {
 protected:
    void SetUp() override {
        std::string why;
        if (GetParam().kind == DeviceKind::gpu && gpu::device_count(&why) == 0) GTEST_SKIP() << why;
    }
};

TEST_P(WeightAverageTest, FollowsTheFormulaThroughTheRampAndBeyond) {
    Averages tested(GetParam());
    std::vector<double> expected = tested.covered(tested.average);
    for (const int64_t steps : {1, 2, 7, 79, 80, 100, 1000000}) {  // the ramp to 0.9 ends at 80
        tested.draw_weights(uint64_t(steps) + 2);
        k::StepState state;
        state.step = steps;
        tested.update(state, 0.9);
        const double d = std::min(0.9, (1 + double(steps)) / (10 + double(steps)));
        const auto weights = tested.covered(tested.weights);
        for (size_t i = 0; i < expected.size(); ++i) expected[i] = d * expected[i] + (1 - d) * weights[i];
    }
    const auto found = tested.covered(tested.average);
    // Seven roundings of values below 1, each of half a unit in the last place and one of the rate.
    const double tolerance = GetParam().dtype == DType::f64 ? 1e-14 : 7 * 1e-7;
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(found[i], expected[i], tolerance) << i;
}

TEST_P(WeightAverageTest, SharesOfOneHalfAThirdAndSoOnGiveTheMean) {
    Averages tested(GetParam());
    std::vector<double> sum(tested.covered(tested.weights).size());
    for (int n = 1; n <= 7; ++n) {
        tested.draw_weights(uint64_t(n) + 20);
        tested.add(1. / n);
        const auto weights = tested.covered(tested.weights);
        for (size_t i = 0; i < sum.size(); ++i) sum[i] += weights[i];
    }
    const auto found = tested.covered(tested.average);
    // Seven roundings of values below 1, each of half a unit in the last place, one of the share and one of the difference.
    const double tolerance = GetParam().dtype == DType::f64 ? 1e-14 : 7 * 2e-7;
    for (size_t i = 0; i < sum.size(); ++i) ASSERT_NEAR(found[i], sum[i] / 7, tolerance) << i;
}

TEST_P(WeightAverageTest, AStepThatWasNotAppliedChangesNothing) {
    Averages tested(GetParam());
    const auto before = tested.covered(tested.average);
    k::StepState state;
    state.step = 5, state.found_nonfinite = 1;
    tested.update(state, 0.9);
    EXPECT_EQ(tested.covered(tested.average), before);
}

TEST_P(WeightAverageTest, AnAverageThatEqualsItsWeightStaysEqual) {
    Averages tested(GetParam());
    tested.average.copy_from(tested.weights);
    const auto before = tested.covered(tested.weights);
    for (int step = 1; step < 20; ++step) {
        k::StepState state;
        state.step = step;
        tested.update(state, 0.999);
    }
    EXPECT_EQ(tested.covered(tested.average), before);
}

TEST_P(WeightAverageTest, ExchangesAndBack) {
    Averages tested(GetParam());
    const auto weights = tested.covered(tested.weights), average = tested.covered(tested.average);
    tested.exchange();
    EXPECT_EQ(tested.covered(tested.weights), average);
    EXPECT_EQ(tested.covered(tested.average), weights);
    tested.exchange();
    EXPECT_EQ(tested.covered(tested.weights), weights);
    EXPECT_EQ(tested.covered(tested.average), average);
}

INSTANTIATE_TEST_SUITE_P(Devices, WeightAverageTest,
                         testing::Values(Where{DeviceKind::reference, DType::f32},
                                         Where{DeviceKind::reference, DType::f64}, Where{DeviceKind::cpu, DType::f32},
                                         Where{DeviceKind::cpu, DType::f64}, Where{DeviceKind::gpu, DType::f32}),
                         [](const auto& info) {
                             const DeviceKind kind = info.param.kind;
                             return std::string(kind == DeviceKind::gpu   ? "gpu_"
                                                : kind == DeviceKind::cpu ? "cpu_"
                                                                          : "reference_") +
                                    name_of(info.param.dtype);
                         });

}  // namespace

}  // namespace atrous::cases
