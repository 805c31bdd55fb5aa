// A loss of an op that is there: Dice of each image by itself, with a weight; alone, or beside others as in
// bce+image-dice.
#include "engine/train/loss.h"
#include "engine/train/losses/loss_word.h"
#include "tests/extending/rules.h"

namespace atrous::extending {

namespace {

class ImageDice : public LossFunction {
 public:
    ImageDice(double weight, int ignore_index) : weight_(weight), ignore_index_(ignore_index) {}
    const std::vector<LossTerm>& terms() const override { return terms_; }
    int ignore_index() const override { return ignore_index_; }
    // Nothing is shared between micro-batches: they are averaged by images.
    double normalizer_of(const std::vector<uint8_t>&, int64_t) const override { return 1; }

    LossValue value(const Tensor& logits, const Tensor& labels, const LossShare& share) const override {
        BceDiceOptions o{.bce_weight = 0, .dice_weight = weight_ * share.images * share.weight};
        o.groups = DiceGroups::sample;
        o.ignore_index = ignore_index_;
        const LossValue value = bce_dice(logits, labels, o);  // loss, bce, dice, count
        Tensor terms = Tensor::empty({3}, value.terms.dtype(), logits.device());
        const NoTape off;
        for (const auto& [to, from] : {std::pair{0, 0}, {1, 2}, {2, 3}})
            terms.part(to, {1}).copy_from(value.terms.part(from, {1}));
        return {value.loss, terms};
    }

 private:
    double weight_;
    int ignore_index_;
    std::vector<LossTerm> terms_{{"image_dice"}};
};

class ImageDiceWord : public Copied<ImageDiceWord, LossWord> {
 public:
    std::string name() const override { return "image-dice"; }
    void describe(Settings& s, const std::string& loss) override {
        s.bind("image-dice-weight", weight_, "weight of image-dice")
            .above(0)
            .only_with("`loss` image-dice", [&loss] { return has_word(loss, "image-dice"); })
            .when_resumed(Resume::fixed);
    }
    LossFactory make(int64_t, int ignore_index) const override {
        return [weight = weight_, ignore_index](Device, DType) {
            return std::make_unique<ImageDice>(weight, ignore_index);
        };
    }

 private:
    double weight_ = 1;
};

}  // namespace

void add_image_dice() { add_loss(ImageDiceWord()); }

}  // namespace atrous::extending
