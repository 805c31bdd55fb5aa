#include "engine/train/losses/loss_words.h"

namespace atrous {

void Tversky::describe(Settings& s, const std::string& loss) {
    const auto used = [&loss] { return has_word(loss, "tversky") || has_word(loss, "focal-tversky"); };
    const std::string users = "`loss` tversky or focal-tversky";
    s.bind("tversky-alpha", alpha, "weight of false positives in tversky")
        .min(0)
        .only_with(users, used)
        .when_resumed(Resume::fixed);
    s.bind("tversky-beta", beta, "weight of false negatives in tversky")
        .min(0)
        .only_with(users, used)
        .when_resumed(Resume::fixed);
}

bool Tversky::set_softmax(SoftmaxLossOptions& o, const OneOfEach<LossWord>&) const {
    o.region_weight = 1;
    o.alpha = alpha;
    o.beta = beta;
    return true;
}

}  // namespace atrous
