// The loss of an experiment: words become a loss function, and go into a checkpoint and come back.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/settings.h"
#include "engine/train/losses/loss_word.h"

namespace atrous {

// Words (engine/train/losses/loss_word.h) joined by '+', with weights and options (loss_expression.h): one term for
// pixels, one for regions, or both; and any that bring a loss function of their own.
//   bce                          every channel by itself, labels one-hot
//   ce, focal                    classes exclude each other (softmax)
//   dice, jaccard, tversky, focal-tversky of the sigmoids beside bce and in a binary net's 'dice', else of the softmax
// Of labels in bits all of these but ce are of the sigmoids, each channel by itself.
struct LossConfig {
    std::string name = "auto";
    OneOfEach<LossWord> words = {};          // the settings of each
    std::string weighting = "none";          // how class weights are found: see class_weights
    std::vector<double> class_weights = {};  // that were found
    LabelForm labels = LabelForm::ids;       // bits: classes overlap (`multi-label`)
};

void describe(Settings& settings, LossConfig& config);

// "auto" becomes bce+dice for a net with one output channel and for labels in bits, else ce+dice; other texts lose their
// spaces.
std::string resolve_loss(const std::string& name, int64_t out_channels, LabelForm labels = LabelForm::ids);

// A loss is made of one pass over logits and labels, and words with functions of their own; at least one of them.
struct LossParts {
    std::variant<std::monostate, BceDiceOptions, SoftmaxLossOptions> one_pass;
    struct Own {
        std::shared_ptr<const LossWord> word;
        double weight = 1;
    };
    std::vector<Own> own = {};
};
LossParts loss_parts(const LossConfig& config, int64_t out_channels, int ignore_index);  // UsageError
LossFactory loss_of(const LossConfig& config, int64_t out_channels, int ignore_index);   // UsageError

// none, enet, median, or one number a class, from the pixels of each class and the samples that contain it:
//   enet: 1 / ln(1.02 + p), p the class's share of pixels (Paszke et al. 2016)
//   median: median frequency / frequency, a class's frequency being its share where it occurs (Eigen & Fergus 2015)
// A class without pixels gets 1. Of enet and median the classes exclude each other.
std::vector<double> class_weights(const std::string& words, const std::vector<int64_t>& pixels,
                                  const std::vector<int64_t>& samples_with);

// Throws UsageError for what is wrong with a loss whatever the data hold. `classes` 0: not known yet; then only what is
// wrong for two classes as well as for more is refused.
void check(const LossConfig& config, int64_t classes);

}  // namespace atrous
