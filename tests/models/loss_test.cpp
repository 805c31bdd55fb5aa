// The loss of a training: micro-batches that add up, batches without a pixel that counts, every loss learns.
#include <gtest/gtest.h>

#include <cmath>

#include "base/philox.h"
#include "engine/context.h"
#include "engine/train/losses/boundary.h"
#include "engine/train/losses/lovasz.h"
#include "engine/train/losses/ohem.h"
#include "engine/train/trainer.h"
#include "models/unet.h"

namespace atrous {
namespace {

constexpr Device cpu{DeviceKind::cpu};

// Three classes by brightness, in stripes; some pixels are ignored, more of them in the first images.
struct Stripes : BatchSource {
    int64_t images, batch;
    bool all_ignored;
    int64_t next_image = 0;

    Stripes(int64_t image_count, int64_t batch_size, bool ignored = false)
        : images(image_count), batch(batch_size), all_ignored(ignored) {}
    int64_t samples() const override { return images; }
    int64_t batches_per_epoch() const override { return (images + batch - 1) / batch; }
    void start_epoch(int64_t, int64_t first_batch) override { next_image = first_batch * batch; }
    bool next(HostBatch& b) override {
        if (next_image >= images) return false;
        b.n = std::min(batch, images - next_image), b.h = b.w = 16, b.c = 3;
        b.images.clear(), b.labels.clear(), b.names.clear();
        for (int64_t i = 0; i < b.n; ++i, ++next_image) {
            Random random(3, uint64_t(next_image));
            for (int64_t pixel = 0; pixel < 256; ++pixel) {
                const int label = int((pixel / 16 + next_image) / 5 % 3);
                b.labels.push_back(all_ignored || random.chance(0.5 / double(next_image + 1)) ? 255 : uint8_t(label));
                for (int c = 0; c < 3; ++c) b.images.push_back(float(label * 0.3 + random.uniform() * 0.2));
            }
            b.names.push_back("stripes " + std::to_string(next_image));
        }
        return true;
    }
};

Tensor logits_of(int64_t n, int64_t classes) {
    Random random(9);
    std::vector<double> values(size_t(n * 256 * classes));
    for (double& v : values) v = random.uniform(-3, 3);
    Tensor t = Tensor::empty({n, 16, 16, classes}, DType::f64, cpu);
    t.copy_from_host(values.data(), t.bytes());
    return t;
}

std::vector<double> gradient_of(const LossFunction& loss, const Tensor& logits, const Tensor& labels,
                                const LossShare& share, double& sum) {
    Tape tape;
    tape.watch(logits);
    const LossValue value = loss.value(logits, labels, share);
    sum += value.loss.item();
    tape.backward(value.loss);
    return tape.gradient(logits).to_host<double>();
}

// The cross-entropy of parts with a shared normalizer is that of the whole, gradients too, however unequal the parts
// are in pixels that count. Equal but for the order of summing doubles.
TEST(LossTest, MicroBatchesAddUpToTheBatch) {
    SoftmaxLossOptions focal;
    focal.gamma = 2;
    BceDiceOptions bce;
    bce.dice_weight = 0;
    BceDiceOptions bits{.dice_weight = 0, .labels = LabelForm::bits, .weights = {3, 0.5, 1}};
    const BceDiceOptions none{.bce_weight = 0, .dice_weight = 0};
    for (const auto& [factory, classes] : {std::pair<LossFactory, int64_t>{class_loss({}, {0.5, 1, 3}), 3},
                                           {class_loss(focal, {2, 0.5}), 1},
                                           {bce_dice_loss(bce), 3},
                                           {bce_dice_loss(bits), 3},
                                           {sum_of_losses({class_loss({}, {0.5, 1, 3}), bce_dice_loss(none)}), 3}}) {
        const auto loss = factory(cpu, DType::f64);
        HostBatch b;
        Stripes source(4, 4);
        source.next(b);
        Tensor labels = Tensor::empty({4, 16, 16, 1}, DType::u8, cpu);
        labels.copy_from_host(b.labels.data(), labels.bytes());
        const Tensor logits = logits_of(4, classes);
        double whole = 0, parts = 0;
        const auto expected = gradient_of(*loss, logits, labels, {}, whole);
        std::vector<double> gradient;
        const double normalizer = loss->normalizer_of(b.labels, classes);
        for (int64_t first : {0, 1}) {  // one image, then three
            const int64_t n = first == 0 ? 1 : 3, pixels = n * 256;
            const auto part =
                gradient_of(*loss, logits.part(first * 256 * classes, {n, 16, 16, classes}),
                            labels.part(first * 256, {n, 16, 16, 1}), {&normalizer, double(n) / 4}, parts);
            ASSERT_EQ(int64_t(part.size()), pixels * classes);
            gradient.insert(gradient.end(), part.begin(), part.end());
        }
        EXPECT_NEAR(parts, whole, 1e-12 * whole);
        for (size_t i = 0; i < gradient.size(); ++i)
            ASSERT_NEAR(gradient[i], expected[i], 1e-15) << classes << " channels, element " << i;
    }
}

// What a sum of losses is, its terms say in order; the others of a step of micro-batches weigh by images.
TEST(LossTest, ASumHasEveryTermOfItsParts) {
    const BceDiceOptions halves{.bce_weight = 0.5, .dice_weight = 0};
    const auto ce = class_loss()(cpu, DType::f64), bce = bce_dice_loss(halves)(cpu, DType::f64),
               sum = sum_of_losses({class_loss(), bce_dice_loss(halves)})(cpu, DType::f64);
    Tensor labels = Tensor::full({2, 16, 16, 1}, DType::u8, cpu, 1);
    const Tensor logits = logits_of(2, 3);
    const auto a = ce->value(logits, labels).terms.to_host<double>(),
               b = bce->value(logits, labels).terms.to_host<double>();
    const auto terms = sum->value(logits, labels).terms.to_host<double>();
    EXPECT_EQ(terms, (std::vector<double>{a[0] + b[0], a[1], a[2], b[1], b[2], a[3]}));
    std::vector<std::string> names;
    for (const LossTerm& term : sum->terms()) names.push_back(term.name);
    EXPECT_EQ(names, (std::vector<std::string>{"cross_entropy", "dice", "bce", "dice"}));
    const auto part = sum->value(logits, labels, {nullptr, 0.25, 2}).terms.to_host<double>();
    EXPECT_NEAR(part[0], 2 * a[0] + 0.5 * b[0], 1e-12);
    std::vector<LossFactory> many(5, class_loss());
    EXPECT_THROW(sum_of_losses(many)(cpu, DType::f32), UsageError) << "ten terms";
}

// A micro-batch's share of a step, by images and by the loss's weight; these losses share nothing else.
TEST(LossTest, ALossOfItsOwnTakesItsShare) {
    Tensor labels = Tensor::empty({2, 16, 16, 1}, DType::u8, cpu);
    HostBatch b;
    Stripes(2, 2).next(b);
    labels.copy_from_host(b.labels.data(), labels.bytes());
    const Tensor logits = logits_of(2, 3);
    for (const LossFactory& factory : {lovasz_loss(), ohem_loss(), boundary_loss({.weight = 3})}) {
        const auto loss = factory(cpu, DType::f64);
        double whole = 0, half = 0;
        const auto expected = gradient_of(*loss, logits, labels, {}, whole),
                   found = gradient_of(*loss, logits, labels, {nullptr, 0.25, 2}, half);
        ASSERT_NE(whole, 0);
        EXPECT_NEAR(half, whole / 2, 1e-12 * std::abs(whole)) << loss->terms()[0].name;
        for (size_t i = 0; i < expected.size(); ++i)
            ASSERT_NEAR(found[i], expected[i] / 2, 1e-15) << loss->terms()[0].name << ", element " << i;
    }
}

struct Collector : TrainObserver {
    std::vector<double> losses;
    std::vector<std::string> warnings;
    void on_step(const StepReport& r) override { losses.push_back(r.loss); }
    void on_warning(const std::string& text) override { warnings.push_back(text); }
};

Collector train(const LossFactory& loss, Stripes source, int64_t epochs) {
    UNet net({.out_channels = 3, .base_channels = 8, .depth = 2});
    net.materialize({.device = cpu, .seed = 1});
    Optimizer optimizer(net, {});
    Trainer trainer(net, optimizer, {.epochs = epochs, .schedule = {.base = 1e-2}, .loss = loss});
    Collector collector;
    trainer.run(source, nullptr, collector);
    return collector;
}

TEST(LossTest, EveryLossLearns) {
    SoftmaxLossOptions dice{.ce_weight = 0, .region_weight = 1}, tversky = dice, focal;
    tversky.alpha = 0.3, tversky.beta = 0.7, tversky.exponent = 0.75;
    focal.gamma = 2;
    for (const LossFactory& loss :
         {class_loss(), class_loss(dice), class_loss(tversky), class_loss(focal, {1, 2, 3}), bce_dice_loss(),
          sum_of_losses({class_loss(), bce_dice_loss()}), lovasz_loss(), ohem_loss(),
          sum_of_losses({class_loss(), boundary_loss({.background = true})}, {1, 0.01}),
          sum_of_losses({class_loss({.smoothing = 0.1}), lovasz_loss({.per_image = true})}, {0.5, 0.5})}) {
        const Collector c = train(loss, Stripes(8, 4), 15);
        EXPECT_LT(c.losses.back(), 0.5 * c.losses.front()) << "from " << c.losses.front();
    }
}

// From a net that knows nothing to probabilities within the contours, where the loss is negative.
TEST(LossTest, TheBoundaryLossLearnsAlone) {
    const Collector c = train(boundary_loss({.background = true}), Stripes(8, 4), 15);
    EXPECT_GT(c.losses.front(), 0);
    EXPECT_LT(c.losses.back(), 0);
}

TEST(LossTest, ABatchWithoutAPixelThatCountsIsAWarningAndNoLoss) {
    for (const LossFactory& loss : {class_loss(), bce_dice_loss(), lovasz_loss(), ohem_loss(), boundary_loss()}) {
        const Collector c = train(loss, Stripes(2, 2, true), 1);
        ASSERT_EQ(c.warnings.size(), 1u);
        for (const char* words : {"step 1", "stripes 1"})
            EXPECT_NE(c.warnings[0].find(words), std::string::npos) << c.warnings[0];
        EXPECT_EQ(c.losses, std::vector<double>{0});
    }
}

}  // namespace
}  // namespace atrous
