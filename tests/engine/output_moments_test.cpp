// Moments that a batch norm is handed: only those that can be its input's are taken.
#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/ops/norm.h"
#include "engine/simulation.h"

namespace atrous {
namespace {

constexpr Device meta{DeviceKind::meta}, cpu{DeviceKind::cpu};

// What batch_norm says to moments in runs of `pixels`, of an input of 2x5x6x8.
std::string refusal(const Shape& shape, int64_t pixels, DType dtype = DType::f32, Device device = cpu) {
    const MemorySimulation simulation(cpu);  // for what is on meta
    const auto vector = [] { return Tensor::full({8}, DType::f32, cpu, 1); };
    const Tensor x = Tensor::full({2, 5, 6, 8}, DType::f32, cpu, 1);
    try {
        batch_norm(x, {vector(), vector(), vector(), vector(), {}}, {.update_running = false}, {}, {},
                   {Tensor::empty(shape, dtype, device), pixels});
        return "";
    } catch (const ShapeError& e) {
        return e.what();
    }
}

TEST(OutputMoments, AreThoseOfTheBatchNormsInput) {
    EXPECT_EQ(refusal({4, 2, 8}, 16), "") << "60 pixels are four runs";
    EXPECT_EQ(refusal({4, 2, 8}, 0),
              "batch_norm : its moments are in runs of 0 pixels, which must be 1 or more; hand on those that "
              "conv2d_with_moments gave");
    EXPECT_EQ(refusal({3, 2, 8}, 16),
              "batch_norm : its moments are 3x2x8 f32 on cpu; those of an input of 2x5x6x8 in runs of 16 pixels are "
              "4x2x8 f32 on cpu; hand on those that conv2d_with_moments gave with this input");
    EXPECT_NE(refusal({4, 2, 7}, 16), "");
    EXPECT_NE(refusal({4, 2, 8}, 16, DType::bf16), "");
    EXPECT_NE(refusal({4, 2, 8}, 16, DType::f32, meta), "");
}

}  // namespace
}  // namespace atrous
