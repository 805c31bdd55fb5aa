// The words of this tree; formulas in kernels/loss.h and kernels/softmax_loss.h.
#pragma once

#include "engine/train/losses/loss_word.h"

namespace atrous {

// Binary cross-entropy of every channel by itself, labels one-hot.
class Bce : public Copied<Bce, LossWord> {
 public:
    std::string name() const override { return "bce"; }
    Kind kind() const override { return Kind::pixels; }
    bool set_sigmoid(BceDiceOptions& o) const override;
};

// Cross-entropy of classes that exclude each other.
class CrossEntropy : public Copied<CrossEntropy, LossWord> {
 public:
    std::string name() const override { return "ce"; }
    Kind kind() const override { return Kind::pixels; }
    bool weighs_classes() const override { return true; }
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>& all) const override;
};

class Focal : public Copied<Focal, LossWord> {
 public:
    double gamma = 2;

    std::string name() const override { return "focal"; }
    Kind kind() const override { return Kind::pixels; }
    bool weighs_classes() const override { return true; }
    void describe(Settings& s, const std::string& loss) override;
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>& all) const override;
};

// Of the sigmoids beside bce and alone in a binary net, else of the softmax.
class Dice : public Copied<Dice, LossWord> {
 public:
    std::string name() const override { return "dice"; }
    Kind kind() const override { return Kind::regions; }
    bool set_sigmoid(BceDiceOptions& o) const override;
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>& all) const override;
};

class Tversky : public Copied<Tversky, LossWord> {
 public:
    double alpha = 0.3, beta = 0.7;

    std::string name() const override { return "tversky"; }
    Kind kind() const override { return Kind::regions; }
    void describe(Settings& s, const std::string& loss) override;
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>& all) const override;
};

// With tversky's weights.
class FocalTversky : public Copied<FocalTversky, LossWord> {
 public:
    double exponent = 0.75;

    std::string name() const override { return "focal-tversky"; }
    Kind kind() const override { return Kind::regions; }
    void describe(Settings& s, const std::string& loss) override;
    bool set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>& all) const override;
};

}  // namespace atrous
