#include "engine/train/losses/loss_words.h"

namespace atrous {

void FocalTversky::describe(Settings& s, const std::string& loss) {
    s.bind("tversky-exponent", exponent, "exponent of focal-tversky: (1 - index) to this")
        .above(0)
        .only_with("`loss` focal-tversky", [&loss] { return has_word(loss, "focal-tversky"); })
        .when_resumed(Resume::fixed);
}

bool FocalTversky::set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>& all) const {
    all.of("tversky").set_softmax(o, all);
    o.exponent = exponent;
    return true;
}

}  // namespace atrous
