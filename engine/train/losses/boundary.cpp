#include "engine/train/losses/boundary.h"

#include "engine/ops/boundary.h"
#include "engine/train/loss.h"

namespace atrous {

namespace {

class BoundaryLoss : public LossFunction {
 public:
    explicit BoundaryLoss(const BoundaryOptions& options) : options_(options) {}
    const std::vector<LossTerm>& terms() const override { return terms_; }
    int ignore_index() const override { return options_.ignore_index; }
    // Nothing is shared between micro-batches: they are averaged by images.
    double normalizer_of(const std::vector<uint8_t>&, int64_t) const override { return 1; }

    LossValue value(const Tensor& logits, const Tensor& labels, const LossShare& share) const override {
        BoundaryOptions o = options_;
        o.weight *= share.images * share.weight;
        return boundary(logits, labels, o, share.look_at_labels);
    }

 private:
    BoundaryOptions options_;
    std::vector<LossTerm> terms_{{"boundary"}};
};

}  // namespace

LossFactory boundary_loss(const BoundaryOptions& options) {
    return [options](Device, DType) { return std::make_unique<BoundaryLoss>(options); };
}

}  // namespace atrous
