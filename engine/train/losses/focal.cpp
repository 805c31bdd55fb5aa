#include "engine/train/losses/loss_words.h"

namespace atrous {

void Focal::describe(Settings& s, const std::string& loss) {
    s.bind("focal-gamma", gamma, "exponent of focal, which turns it to the hard pixels")
        .min(0)
        .only_with("`loss` focal", [&loss] { return has_word(loss, "focal"); })
        .when_resumed(Resume::fixed);
}

bool Focal::set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&) const {
    o.ce_weight = 1;
    o.gamma = gamma;
    return true;
}

}  // namespace atrous
