#include "engine/train/losses/loss_words.h"

namespace atrous {

bool Bce::set_sigmoid(BceDiceOptions& o) const { return o.bce_weight = 1, true; }

}  // namespace atrous
