#include "segmentation/inspection/step_gradients.h"

#include <cmath>
#include <limits>
#include <unordered_map>

#include "engine/train/evaluate.h"
#include "engine/train/loss.h"
#include "segmentation/inspection/layer_maps.h"

namespace atrous::inspection {

namespace {

double norm_of(const Tensor& t) {
    double squares = 0;
    for (const double v : host_values(t)) squares += v * v;
    return std::sqrt(squares);
}

class Norms : public TapeObserver {
 public:
    void on_forward(const Entry& entry, const Tensor&) override { place_.emplace(entry.output.id, place_.size()); }
    void on_backward(const Entry& entry, const Tensor& gradient, const std::vector<Tensor>&) override {
        if (const auto it = place_.find(entry.output.id); it != place_.end()) found_[it->second] = norm_of(gradient);
    }
    // Of the first `count` entries, those of the net.
    std::vector<double> norms(size_t count) const {
        std::vector<double> all(count, std::numeric_limits<double>::quiet_NaN());
        for (const auto& [place, norm] : found_)
            if (place < count) all[place] = norm;
        return all;
    }
    size_t entries() const { return place_.size(); }

 private:
    std::unordered_map<int64_t, size_t> place_;
    std::unordered_map<size_t, double> found_;
};

}  // namespace

StepGradients step_gradients(SegmentationNet& net, const Tensor& x, const Tensor& labels, const LossFactory& loss) {
    const EvaluationMode mode(net);
    net.zero_gradients();
    Norms norms;
    const auto function = loss(x.device(), x.dtype());
    Tape tape(Tape::Mode::training, &norms);
    const Tensor logits = net.forward(x);
    const size_t of_net = norms.entries();
    const LossValue value = function->value(logits, labels);
    StepGradients found{.loss = value.loss.item()};
    tape.backward(value.loss);
    for (const auto& [path, p] : net.parameters()) {
        const std::shared_ptr<Leaf>& leaf = p->value.leaf();
        if (!leaf || leaf->fresh) continue;
        found.parameters.push_back({leaf.get(), path, norm_of(*leaf->gradient), norm_of(p->value)});
    }
    found.maps = norms.norms(of_net);
    return found;
}

}  // namespace atrous::inspection
