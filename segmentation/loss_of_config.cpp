// The loss function of a configuration; apart from the words, which are read without any op.
#include "engine/train/loss.h"
#include "segmentation/loss_config.h"

namespace atrous {

LossFactory loss_of(const LossConfig& config, int64_t out_channels, int ignore_index) {
    const LossParts parts = loss_parts(config, out_channels, ignore_index);
    std::vector<LossFactory> losses;
    if (const auto* sigmoid = std::get_if<BceDiceOptions>(&parts.one_pass)) losses.push_back(bce_dice_loss(*sigmoid));
    if (const auto* softmax = std::get_if<SoftmaxLossOptions>(&parts.one_pass))
        losses.push_back(class_loss(*softmax, config.class_weights));
    for (const LossWord* word : parts.own) losses.push_back(word->make(out_channels, ignore_index));
    return sum_of_losses(std::move(losses));
}

}  // namespace atrous
