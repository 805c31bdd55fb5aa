// The state machine behind finish_step by a table, by itself and in every backend.
#include "kernels/optim.h"
#include "tests/kernels/cuda_fixture.h"

namespace atrous::kernels {
namespace {

struct Step {
    bool bad;
    float loss_scale;  // what follows: this, and the rest
    int32_t good_steps;
    int64_t step, first_bad_attempt;
};

struct Course {
    const char* what;
    float loss_scale;
    bool dynamic;
    int growth_interval;
    std::vector<Step> steps;
};

const Course courses[] = {
    {"a scale that is not dynamic stays",
     8,
     false,
     1,
     {{false, 8, 0, 1, -1}, {true, 8, 0, 1, 1}, {false, 8, 0, 2, 1}, {true, 8, 0, 2, 1}}},
    {"good steps double the scale at each end of an interval",
     8,
     true,
     3,
     {{false, 8, 1, 1, -1},
      {false, 8, 2, 2, -1},
      {false, 16, 0, 3, -1},
      {false, 16, 1, 4, -1},
      {false, 16, 2, 5, -1},
      {false, 32, 0, 6, -1}}},
    {"a bad step halves the scale, begins the interval anew, and counts as an attempt only",
     8,
     true,
     3,
     {{false, 8, 1, 1, -1},
      {false, 8, 2, 2, -1},
      {true, 4, 0, 2, 2},
      {false, 4, 1, 3, 2},
      {true, 2, 0, 3, 2},
      {false, 2, 1, 4, 2},
      {false, 2, 2, 5, 2},
      {false, 4, 0, 6, 2}}},
    {"not below 1", 3, true, 2, {{true, 1.5, 0, 0, 0}, {true, 1, 0, 0, 0}, {true, 1, 0, 0, 0}, {false, 1, 1, 1, 0}}},
    {"not above 2^24", 0x1p23f, true, 1, {{false, 0x1p24f, 0, 1, -1}, {false, 0x1p24f, 0, 2, -1}}},
};

// finish(state, options) takes each step of each course.
template <class Finish>
void follow_courses(Finish finish) {
    for (const Course& course : courses) {
        StepState state;
        state.loss_scale = course.loss_scale, state.learning_rate = 0.5, state.grad_norm = 3;
        for (size_t i = 0; i < course.steps.size(); ++i) {
            SCOPED_TRACE(std::string(course.what) + ", step " + std::to_string(i));
            const Step& wanted = course.steps[i];
            state.found_nonfinite = wanted.bad;
            finish(state, FinishStepArgs{&state, course.dynamic, course.growth_interval});
            EXPECT_EQ(state.loss_scale, wanted.loss_scale);
            EXPECT_EQ(state.good_steps, wanted.good_steps);
            EXPECT_EQ(state.step, wanted.step);
            EXPECT_EQ(state.first_bad_attempt, wanted.first_bad_attempt);
            EXPECT_EQ(state.attempts, int64_t(i) + 1);
            EXPECT_EQ(state.learning_rate, 0.5);
            EXPECT_EQ(state.grad_norm, 3);
        }
    }
}

TEST(StepState, AdvancesByTheTable) {
    follow_courses([](StepState&, const FinishStepArgs& a) { advance(a); });
}

TEST(StepState, AdvancesOnTheHost) {
    test::OwnScratch scratch;
    Queue queue(gpu::StreamView(), scratch, 1);
    for (const auto finish_step : {reference::finish_step, cpu::finish_step})
        follow_courses([&](StepState&, const FinishStepArgs& a) { finish_step(queue, a); });
}

using StepStateCuda = test::CudaTest;

TEST_F(StepStateCuda, AdvancesOnTheDevice) {
    follow_courses([&](StepState& state, FinishStepArgs a) {
        test::Array<StepState> device(1, state);
        a.state = device.upload(stream());
        VariantLog log;
        cuda::finish_step(gpu_->queue, a);
        EXPECT_EQ(log.names(), test::Names{"finish_step/one"});
        state = device.download(stream(), "state")[0];
    });
}

}  // namespace
}  // namespace atrous::kernels
