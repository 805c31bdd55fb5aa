#include "engine/train/losses/loss_words.h"

namespace atrous {

bool Dice::set_sigmoid(BceDiceOptions& o) const { return o.dice_weight = 1, true; }

bool Dice::set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&) const { return o.region_weight = 1, true; }

}  // namespace atrous
