// Losses and class weights: words to options, and through a checkpoint's metadata.
#include "segmentation/loss_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/train/loss.h"
#include "engine/train/losses/focal.h"
#include "engine/train/losses/tversky.h"
#include "segmentation/model_card.h"

namespace atrous {
namespace {

SoftmaxLossOptions softmax(const std::string& name, int64_t channels) {
    return std::get<SoftmaxLossOptions>(loss_parts({.name = name}, channels, 255).one_pass);
}
BceDiceOptions sigmoid(const std::string& name, int64_t channels) {
    return std::get<BceDiceOptions>(loss_parts({.name = name}, channels, 255).one_pass);
}

TEST(LossConfig, TheNumberOfClassesDecidesWhatAutoAndDiceAre) {
    EXPECT_EQ(resolve_loss("auto", 1), "bce+dice");
    EXPECT_EQ(resolve_loss("auto", 5), "ce+dice");
    EXPECT_EQ(sigmoid("auto", 1).dice_weight, 1);
    EXPECT_EQ(softmax("auto", 5).region_weight, 1);
    EXPECT_EQ(softmax("auto", 5).ce_weight, 1);
    EXPECT_EQ(sigmoid("dice", 1).bce_weight, 0);
    EXPECT_EQ(softmax("dice", 5).ce_weight, 0);
    EXPECT_EQ(sigmoid("bce+dice", 5).dice_weight, 1);
    EXPECT_EQ(softmax("ce", 1).region_weight, 0);
}

TEST(LossConfig, TermsTakeTheirParameters) {
    EXPECT_EQ(softmax("focal", 5).gamma, 2);
    EXPECT_EQ(softmax("ce", 5).gamma, 0);
    EXPECT_EQ(softmax("tversky", 5).alpha, 0.3);
    EXPECT_EQ(softmax("tversky", 5).exponent, 1);
    EXPECT_EQ(softmax("ce+focal-tversky", 1).exponent, 0.75);
    EXPECT_EQ(softmax("ce+dice", 5).alpha, 0.5);
    EXPECT_EQ(loss_of({.name = "ce"}, 5, 11)({DeviceKind::cpu}, DType::f32)->ignore_index(), 11);
}

TEST(LossConfig, WeightsAndOptionsStandInTheText) {
    const BceDiceOptions halves = sigmoid("0.5*bce + .25*dice(smooth=0, groups=sample)", 3);
    EXPECT_EQ(halves.bce_weight, 0.5);
    EXPECT_EQ(halves.dice_weight, 0.25);
    EXPECT_EQ(halves.smooth, 0);
    EXPECT_EQ(halves.groups, DiceGroups::sample);
    const SoftmaxLossOptions focal = softmax("2*focal(gamma=1.5)+1e+1*tversky(alpha=0.2,beta=0.8,background=false)", 5);
    EXPECT_EQ(focal.ce_weight, 2);
    EXPECT_EQ(focal.gamma, 1.5);
    EXPECT_EQ(focal.region_weight, 10);
    EXPECT_EQ(focal.alpha, 0.2);
    EXPECT_EQ(focal.beta, 0.8);
    EXPECT_FALSE(focal.background);
    EXPECT_EQ(softmax("focal-tversky(alpha=0.1)", 5).alpha, 0.1);
    EXPECT_EQ(softmax("focal-tversky(alpha=0.1)", 5).beta, 0.7) << "tversky's own, where nothing else is said";
}

TEST(LossConfig, LabelsAreSmoothedAndPositiveOnesWeighted) {
    EXPECT_EQ(softmax("ce(smoothing=0.1)+dice", 5).smoothing, 0.1);
    EXPECT_EQ(softmax("bce(smoothing=0.1)+jaccard", 1).smoothing, 0.1) << "of one channel cross-entropy is BCE";
    const BceDiceOptions o = sigmoid("bce(smoothing=0.2,pos-weight=5)+dice", 5);
    EXPECT_EQ(o.smoothing, 0.2);
    EXPECT_EQ(o.pos_weight, 5);
    EXPECT_EQ(sigmoid("bce(pos-weight=5)+dice", 1).pos_weight, 5);
    EXPECT_THROW(loss_parts({.name = "ce(smoothing=1)"}, 5, 255), UsageError);
    EXPECT_THROW(loss_parts({.name = "bce(pos-weight=0)"}, 5, 255), UsageError);
}

TEST(LossConfig, ClassesThatOverlapTakeWordsOfTheSigmoids) {
    const auto bits = [](const std::string& name, std::vector<double> weights = {}) {
        const LossConfig c{.name = name, .class_weights = std::move(weights), .labels = LabelForm::bits};
        return std::get<BceDiceOptions>(loss_parts(c, 3, 255).one_pass);
    };
    EXPECT_EQ(resolve_loss("auto", 3, LabelForm::bits), "bce+dice");
    EXPECT_EQ(bits("auto").labels, LabelForm::bits);
    EXPECT_EQ(bits("bce(pos-weight=5)", {1, 2, 3}).pos_weight, 5);
    EXPECT_EQ(bits("bce", {1, 2, 3}).weights[2], 3);
    EXPECT_EQ(bits("0.5*focal(gamma=1)+dice").gamma, 1);
    EXPECT_EQ(bits("0.5*focal(gamma=1)+dice").bce_weight, 0.5);
    EXPECT_EQ(bits("dice").bce_weight, 0);
    EXPECT_EQ(bits("jaccard(smooth=2)").alpha, 1);
    EXPECT_EQ(bits("jaccard(smooth=2)").smooth, 4);
    EXPECT_EQ(bits("tversky").beta, 0.7);
    EXPECT_EQ(bits("focal-tversky(alpha=0.1)").alpha, 0.1);
    EXPECT_EQ(bits("focal-tversky(alpha=0.1)").exponent, 0.75);
    for (const char* text : {"ce", "ce+dice", "lovasz", "bce+lovasz", "bce+dice(background=false)"})
        EXPECT_THROW(bits(text), UsageError) << text;
    EXPECT_THROW(bits("bce", {1, 2}), UsageError) << "two weights of three classes";
    EXPECT_THROW(check({.name = "bce", .weighting = "enet", .labels = LabelForm::bits}, 3), UsageError);
    EXPECT_THROW(loss_parts({.name = "bce", .labels = LabelForm::bits}, 8, 255), UsageError)
        << "a byte has no bit left";
}

TEST(LossConfig, LovaszGoesWithWordsOfTheSameProbabilities) {
    const auto terms = [](const std::string& name, int64_t channels) {
        std::string names;
        const auto loss = loss_of({.name = name}, channels, 255)({DeviceKind::cpu}, DType::f32);
        for (const LossTerm& t : loss->terms()) names += t.name + " ";
        return names;
    };
    EXPECT_EQ(terms("lovasz", 1), "lovasz ");
    EXPECT_EQ(terms("0.5*ce+0.5*lovasz(per-image=true,classes=all)", 5), "cross_entropy dice lovasz ");
    EXPECT_EQ(terms("bce+dice+lovasz", 1), "bce dice lovasz ");
    EXPECT_THROW(loss_parts({.name = "lovasz(classes=some)"}, 5, 255), UsageError);
    EXPECT_EQ(terms("dice+0.01*boundary(background=true)", 5), "cross_entropy dice boundary ");
    EXPECT_EQ(terms("bce+dice+0.01*boundary", 1), "bce dice boundary ");
    EXPECT_EQ(terms("ohem(thresh=0.7,keep=0.0625)", 5), "ohem ");
    EXPECT_EQ(terms("ohem+dice", 1), "bce dice ohem ");
}

TEST(LossConfig, OhemTakesItsOptionsAndClassWeights) {
    const Device cpu{DeviceKind::cpu};
    Tensor logits = Tensor::empty({1, 1, 4, 2}, DType::f64, cpu), labels = Tensor::empty({1, 1, 4, 1}, DType::u8, cpu);
    const std::vector<double> z{0, 1, 0, 2, 0, 3, 0, 4};
    const std::vector<uint8_t> ids{1, 0, 1, 1};
    logits.copy_from_host(z.data(), logits.bytes());
    labels.copy_from_host(ids.data(), labels.bytes());
    const auto terms = [&](const std::string& name, const std::vector<double>& weights = {}) {
        const auto loss = loss_of({.name = name, .class_weights = weights}, 2, 255)(cpu, DType::f64);
        return loss->value(logits, labels, {}).terms.to_host<double>();
    };
    const double first = std::log1p(std::exp(-1)), second = std::log1p(std::exp(2));  // of class 1 and of class 0
    EXPECT_NEAR(terms("2*ohem(thresh=0.75)")[0], first + second, 1e-14);
    EXPECT_EQ(terms("ohem(thresh=0.75)")[2], 2) << "probabilities 0.73 and 0.12";
    EXPECT_EQ(terms("ohem(thresh=0,keep=0.3)")[2], 2) << "1.2 pixels";
    EXPECT_NEAR(terms("ohem(thresh=0.75)", {3, 1})[1], (first + 3 * second) / 4, 1e-14);
    EXPECT_THROW(loss_parts({.name = "ohem(keep=0)"}, 5, 255), UsageError);
    EXPECT_THROW(loss_parts({.name = "ohem(thresh=1.1)"}, 5, 255), UsageError);
}

// Its function asks the word what it is, long after the configuration has gone.
class SmoothWord : public Copied<SmoothWord, LossWord> {
 public:
    double smooth = 3;
    std::string name() const override { return "smooth_dice"; }
    void describe_options(Settings& s) override { s.bind("smooth", smooth, "smoothing").min(0); }
    LossFactory make(int64_t, int) const override {
        return [this](Device device, DType compute) {
            return bce_dice_loss({.bce_weight = 0, .smooth = smooth})(device, compute);
        };
    }
};

TEST(LossConfig, WordsWithFunctionsOfTheirOwnTakeWeightsAndOptions) {
    add_loss(SmoothWord());
    const Device cpu{DeviceKind::cpu};
    const Tensor logits = Tensor::full({1, 4, 4, 1}, DType::f64, cpu, 0.5),
                 labels = Tensor::full({1, 4, 4, 1}, DType::u8, cpu, 1);
    const auto value = [&](const std::string& name) {
        const auto loss = loss_of({.name = name}, 1, 255)(cpu, DType::f64);
        return loss->value(logits, labels, {nullptr, 1, 1}).terms.to_host<double>()[0];
    };
    const double alone = value("smooth_dice"), other = value("smooth_dice(smooth=0)"), bce = value("bce");
    EXPECT_NE(alone, other);
    EXPECT_NEAR(value("0.25*smooth_dice"), 0.25 * alone, 1e-15);
    EXPECT_NEAR(value("2*bce+0.25*smooth_dice(smooth=0)"), 2 * bce + 0.25 * other, 1e-15);
    struct Spaced : SmoothWord {
        std::string name() const override { return "3d dice"; }
        std::unique_ptr<LossWord> copy() const override { return std::make_unique<Spaced>(*this); }
    };
    EXPECT_THROW(add_loss(Spaced()), Error);
}

TEST(LossConfig, JaccardIsTverskyWithBothWeightsOne) {
    const SoftmaxLossOptions o = softmax("jaccard(smooth=3)", 4);
    EXPECT_EQ(o.alpha, 1);
    EXPECT_EQ(o.beta, 1);
    EXPECT_EQ(o.smooth, 6) << "(2 I + 6) / (2 U + 6) = (I + 3) / (U + 3)";
    EXPECT_EQ(o.exponent, 1);
}

TEST(LossConfig, OfOneChannelBceGoesWithTheRegionLossesOfTheSoftmax) {
    const SoftmaxLossOptions o = softmax("bce+jaccard", 1);
    EXPECT_EQ(o.ce_weight, 1);
    EXPECT_EQ(o.gamma, 0) << "of one channel cross-entropy is BCE";
}

TEST(LossConfig, AMessageSaysWhatWasExpected) {
    const auto message = [](const std::string& name, int64_t channels = 5) {
        try {
            loss_parts({.name = name}, channels, 255);
        } catch (const UsageError& e) {
            return std::string(e.what());
        }
        return std::string();
    };
    EXPECT_EQ(message("0.5ce"),
              "`loss` 0.5ce: expected '*' between a weight and its word at 'ce', as in 0.5*bce+0.5*dice(smooth=1)");
    EXPECT_NE(message("cee+dice").find("'cee' is unknown"), std::string::npos);
    EXPECT_EQ(message("bce+dice(background=false)"),
              "`loss` bce+dice(background=false): background of dice goes with the words of a softmax, ce and focal");
    EXPECT_EQ(message("bce(pos-weight=5)+jaccard", 1),
              "`loss` bce(pos-weight=5)+jaccard: pos-weight of bce goes with no region loss but dice; leave it out, or "
              "use ce and `class-weights`");
    EXPECT_EQ(message("bce+dice+lovasz"),
              "`loss` bce+dice+lovasz: lovasz of 5 logits is of their softmax, bce of their sigmoids; expected lovasz "
              "with ce or focal");
    EXPECT_EQ(message("bce+boundary"),
              "`loss` bce+boundary: boundary of 5 logits is of their softmax, bce of their sigmoids; expected boundary "
              "with ce or focal");
    EXPECT_EQ(
        message("bce+boundary(background=true)", 1),
        "`loss` bce+boundary(background=true): background of boundary goes with several logits; of one there is no "
        "class 0");
    EXPECT_EQ(message("boundary(background=true)", 2), "");
    EXPECT_EQ(message("ohem", 255), "");
    EXPECT_EQ(message("ohem", 256), "`loss` ohem: ohem takes at most 255 classes, found 256");
    EXPECT_EQ(message("focal(gama=1)"), "`loss` focal(gama=1): focal has no option gama; expected gamma");
    EXPECT_EQ(message("focal(gamma=-1)"),
              "`loss` focal(gamma=-1): gamma of focal is -1; expected a number of at least 0");
}

TEST(LossConfig, TheResolvedTextHasNoSpacesAndNoWeightsOfOne) {
    EXPECT_EQ(resolve_loss(" 1*ce + 0.50 * dice( smooth = 0 )", 5), "ce+0.5*dice(smooth=0)");
    EXPECT_EQ(resolve_loss("ce+0.5*dice(smooth=0)", 5), "ce+0.5*dice(smooth=0)");
    EXPECT_EQ(resolve_loss("focal(gamma=1.50)+dice(smooth=1e+0\t, groups=all)", 5),
              "focal(gamma=1.5)+dice(smooth=1,groups=all)")
        << "values as settings show them, so that a resumed run compares them";
    EXPECT_TRUE(leaves_option("2*focal+dice", "focal", "gamma"));
    EXPECT_FALSE(leaves_option("2*focal(gamma=1)+dice", "focal", "gamma"));
    EXPECT_FALSE(leaves_option("ce+dice", "focal", "gamma"));
    EXPECT_TRUE(has_word("0.5*ce+2*focal-tversky(alpha=1)", "focal-tversky"));
    EXPECT_FALSE(has_word("0.5*ce+2*focal-tversky(alpha=1)", "tversky"));
}

TEST(LossConfig, OtherWordsAreRefused) {
    for (const char* name : {"",
                             "cee",
                             "ce+",
                             "+dice",
                             "ce+bce",
                             "dice+tversky",
                             "bce+tversky",
                             "ce dice",
                             "ce+ce",
                             "ce+dice+dice",
                             "0*ce",
                             "-1*ce",
                             "inf*ce",
                             "0.5ce",
                             "0.5*",
                             "2*2*ce",
                             "ce*2",
                             "ce(",
                             "ce()",
                             "ce(gamma=1)",
                             "focal(gamma=-1)",
                             "focal(gamma)",
                             "focal(gamma=)",
                             "focal(gamma=1",
                             "focal(gamma=1,gamma=2)",
                             "dice(groups=pixel)",
                             "focal(gamma=1))",
                             "dice(smooth=nan)",
                             "bce+dice(background=false)",
                             "1e999*ce"})
        EXPECT_THROW(loss_parts({.name = name}, 5, 255), UsageError) << name;
    EXPECT_THROW(loss_parts({.name = "bce", .class_weights = {1, 2}}, 1, 255), UsageError);
    EXPECT_THROW(loss_parts({.name = "dice", .class_weights = {1, 2, 3}}, 3, 255), UsageError);
    EXPECT_THROW(loss_parts({.name = "ce", .class_weights = {1, 2}}, 3, 255), UsageError);
    for (const char* words : {"1,x", "1,-2", "inf", "1,nan", "3em"})
        EXPECT_THROW(class_weights(words, {5, 5}, {1, 1}), UsageError) << words;
}

TEST(LossConfig, ClassWeightsByTheirFormulas) {
    EXPECT_TRUE(class_weights("none", {5, 5}, {1, 1}).empty());
    EXPECT_EQ(class_weights("1,2.5,0", {5, 5, 5}, {1, 1, 1}), (std::vector<double>{1, 2.5, 0}));
    const auto enet = class_weights("enet", {900, 100, 0}, {10, 5, 0});
    EXPECT_DOUBLE_EQ(enet[0], 1 / std::log(1.02 + 0.9));
    EXPECT_DOUBLE_EQ(enet[1], 1 / std::log(1.02 + 0.1));
    EXPECT_EQ(enet[2], 1);
    // Where they occur, the classes have 90, 20 and 40 pixels an image; the median is 40.
    const auto median = class_weights("median", {900, 100, 0, 80}, {10, 5, 0, 2});
    EXPECT_EQ(median, (std::vector<double>{40.0 / 90, 2, 1, 1}));
}

TEST(LossConfig, ACheckpointKeepsIt) {
    LossConfig c{.name = "focal+tversky", .class_weights = {1, 4}};
    c.words.of<Focal>("focal").gamma = 1.5;
    c.words.of<Tversky>("tversky").beta = 0.6;
    ModelCard card;
    card.net.out_channels = 2;
    card.loss = c;
    const LossConfig read = parse_model_card(text_of(card), "file").loss;
    EXPECT_EQ(read.name, c.name);
    EXPECT_EQ(read.words.of<Focal>("focal").gamma, 1.5);
    EXPECT_EQ(read.words.of<Tversky>("tversky").beta, 0.6);
    EXPECT_EQ(read.class_weights, c.class_weights);
    auto earlier = nlohmann::json::parse(text_of(card));
    earlier["loss"] = "ce+dice";
    EXPECT_EQ(parse_model_card(earlier.dump(), "file").loss.name, "ce+dice") << "checkpoints of an earlier form";
}

}  // namespace
}  // namespace atrous
