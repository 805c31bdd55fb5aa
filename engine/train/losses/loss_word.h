// A word of `loss` says what it adds to a loss, and its settings. It is one file in this folder, which loss_words.cpp
// lists; add_loss() adds one from outside the tree. Words are joined by '+' (loss_expression.h): at most one for pixels
// and one for regions, which become one pass of a kernel over logits and labels, and any number that bring a loss
// function of their own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/catalogue.h"
#include "engine/train/loss_factory.h"
#include "engine/train/losses/loss_expression.h"
#include "kernels/softmax_loss.h"

namespace atrous {

using kernels::BceDiceOptions;
using kernels::SoftmaxLossOptions;

class LossWord {
 public:
    enum class Kind { pixels, regions, own };

    virtual ~LossWord() = default;
    virtual std::string name() const = 0;
    virtual Kind kind() const { return Kind::own; }
    virtual bool weighs_classes() const { return false; }  // takes class weights
    // Describes its own settings; `loss` holds the words in use, wherever they are decided.
    virtual void describe(Settings&, const std::string& /*loss*/) {}
    // Describes what the parentheses behind the word take, by short names: tversky(alpha=0.3).
    virtual void describe_options(Settings&) {}

    // Words of kinds pixels and regions set their term in the options of a one-pass loss, whose weights are 0 before,
    // with the weight 1. False: the loss of logits of so many channels has no such term. `all` are the words' settings.
    virtual bool set_sigmoid(BceDiceOptions&) const { return false; }
    virtual bool set_softmax(SoftmaxLossOptions&, const OneOfEach<LossWord>& /*all*/, int64_t /*channels*/) const {
        return false;
    }

    // The same for labels in bits, where each channel is a class by itself; alpha, beta and the like may be those of `all`.
    virtual bool set_bits(BceDiceOptions&, const OneOfEach<LossWord>& /*all*/) const { return false; }

    // Words of kind own make a loss function for logits of so many channels; of those that take class weights, with
    // them (empty: all 1).
    virtual LossFactory make(int64_t channels, int ignore_index) const;
    virtual LossFactory make_weighted(int64_t channels, int ignore_index,
                                      const std::vector<double>& /*class_weights*/) const {
        return make(channels, ignore_index);
    }
    // Of words of kind own: several logits are a softmax, which does not go with words of their sigmoids.
    virtual bool classes_exclude_each_other() const { return false; }

    // What is wrong with its settings for logits of so many channels; empty where nothing is.
    virtual std::string misfit(int64_t /*channels*/) const { return ""; }

    virtual std::unique_ptr<LossWord> copy() const = 0;
    static Catalogue<LossWord>& catalogue();
};

// Must be called before there are threads; throws Error where the name is taken or cannot be a word of `loss`.
template <class Word>
void add_loss(const Word& word) {
    if (!is_word(word.name()))
        throw Error("loss '" + word.name() + "': expected letters, digits, - and _ in its name, a letter first");
    LossWord::catalogue().add(word);
}

}  // namespace atrous
