#include "engine/train/diagnosis.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/train/evaluate.h"

namespace atrous {

static std::vector<double> host_values(const Tensor& x) {
    Tensor t = x;
    if (!t.is_dense() || t.dtype() == DType::bf16 || t.dtype() == DType::f16) {
        t = Tensor::empty(x.shape(), x.dtype() == DType::f64 ? DType::f64 : DType::f32, x.device());
        t.copy_from(x);
    }
    if (t.dtype() == DType::f64) return t.to_host<double>();
    const auto values = t.to_host<float>();
    return {values.begin(), values.end()};
}

static TensorStats figures_of(const Entry& entry, bool backward, const Tensor& x) {
    TensorStats f{entry.module, entry.op, backward, x.shape(), 0, 0, INFINITY, -INFINITY, 0};
    for (const double v : host_values(x)) {
        ++f.count;
        if (!std::isfinite(v)) {
            ++f.nonfinite;
            continue;
        }
        f.min = std::min(f.min, v);
        f.max = std::max(f.max, v);
        f.mean += v;
    }
    const int64_t finite = f.count - f.nonfinite;
    f.mean /= double(std::max<int64_t>(finite, 1));
    if (finite == 0) f.min = f.max = 0;
    return f;
}

// Images of the batch that hold values which are not finite. Batch norm mixes images, so that from there on all do.
static std::vector<int> images_not_finite(const Tensor& x) {
    const auto values = host_values(x);
    const size_t each = values.size() / size_t(x.dim(0));
    std::vector<int> bad;
    for (int i = 0; i < int(x.dim(0)); ++i)
        if (std::any_of(values.begin() + ptrdiff_t(size_t(i) * each), values.begin() + ptrdiff_t(size_t(i + 1) * each),
                        [](double v) { return !std::isfinite(v); }))
            bad.push_back(i);
    return bad;
}

class Recorder : public TapeObserver {
 public:
    explicit Recorder(StepDiagnosis& diagnosis) : d_(diagnosis) {}
    void on_forward(const Entry& entry, const Tensor& output) override {
        const bool clean = d_.first_bad() == nullptr;
        d_.layers.push_back(figures_of(entry, false, output));
        if (clean && d_.layers.back().nonfinite > 0 && output.shape().rank() == 4)
            d_.bad_images = images_not_finite(output);
    }
    void on_backward(const Entry& entry, const Tensor&, const std::vector<Tensor>& inputs) override {
        for (const Tensor& gradient : inputs) d_.layers.push_back(figures_of(entry, true, gradient));
    }

 private:
    StepDiagnosis& d_;
};

const TensorStats* StepDiagnosis::first_bad() const {
    const auto it = std::find_if(layers.begin(), layers.end(), [](const auto& f) { return f.nonfinite > 0; });
    return it == layers.end() ? nullptr : &*it;
}

std::string StepDiagnosis::text() const {
    const TensorStats* f = first_bad();
    if (!f) return "every value is finite when the step is run again";
    return fmt::format("first in {} of layer {} ({} pass): {} of {} values", f->op, f->path.empty() ? "(net)" : f->path,
                       f->backward ? "backward" : "forward", f->nonfinite, f->count);
}

StepDiagnosis diagnose_step(SegmentationNet& net, const LossFunction& loss, const HostBatch& batch,
                            const StepConditions& c) {
    StepDiagnosis d;
    const Device device = net.materialized().device;
    const DeviceBatch b = upload(batch, device, c.compute);
    net.set_training(true);
    net.zero_gradients();
    const StepRandomness random(net.materialized().seed, c.attempt, c.micro_batch);
    Recorder recorder(d);
    Tape tape(Tape::Mode::training, &recorder);
    const NetOutputs y = net.forward_training(b.images);
    const LossValue value = loss.value(y.out, b.labels);
    const Tensor seed = Tensor::full({1}, value.loss.dtype(), device, c.loss_scale);
    std::vector<Tape::Start> starts{{value.loss, seed}};
    if (y.aux.defined()) starts.push_back({loss.value(y.aux, b.labels, {nullptr, 1, c.aux_weight}).loss, seed});
    {
        const NoTape off;
        for (const auto& start : starts) d.loss += start.output.item();
    }
    tape.backward(starts);
    return d;
}

}  // namespace atrous
