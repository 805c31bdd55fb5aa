// The words of `loss` there are, in this order.
#include "engine/train/losses/bce.h"
#include "engine/train/losses/boundary.h"
#include "engine/train/losses/cross_entropy.h"
#include "engine/train/losses/dice.h"
#include "engine/train/losses/focal.h"
#include "engine/train/losses/focal_tversky.h"
#include "engine/train/losses/jaccard.h"
#include "engine/train/losses/lovasz.h"
#include "engine/train/losses/ohem.h"
#include "engine/train/losses/tversky.h"

namespace atrous {

Catalogue<LossWord>& LossWord::catalogue() {
    // clang-format off
    static Catalogue<LossWord> words("loss",
        Bce(),
        CrossEntropy(),
        Focal(),
        Dice(),
        Jaccard(),
        Tversky(),
        FocalTversky(),
        Lovasz(),
        Ohem(),
        Boundary());
    // clang-format on
    return words;
}

LossFactory LossWord::make(int64_t, int) const { throw Error("loss '" + name() + "' has no function of its own"); }

}  // namespace atrous
