#include "engine/train/losses/ohem.h"

#include "engine/ops/ohem.h"
#include "engine/train/loss.h"

namespace atrous {

namespace {

class OhemLoss : public LossFunction {
 public:
    OhemLoss(const HardPixelOptions& options, Tensor class_weights)
        : options_(options), class_weights_(std::move(class_weights)) {}
    const std::vector<LossTerm>& terms() const override { return terms_; }
    int ignore_index() const override { return options_.ignore_index; }
    // Nothing is shared between micro-batches: they are averaged by images.
    double normalizer_of(const std::vector<uint8_t>&, int64_t) const override { return 1; }

    LossValue value(const Tensor& logits, const Tensor& labels, const LossShare& share) const override {
        return ohem(logits, labels, {options_, share.images * share.weight}, class_weights_, share.look_at_labels);
    }

 private:
    HardPixelOptions options_;
    Tensor class_weights_;
    std::vector<LossTerm> terms_{{"ohem"}};
};

}  // namespace

LossFactory ohem_loss(const HardPixelOptions& options, const std::vector<double>& class_weights) {
    return [options, class_weights](Device device, DType compute) {
        return std::make_unique<OhemLoss>(options, weights_on_device(class_weights, device, compute));
    };
}

}  // namespace atrous
