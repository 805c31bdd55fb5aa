#include "segmentation/inspection/logit_gradients.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "engine/train/evaluate.h"
#include "segmentation/inspection/layer_maps.h"

namespace atrous::inspection {

namespace {

// A tensor like the logits with these values.
Tensor seed_like(const Tensor& logits, const std::vector<float>& values) {
    Tensor seed = Tensor::empty(logits.shape(), DType::f32, logits.device());
    seed.copy_from_host(values.data(), values.size() * sizeof(float));
    if (logits.dtype() == DType::f32) return seed;
    Tensor as_logits = empty_like(logits);
    as_logits.copy_from(seed);
    return as_logits;
}

// Keeps one entry's output and the gradient that reaches it.
class Watching : public TapeObserver {
 public:
    explicit Watching(size_t entry) : wanted_(entry) {}
    void on_forward(const Entry& entry, const Tensor& output) override {
        if (count_++ != wanted_) return;
        id_ = entry.output.id;
        shape = output.shape();
        values = host_values(output);
    }
    void on_backward(const Entry& entry, const Tensor& gradient, const std::vector<Tensor>&) override {
        if (entry.output.id == id_) gradients = host_values(gradient);
    }
    Shape shape;
    std::vector<double> values, gradients;

 private:
    size_t wanted_, count_ = 0;
    int64_t id_ = -1;
};

}  // namespace

std::vector<double> effective_field(SegmentationNet& net, const Tensor& x, const LogitPlace& place) {
    const EvaluationMode mode(net);
    net.zero_gradients();
    Tape tape;
    tape.watch(x);
    const Tensor logits = net.forward(x);
    std::vector<float> one(size_t(logits.count()), 0);
    one[size_t((place.y * logits.dim(2) + place.x) * logits.dim(3) + place.channel)] = 1;
    tape.backward(logits, seed_like(logits, one));
    const std::vector<double> gradient = host_values(tape.gradient(x));
    const size_t channels = size_t(x.dim(3));
    std::vector<double> field(gradient.size() / channels);
    for (size_t i = 0; i < gradient.size(); ++i) field[i / channels] += std::abs(gradient[i]);
    return field;
}

int64_t pixels_with(const std::vector<double>& field, double share) {
    std::vector<double> sorted = field;
    std::sort(sorted.begin(), sorted.end(), std::greater<double>());
    const double wanted = share * std::accumulate(sorted.begin(), sorted.end(), 0.);
    double sum = 0;
    size_t count = 0;
    while (count < sorted.size() && sum < wanted) sum += sorted[count++];
    return int64_t(count);
}

std::vector<double> class_activation(SegmentationNet& net, const Tensor& x, size_t entry, int64_t channel, double sign,
                                     const std::vector<uint8_t>& counts) {
    const EvaluationMode mode(net);
    net.zero_gradients();
    Watching watching(entry);
    Tape tape(Tape::Mode::training, &watching);
    const Tensor logits = net.forward(x);
    const bool all = std::find(counts.begin(), counts.end(), 1) == counts.end();
    const size_t c = size_t(logits.dim(3));
    std::vector<float> seed(size_t(logits.count()), 0);
    for (size_t pixel = 0; pixel < counts.size(); ++pixel)
        if (all || counts[pixel]) seed[pixel * c + size_t(channel)] = float(sign);
    tape.backward(logits, seed_like(logits, seed));
    const size_t maps = size_t(watching.shape[3]), pixels = watching.values.size() / maps;
    std::vector<double> weights(maps), activation(pixels);
    for (size_t i = 0; i < watching.gradients.size(); ++i) weights[i % maps] += watching.gradients[i] / double(pixels);
    for (size_t i = 0; i < watching.values.size(); ++i) activation[i / maps] += weights[i % maps] * watching.values[i];
    for (double& a : activation) a = std::max(a, 0.);
    return activation;
}

}  // namespace atrous::inspection
