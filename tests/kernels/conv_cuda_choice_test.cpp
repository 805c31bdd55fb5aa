// Which of our own kernels computes a convolution on a GPU: the boundaries of "narrow" and "mma", on views without memory.
#include "kernels/conv.h"
#include "tests/kernels/cuda_fixture.h"

namespace atrous::kernels {
namespace {

using test::Names;

class ConvCudaChoice : public test::CudaTest {
 protected:
    // By whom a bf16 convolution of a 1 x size x size image runs, in the order forward, input and weight gradient.
    // No memory is there: what decides follows no pointer. `weights`: where they would lie.
    Names by(int64_t in, int64_t out, int64_t r, int64_t s, const ConvGeometry& g, int64_t size = 64,
             int64_t images = 1, void* weights = nullptr) {
        const View x{nullptr, DType::bf16, images, size, size, in, in}, w{weights, DType::bf16, out, r, s, in, in};
        const int64_t h = g.output_size(size, r), width = g.output_size(size, s);
        const View y{nullptr, DType::bf16, images, h, width, out, out}, dw{nullptr, DType::f32, out, r, s, in, in};
        Queue& q = gpu_->queue;
        return {cuda::conv_forward_family().choose(q, {x, w, nullptr, y, g}).name,
                cuda::conv_backward_input_family().choose(q, {y, w, {x, false}, g}).name,
                cuda::conv_backward_weight_family().choose(q, {x, y, {dw, false}, {}, g}).name};
    }
};

TEST_F(ConvCudaChoice, TensorCoresTakeAsManyTapsAsTheyHaveBits) {
    const Names all{"mma", "mma", "mma"}, plain{"simt", "simt", "mma"};
    for (const auto& [r, s] : {std::pair{15, 16}, {16, 15}, {1, 17}, {30, 1}, {1, 30}, {16, 1}})
        EXPECT_EQ(by(8, 8, r, s, {}), all) << r << 'x' << s;
    for (const auto& [r, s] : {std::pair{16, 16}, {31, 1}, {1, 31}})
        EXPECT_EQ(by(8, 8, r, s, {}), plain) << r << 'x' << s;
    // Of a strided input gradient a phase has some of the taps only, or all of them where the dilation is the stride.
    EXPECT_EQ(by(8, 8, 31, 31, {2, 0, 1}), (Names{"simt", "simt", "mma"}));
    EXPECT_EQ(by(8, 8, 30, 30, {2, 0, 1}), (Names{"simt", "mma", "mma"}));
    EXPECT_EQ(by(8, 8, 30, 30, {2, 0, 2}), plain);
}

TEST_F(ConvCudaChoice, TensorCoresTakeTensorsBelow32GB) {
    EXPECT_EQ(by(1024, 8, 1, 2, {}, 4000), (Names{"mma", "mma", "mma"}));
    EXPECT_EQ(by(1024, 8, 1, 2, {}, 4100), (Names{"simt", "mma", "simt"}));
    EXPECT_EQ(by(1024, 8, 1, 2, {}, 400, 100), (Names{"mma", "mma", "mma"}));
    EXPECT_EQ(by(1024, 8, 1, 2, {}, 400, 110), (Names{"simt", "mma", "simt"}));
}

TEST_F(ConvCudaChoice, NarrowComesFirstWhereMemoryBounds) {
    const Names narrow{"narrow", "narrow", "narrow"};
    EXPECT_EQ(by(1024, 4, 1, 1, {}), narrow);
    EXPECT_EQ(by(128, 8, 1, 1, {}), narrow);
    EXPECT_EQ(by(136, 8, 1, 1, {}), (Names{"mma", "mma", "mma"}));
    EXPECT_EQ(by(136, 7, 1, 1, {}), narrow) << "which tensor cores do not take";
}

TEST_F(ConvCudaChoice, NarrowReadsWeightsAsVectorsInTheInputGradientAlone) {
    alignas(16) char memory[32];
    EXPECT_EQ(by(64, 1, 1, 1, {}, 64, 1, memory + 2), (Names{"narrow", "simt", "narrow"}));
}

}  // namespace
}  // namespace atrous::kernels
