#include "engine/train/losses/lovasz.h"

#include "engine/ops/lovasz.h"
#include "engine/train/loss.h"

namespace atrous {

namespace {

class LovaszLoss : public LossFunction {
 public:
    explicit LovaszLoss(const LovaszOptions& options) : options_(options) {}
    const std::vector<LossTerm>& terms() const override { return terms_; }
    int ignore_index() const override { return options_.ignore_index; }
    // Nothing is shared between micro-batches: they are averaged by images.
    double normalizer_of(const std::vector<uint8_t>&, int64_t) const override { return 1; }

    LossValue value(const Tensor& logits, const Tensor& labels, const LossShare& share) const override {
        LovaszOptions o = options_;
        o.weight *= share.images * share.weight;
        return lovasz(logits, labels, o, share.look_at_labels);
    }

 private:
    LovaszOptions options_;
    std::vector<LossTerm> terms_{{"lovasz"}};
};

}  // namespace

LossFactory lovasz_loss(const LovaszOptions& options) {
    return [options](Device, DType) { return std::make_unique<LovaszLoss>(options); };
}

}  // namespace atrous
