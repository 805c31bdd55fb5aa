// Convolutions' weight gradients on the side stream: that they run there, and that gradients are the same bits as in
// order, whatever the streams do first.
#include <gtest/gtest.h>

#include "base/philox.h"
#include "engine/kernel_choice.h"
#include "engine/nn/layers.h"
#include "engine/ops/elementwise.h"
#include "engine/side_branch.h"
#include "kernels/conv_transpose.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"

namespace atrous {
namespace {

namespace k = kernels;
constexpr Device device{DeviceKind::gpu};

// The streams in which weight gradients and input gradients were asked for.
struct Streams {
    std::vector<void*> weights, inputs;
} seen;

// Stands first in a family, notes the stream and computes nothing.
template <class Args, std::vector<void*> Streams::*list>
k::Implementation<Args> witness() {
    k::Implementation<Args> i;
    i.name = "witness";
    i.supports = [](Queue& q, const Args&) { return (seen.*list).push_back(q.stream().handle()), false; };
    i.run = [](Queue&, const Args&) {};
    return i;
}
void add_witnesses() {
    using namespace k::cuda;
    conv_backward_weight_family().add(witness<k::ConvBackwardWeightArgs, &Streams::weights>(), "narrow");
    conv_backward_input_family().add(witness<k::ConvBackwardInputArgs, &Streams::inputs>(), "narrow");
    conv_transpose_backward_weight_family().add(witness<k::ConvTransposeBackwardWeightArgs, &Streams::weights>(),
                                                "mma");
    conv_transpose_backward_input_family().add(witness<k::ConvTransposeBackwardInputArgs, &Streams::inputs>(), "mma");
}

struct Plain : Module {
    Conv2d layer{*this, "layer", {.in_channels = 16, .out_channels = 24, .kernel = 1}};
};
struct Padded : Module {
    Conv2d layer{*this, "layer", {.in_channels = 16, .out_channels = 24, .padding = 2, .dilation = 2}};
};
struct FewChannels : Module {  // by the implementation "padded"
    Conv2d layer{*this, "layer", {.in_channels = 3, .out_channels = 16, .padding = 1}};
};
struct Transposed : Module {
    ConvTranspose2x2 layer{*this, "layer", 16, 8};
};

Tensor random_tensor(const Shape& shape, uint64_t seed) {
    Random random(seed);
    std::vector<float> values(size_t(shape.count()));
    for (float& v : values) v = float(random.normal());
    Tensor x = Tensor::empty(shape, DType::f32, device);
    x.copy_from_host(values.data(), x.bytes());
    return cast(x, DType::bf16);
}

// Of two passes through one layer, whose gradients the second adds to: those of x, of the weights and of the bias.
template <class Net>
std::vector<float> gradients(int64_t channels) {
    Net net;
    net.materialize({.device = device, .compute = DType::bf16, .seed = 5});
    net.zero_gradients();
    const Tensor x = random_tensor({2, 7, 9, channels}, 3);
    Tape tape;
    tape.watch(x);
    const Tensor y = net.layer.forward(x), again = net.layer.forward(x);
    tape.backward({{y, random_tensor(y.shape(), 4)}, {again, random_tensor(y.shape(), 6)}});
    std::vector<float> found = cast(tape.gradient(x), DType::f32).template to_host<float>();
    const std::vector<float> parameters = net.arena().gradients.template to_host<float>();
    found.insert(found.end(), parameters.begin(), parameters.end());
    return found;
}

class ConvolutionsBeside : public testing::Test {
 protected:
    static void SetUpTestSuite() { add_witnesses(); }
    void SetUp() override { options_->deferred = true; }
    void TearDown() override {
        SideBranch::allow(true);
        gpu::synchronize_device();
    }
    template <class Net>
    void check(int64_t channels = 16) {
        SideBranch::allow(false);
        seen = {};
        const std::vector<float> in_order = gradients<Net>(channels);
        ASSERT_EQ(seen.weights.size(), 2u);
        EXPECT_EQ(seen.weights, seen.inputs) << "all in the compute stream";
        const void* const compute = seen.inputs.front();
        SideBranch::allow(true);
        for (uint64_t seed = 1; seed <= 20; ++seed) {
            options_->seed = seed;
            seen = {};
            ASSERT_EQ(gradients<Net>(channels), in_order) << "seed " << seed;
            ASSERT_EQ(seen.weights.size(), 2u);
            for (const void* stream : seen.weights) EXPECT_NE(stream, compute);
            for (const void* stream : seen.inputs) EXPECT_EQ(stream, compute);
        }
    }
    gpu::emu::ScopedOptions options_;
    const ScopedKernelChoice own_{{KernelChoice::Rule::own}};
};

TEST_F(ConvolutionsBeside, GiveTheSameBits) { check<Plain>(); }
TEST_F(ConvolutionsBeside, GiveTheSameBitsWithPadding) { check<Padded>(); }
TEST_F(ConvolutionsBeside, GiveTheSameBitsWithFewChannels) { check<FewChannels>(3); }
TEST_F(ConvolutionsBeside, GiveTheSameBitsTransposed) { check<Transposed>(); }

}  // namespace
}  // namespace atrous
#endif
