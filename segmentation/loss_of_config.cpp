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
    std::vector<double> weights(losses.size(), 1.0);
    for (const auto& [word, weight] : parts.own) {
        const LossFactory make = word->make_weighted(out_channels, ignore_index, config.class_weights);
        losses.push_back([word, make](Device device, DType compute) {
            return make(device, compute);  // which may refer to its word
        });
        weights.push_back(weight);
    }
    return sum_of_losses(std::move(losses), std::move(weights));
}

}  // namespace atrous
