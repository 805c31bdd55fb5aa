#include "data/sample_plan.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"

namespace atrous::data {
namespace {

// A flip of what is not cropped yet would read beyond the image.
TEST(SamplePlan, TakesChangesInTheirOrderAlone) {
    const std::function<void(SamplePlan&)> behind_the_crop[] = {
        [](SamplePlan& p) { p.flip_horizontal(); }, [](SamplePlan& p) { p.flip_vertical(); },
        [](SamplePlan& p) { p.transpose(); },       [](SamplePlan& p) { p.rotate90(0); },
        [](SamplePlan& p) { p.adjust(1.1, 0.9); },
    };
    for (const auto& change : behind_the_crop) {
        SamplePlan plan(20, 30, 3);
        EXPECT_THROW(change(plan), Error);
        plan.crop(0, 0, 10, 10);
        change(plan);
    }
    const std::function<void(SamplePlan&)> before_the_crop[] = {
        [](SamplePlan& p) { p.resize(10, 15); },
        [](SamplePlan& p) { p.rotate(5); },
        [](SamplePlan& p) { p.crop(0, 0, 10, 10); },
    };
    for (const auto& change : before_the_crop) {
        SamplePlan plan(20, 30, 3);
        plan.crop(0, 0, 10, 10);
        EXPECT_THROW(change(plan), Error);
    }
    SamplePlan twice(20, 30, 3);
    twice.resize(10, 15);
    EXPECT_THROW(twice.resize(5, 5), Error);
    twice.crop(0, 0, 5, 5);
    twice.adjust(1.1, 1);
    EXPECT_THROW(twice.adjust(1.1, 1), Error);
}

TEST(SamplePlan, KnowsHowManyValuesItReads) {
    SamplePlan plan(20, 30, 3);
    EXPECT_EQ(plan.reads(), 1);
    plan.resize(10, 30);
    EXPECT_EQ(plan.reads(), 5);
    plan.rotate(5);
    EXPECT_EQ(plan.reads(), 20);
}

}  // namespace
}  // namespace atrous::data
