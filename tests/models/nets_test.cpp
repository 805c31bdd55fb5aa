// What nets promise beside their arithmetic: any input size, frozen parts, checks before the first step.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "benchmarks/harness/hashed.h"
#include "engine/ops/dropout.h"
#include "engine/ops/loss.h"
#include "engine/optim/optimizer.h"
#include "engine/train/trainer.h"
#include "models/check.h"
#include "models/encoder.h"
#include "models/unet.h"
#include "tests/paths.h"

namespace atrous {
namespace {

std::vector<NetConfig> every_model() {
    std::vector<NetConfig> all;
    for (const std::string& model : Model::catalogue().names()) {
        all.push_back(unet({.in_channels = 4, .out_channels = 3, .base_channels = 4}));
        all.back().model = model;
        if (model.starts_with("unet1") || model == "albunet34") continue;
        for (const std::string encoder : {"resnet18", "vgg11_bn"})
            if (model != "unet" || encoder == "resnet18") {
                all.push_back(all.back());
                all.back().encoder = encoder;
            }
    }
    return all;
}

Tensor shape_only(int64_t n, int64_t h, int64_t w, int64_t c) {
    return Tensor::empty({n, h, w, c}, DType::f32, {DeviceKind::meta});
}

TEST(NetsTest, EveryModelTakesAnySizeAndReturnsIt) {
    for (const NetConfig& config : every_model()) {
        const auto net = make_net(config);
        net->materialize({.device = {DeviceKind::meta}});
        const StepRandomness random(0, 0);
        for (const auto& [h, w] : {std::pair{64, 64}, {33, 47}, {100, 1}, {17, 250}}) {
            const NetOutputs y = net->forward_training(shape_only(2, h, w, 4));
            EXPECT_EQ(y.out.shape(), (Shape{2, h, w, 3})) << config.model << " " << config.encoder;
            EXPECT_TRUE(!y.aux.defined() || y.aux.shape() == y.out.shape()) << config.model << " " << config.encoder;
        }
    }
}

// An image of 5x7 in a net that needs multiples of 4 is the 8x8 image with zeros below and on the right.
TEST(NetsTest, PaddingIsZerosBelowAndOnTheRight) {
    const auto net = make_net(unet({.base_channels = 4, .depth = 2}));
    net->materialize({.device = {DeviceKind::cpu}, .seed = 1});
    net->set_training(false);
    const int64_t c = 3;
    std::vector<float> small(5 * 7 * c), large(8 * 8 * c, 0);
    for (size_t i = 0; i < small.size(); ++i) small[i] = float(i % 11) / 11;
    for (size_t y = 0; y < 5; ++y) std::copy_n(&small[y * 7 * c], 7 * c, &large[y * 8 * c]);
    const auto tensor = [](const std::vector<float>& v, int64_t h, int64_t w) {
        Tensor t = Tensor::empty({1, h, w, 3}, DType::f32, {DeviceKind::cpu});
        t.copy_from_host(v.data(), t.bytes());
        return t;
    };
    const auto cropped = net->forward(tensor(small, 5, 7)).to_host<float>();
    const auto whole = net->forward(tensor(large, 8, 8)).to_host<float>();
    ASSERT_EQ(cropped.size(), 35u);
    for (size_t y = 0; y < 5; ++y)
        for (size_t x = 0; x < 7; ++x) EXPECT_EQ(cropped[y * 7 + x], whole[y * 8 + x]) << y << ", " << x;
}

TEST(NetsTest, AnAuxiliaryHeadRunsWhileTrainingOnly) {
    const NetConfig with{.model = "fcn", .encoder = "resnet18"},
        without{.model = "fcn", .encoder = "resnet18", .aux_weight = 0};
    for (const NetConfig& config : {with, without}) {
        const auto net = make_net(config);
        net->materialize({.device = {DeviceKind::meta}});
        Tape tape(Tape::Mode::tracing);
        const StepRandomness random(0, 0);
        EXPECT_EQ(net->forward_training(shape_only(2, 32, 32, 3)).aux.defined(), config.aux_weight > 0);
        const size_t training = tape.entries().size();
        net->set_training(false);
        net->forward(shape_only(2, 32, 32, 3));
        for (size_t i = training; i < tape.entries().size(); ++i)
            EXPECT_FALSE(tape.entries()[i].module.starts_with("aux_classifier")) << tape.entries()[i].module;
    }
}

using Values = std::map<std::string, std::vector<float>>;

Values values_of(Module& net) {
    Values values;
    for (auto& [path, p] : net.parameters()) values[path] = p->value.to_host<float>();
    for (auto& [path, b] : net.buffers())
        if (b->dtype == DType::f32) values[path] = b->value.to_host<float>();
    return values;
}

// The file's weight is [out][channel, row, column], as torch.nn.Linear has it behind a flattened feature map.
TEST(LinearTest, IsAProductWithTheFlattenedFeatureMap) {
    Group root;
    Linear linear(root, "fc", 3, 5, 2);
    root.materialize({.device = {DeviceKind::cpu}, .dtype = DType::f64, .compute = DType::f64});
    set_hashed_weights<double>(root);
    const auto x = hashed("x", 2 * 3 * 4), weight = hashed_weights("fc.weight", *root.parameters()[0].parameter),
               bias = hashed_weights("fc.bias", *root.parameters()[1].parameter);
    Tensor image = Tensor::empty({2, 2, 2, 3}, DType::f64, {DeviceKind::cpu});
    image.copy_from_host(nhwc_of(x, 2, 3, 4).data(), image.bytes());
    const auto y = linear.forward(image).to_host<double>();
    ASSERT_EQ(y.size(), 10u);
    for (size_t n = 0; n < 2; ++n)
        for (size_t o = 0; o < 5; ++o) {
            double sum = bias[o];
            for (size_t i = 0; i < 12; ++i) sum += weight[o * 12 + i] * x[n * 12 + i];
            EXPECT_NEAR(y[n * 5 + o], sum, 1e-14) << n << ", " << o;
        }
    EXPECT_THROW(linear.forward(Tensor::empty({2, 3, 2, 3}, DType::f64, {DeviceKind::cpu})), ShapeError);
}

TEST(EncoderTest, ClassScoresEqualTorchvisions) {
    Group root;
    const auto net = make_encoder("resnet18", root, "", {.classes = 7});
    root.materialize({.device = {DeviceKind::cpu}, .dtype = DType::f64, .compute = DType::f64, .initialize = false});
    set_hashed_weights<double>(root);
    Tensor x = Tensor::empty({2, 33, 33, 3}, DType::f64, {DeviceKind::cpu});
    x.copy_from_host(nhwc_of(hashed("input.classifier", x.count()), 2, 3, 33 * 33).data(), x.bytes());
    const auto scores = net->classify(x).to_host<double>();
    const auto expected = nlohmann::json::parse(std::ifstream(test::test_root() + "/tests/goldens/class_scores.json"));
    for (size_t i = 0; i < 14; ++i) EXPECT_NEAR(scores[i], double(expected[i / 7][i % 7]), 1e-9) << i;
}

TEST(EncoderTest, VggClassifiesImagesOf224) {
    Group root;
    const auto net = make_encoder("vgg11_bn", root, "", {.classes = 7});
    root.materialize({.device = {DeviceKind::meta}});
    const StepRandomness random(0, 0);
    EXPECT_EQ(net->classify(shape_only(2, 224, 224, 3)).shape(), (Shape{2, 1, 1, 7}));
    EXPECT_THROW(net->classify(shape_only(2, 256, 256, 3)), ShapeError);
}

// Two noisy images whose right halves are the foreground.
struct Halves : BatchSource {
    bool done = false;
    int64_t samples() const override { return 2; }
    int64_t batches_per_epoch() const override { return 1; }
    void start_epoch(int64_t, int64_t) override { done = false; }
    bool next(HostBatch& b) override {
        if (std::exchange(done, true)) return false;
        b.n = 2, b.h = b.w = 33, b.c = 3;
        const auto pixels = hashed("image", b.n * b.h * b.w * b.c);
        b.images.assign(pixels.begin(), pixels.end());
        b.labels.clear();
        for (int64_t p = 0; p < b.n * b.h * b.w; ++p) b.labels.push_back(p % b.w > b.w / 2);
        b.names = {"one", "two"};
        return true;
    }
};

struct LastLoss : TrainObserver {
    double loss = 0;
    void on_step(const StepReport& r) override { loss = r.loss; }
};

// The step's loss is out + weight * aux, and the auxiliary head learns.
TEST(TrainerTest, TheAuxiliaryLossCountsByItsWeight) {
    const auto loss_at = [](double weight) {
        const auto net = make_net({.model = "fcn", .encoder = "resnet18"});
        net->materialize({.device = {DeviceKind::cpu}, .seed = 5});
        const Values before = values_of(*net);
        Optimizer optimizer(*net, {.rule = "sgd", .hyperparameters = {.momentum = 0}});
        Trainer trainer(*net, optimizer, {.epochs = 1, .schedule = {.base = 0.1}, .aux_weight = weight});
        Halves source;
        LastLoss observer;
        trainer.run(source, nullptr, observer);
        EXPECT_NE(values_of(*net).at("aux_classifier.4.weight"), before.at("aux_classifier.4.weight"));
        return observer.loss;
    };
    const double quarter = loss_at(0.25), whole = loss_at(1), half = loss_at(0.5);
    EXPECT_GT(half - quarter, 0.1);  // a quarter of BCE + 1 - Dice of an untrained head, about 1.2
    EXPECT_NEAR(whole - half, 2 * (half - quarter), 1e-5);
}

// Every parameter and buffer by name, before and after a training step.
std::pair<Values, Values> around_a_step(const NetConfig& config, const FreezeOptions& freezing) {
    const auto net = make_net(config);
    freeze(*net, freezing);
    net->materialize({.device = {DeviceKind::cpu}, .seed = 3});
    Optimizer optimizer(*net, {.rule = "sgd", .hyperparameters = {.momentum = 0}});
    const auto pixels = hashed("image", 2 * 33 * 33 * 3);
    Tensor x = Tensor::empty({2, 33, 33, 3}, DType::f32, {DeviceKind::cpu});
    const std::vector<float> floats(pixels.begin(), pixels.end());
    x.copy_from_host(floats.data(), x.bytes());
    const Tensor labels = Tensor::full({2, 33, 33, 1}, DType::u8, {DeviceKind::cpu}, 1);
    net->set_training(true);  // as the trainer does: what is frozen stays frozen
    const Values before = values_of(*net);
    net->zero_gradients();
    Tape tape;
    const StepRandomness random(0, 0);
    tape.backward(bce_dice(net->forward_training(x).out, labels).loss);
    optimizer.step(0.1);
    return {before, values_of(*net)};
}

TEST(FreezingTest, AFrozenEncoderKeepsWeightsAndStatistics) {
    const NetConfig config{.model = "fcn", .encoder = "resnet18", .aux_weight = 0};
    const auto [before, after] = around_a_step(config, {.encoder = true});
    for (const auto& [path, values] : after)
        EXPECT_EQ(values == before.at(path), path.starts_with("backbone.")) << path;
}

TEST(FreezingTest, FrozenBatchNormKeepsItsStatisticsAlone) {
    const auto [before, after] = around_a_step(unet({.base_channels = 4, .depth = 2}), {.batch_norm = true});
    for (const auto& [path, values] : after)
        EXPECT_TRUE(path.find("running_") == path.npos || values == before.at(path)) << path << " changed";
    for (const char* path :
         {"inc.double_conv.0.weight", "up2.conv.double_conv.4.weight", "up2.conv.double_conv.4.bias"})
        EXPECT_NE(after.at(path), before.at(path)) << path << " did not train";
}

TEST(FreezingTest, AModelWithoutAnEncoderSaysSo) {
    EXPECT_THROW(around_a_step(unet({.base_channels = 4, .depth = 2}), {.encoder = true}), UsageError);
}

std::string refusal(const NetConfig& config, const FreezeOptions& freezing, int64_t images, int64_t size) {
    try {
        check_training_step(config, freezing, images, size, size);
    } catch (const ShapeError& e) {
        return e.what();
    }
    return "";
}

// The pooled branch has one value per channel and image, whatever the size of the image.
TEST(CheckTest, BatchNormOverOneValueNamesLayerReasonAndRemedies) {
    const NetConfig deeplab{.model = "deeplabv3", .encoder = "resnet18"};
    const std::string text = refusal(deeplab, {}, 1, 256);
    for (const char* part : {"classifier.0.convs.4.2", "1x1x1x256", "more than one value per channel", "`freeze-bn`"})
        EXPECT_NE(text.find(part), text.npos) << part << " is missing in: " << text;
    EXPECT_EQ(refusal(deeplab, {}, 2, 256), "");
    EXPECT_EQ(refusal(deeplab, {.batch_norm = true}, 1, 256), "");
    NetConfig unpooled = deeplab;
    unpooled.pooled = false;
    EXPECT_EQ(refusal(unpooled, {}, 1, 256), "");
    EXPECT_NE(refusal(unet({.base_channels = 4}), {}, 1, 16).find("down4"), std::string::npos);
    EXPECT_EQ(refusal(unet({.base_channels = 4}), {}, 1, 32), "");
}

// At 256², output stride 8, a tap 36 away from any of the 32 columns lies outside: the middle tap remains. At rate 24,
// 8 of 32 columns see a tap on each side: (1 + 2 * 8 / 32)² = 2.25.
TEST(CheckTest, DeadTapsAreCounted) {
    const NetConfig config{.model = "deeplabv3", .encoder = "resnet18"};
    const auto dead = mostly_dead_taps(config, 256, 256);
    ASSERT_EQ(dead.size(), 2u);
    EXPECT_EQ(dead[0].layer, "classifier.0.convs.2.0");
    EXPECT_EQ(dead[0].dilation, 24);
    EXPECT_DOUBLE_EQ(dead[0].live, 2.25);
    EXPECT_EQ(dead[1].dilation, 36);
    EXPECT_DOUBLE_EQ(dead[1].live, 1);
    EXPECT_EQ(dead[1].taps, 9);
    EXPECT_EQ(dead[1].height, 32);
    EXPECT_TRUE(mostly_dead_taps(config, 1024, 1024).empty());
    EXPECT_TRUE(mostly_dead_taps(unet({.base_channels = 4}), 64, 64).empty());
}

}  // namespace
}  // namespace atrous
