// Which kernels a training step is made of on a GPU, as its dry run at full size tells.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/variant.h"
#include "engine/kernel_choice.h"
#include "engine/ops/dropout.h"
#include "engine/simulation.h"
#include "engine/train/loss.h"
#include "models/check.h"
#include "models/unet.h"

namespace atrous {
namespace {

constexpr Device meta{DeviceKind::meta};

// How often each variant runs in a forward and backward pass on 16 images by our own kernels.
std::map<std::string, int> kernels_of_step(const NetConfig& config, int64_t size) {
    const ScopedKernelChoice own({KernelChoice::Rule::own});
    const MemorySimulation simulation({DeviceKind::gpu});
    const auto net = make_net(config);
    net->materialize({.device = meta, .compute = DType::bf16});
    const auto loss = class_loss()(meta, DType::bf16);
    const StepRandomness random(1, 0, 0);
    const VariantLog log;
    Tape tape;
    const NetOutputs o = net->forward_training(Tensor::empty({16, size, size, 3}, DType::bf16, meta));
    const Tensor labels = Tensor::empty({16, size, size, 1}, DType::u8, meta);
    std::vector<Tape::Start> starts{{loss->value(o.out, labels).loss}};
    if (o.aux.defined()) starts.push_back({loss->value(o.aux, labels).loss});
    tape.backward(starts);
    std::map<std::string, int> counts;
    for (const std::string& name : log.names()) {
        ++counts[name];
        ++counts[name.substr(0, name.find('/'))];
    }
    return counts;
}

// Batch norms with statistics of the batch.
int norms_of(const NetConfig& config) {
    const auto buffers = make_net(config)->buffers();
    return int(std::count_if(buffers.begin(), buffers.end(),
                             [](const NamedBuffer& b) { return b.path.ends_with("running_mean"); }));
}

// Where a tensor has several readers, such as the five branches of an ASPP, their kernels add up its gradient themselves.
TEST(StepKernels, GradientsOfSeveralReadersTakeNoKernelOfTheirOwn) {
    for (const auto& [config, size] :
         {std::pair{NetConfig{.model = "deeplabv3", .out_channels = 21, .encoder = "resnet50"}, int64_t{513}},
          {unet({.out_channels = 21}), 512}}) {
        auto counts = kernels_of_step(config, size);
        EXPECT_EQ(counts["copy"], 0) << config.model;
        EXPECT_EQ(counts["add"], 0) << config.model;
        EXPECT_GT(counts["conv_backward_input"], 10) << config.model;
    }
}

TEST(StepKernels, EveryBatchNormBehindAConvolutionTakesItsMoments) {
    auto deeplab = kernels_of_step({.model = "deeplabv3", .out_channels = 21, .encoder = "resnet50"}, 513);
    EXPECT_EQ(deeplab["conv_forward"], 63);
    EXPECT_EQ(deeplab["batch_norm_forward/moments"], 61) << "all but the two that give logits";
    auto u = kernels_of_step(unet({.out_channels = 21}), 512);
    EXPECT_EQ(u["batch_norm_forward/moments"], 18);
}

TEST(StepKernels, NoModelLosesThem) {
    for (const NetConfig& config :
         std::vector<NetConfig>{{.model = "unet", .out_channels = 21, .encoder = "resnet18"},
                                {.model = "albunet34", .out_channels = 21},
                                {.model = "fcn", .out_channels = 21, .encoder = "resnet18"},
                                {.model = "fcn", .out_channels = 21, .encoder = "vgg11_bn"},
                                {.model = "deeplabv3", .out_channels = 21, .encoder = "vgg13_bn"},
                                {.model = "deeplabv3plus", .out_channels = 21, .encoder = "resnet18"},
                                {.model = "deeplabv3-comma10k", .out_channels = 21, .encoder = "resnet18"}}) {
        auto counts = kernels_of_step(config, 256);
        EXPECT_EQ(counts["batch_norm_forward/moments"], norms_of(config)) << config.model << " on " << config.encoder;
    }
}

}  // namespace
}  // namespace atrous
