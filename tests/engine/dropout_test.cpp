// What the mask of dropout is keyed by, and that it drops as often as it says.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/context.h"
#include "engine/nn/layers.h"
#include "engine/ops/dropout.h"

namespace atrous {

constexpr Device cpu{DeviceKind::cpu};

struct Key {
    uint64_t seed = 1;
    int64_t step = 2, micro_batch = 0;
    std::string module = "head.dropout";
};

static std::vector<float> drop(const Key& key, double p = 0.5, Device device = cpu) {
    const StepRandomness random(key.seed, key.step, key.micro_batch);
    const ModuleScope scope(key.module);
    return dropout(Tensor::full({2, 31, 29, 3}, DType::f32, device, 1), p, true).to_host<float>();
}

TEST(Dropout, DrawsBySeedStepMicroBatchAndModule) {
    const auto mask = drop({});
    EXPECT_EQ(mask, drop({})) << "the same key drew another mask";
    EXPECT_NE(mask, drop({.seed = 9})) << "the seed does not matter";
    EXPECT_NE(mask, drop({.step = 3})) << "the step does not matter";
    EXPECT_NE(mask, drop({.step = 2 + (int64_t(1) << 32)})) << "the step's upper half does not matter";
    EXPECT_NE(mask, drop({.micro_batch = 1})) << "the micro-batch does not matter";
    EXPECT_NE(mask, drop({.module = "head.dropout2"})) << "the module does not matter";
    EXPECT_EQ(mask, drop({}, 0.5, {DeviceKind::reference}));
}

TEST(Dropout, DropsAsOftenAsItSays) {
    for (double p : {0.1, 0.5, 0.9}) {
        int64_t dropped = 0, count = 0;
        double sum = 0;
        for (int64_t step = 0; step < 20; ++step)
            for (float y : drop({.step = step}, p)) {
                dropped += y == 0, ++count, sum += y;
                ASSERT_TRUE(y == 0 || y == float(1 / (1 - p))) << y;
            }
        const double sigma = std::sqrt(p * (1 - p) / double(count));  // of the fraction; 5 of them: one in a million
        EXPECT_NEAR(double(dropped) / double(count), p, 5 * sigma);
        EXPECT_NEAR(sum / double(count), 1, 5 * sigma / (1 - p)) << "the mean is not kept";
    }
    for (float y : drop({}, 1)) ASSERT_EQ(y, 0);
}

TEST(Dropout, DropsWhatIsNotFinite) {
    const StepRandomness random(1, 1);
    const Tensor x = Tensor::full({1, 8, 8, 8}, DType::f32, cpu, INFINITY);
    for (float y : dropout(x, 0.5, true).to_host<float>()) ASSERT_TRUE(y == 0 || y == INFINITY) << y;
}

// The step may come from memory that changes between replays of a captured step.
TEST(Dropout, AddsTheDevicesStep) {
    const auto expected = drop({});
    const int64_t device_step = 2;
    const StepRandomness random(1, 0, 0, &device_step);
    const ModuleScope scope("head.dropout");
    const Tensor y = dropout(Tensor::full({2, 31, 29, 3}, DType::f32, cpu, 1), 0.5, true);
    EXPECT_EQ(y.to_host<float>(), expected);
}

TEST(Dropout, LeavesEvaluationAlone) {
    const Tensor x = Tensor::full({1, 2, 2, 4}, DType::f32, cpu, 3);
    EXPECT_EQ(dropout(x, 0.5, false).id(), x.id());
    EXPECT_EQ(dropout(x, 0, true).id(), x.id());
}

TEST(Dropout, RefusesTrainingWithoutAKey) {
    const Tensor x = Tensor::full({1, 2, 2, 4}, DType::f32, cpu, 3);
    const ModuleScope scope("aspp.dropout");
    try {
        dropout(x, 0.5, true);
        FAIL() << "a mask was drawn by nothing";
    } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find("aspp.dropout"), std::string::npos) << e.what();
    }
    EXPECT_THROW(dropout(x, 1.5, true), ShapeError);
}

}  // namespace atrous
