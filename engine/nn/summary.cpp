#include "engine/nn/summary.h"

#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "engine/nn/uncounted_parameters.h"
#include "engine/ops/descriptor.h"
#include "engine/ops/dropout.h"
#include "engine/simulation.h"

namespace atrous {

static constexpr Device meta{DeviceKind::meta};

static Value value_of(const Tensor& t) { return {t.id(), t.shape(), t.dtype(), nullptr}; }

std::vector<Entry> trace(SegmentationNet& net, const Shape& input, DType compute, Value* image) {
    net.materialize({.device = meta, .compute = compute});
    net.set_training(true);
    const Tensor x = Tensor::empty(input, compute, meta);
    if (image) *image = value_of(x);
    const StepRandomness random(0, 0);
    const Tape tape(Tape::Mode::tracing);
    net.forward_training(x);
    return tape.entries();
}

Halo halo_of(SegmentationNet& net, int64_t size) {
    net.materialize({.device = meta});
    net.set_training(false);
    const int64_t multiple = net.input_multiple(), side = (size + multiple - 1) / multiple * multiple;
    const Tensor x = Tensor::empty({1, side, side, net.in_channels()}, DType::f32, meta);
    const Tape tape(Tape::Mode::tracing);
    net.forward(x);
    Halo halo = halo_of(tape.entries(), value_of(x));
    halo.stride = std::lcm(halo.stride, multiple);
    halo.multiple = multiple;
    return halo;
}

namespace {

// What every layer keeps for its backward pass, from a forward pass on a training tape. Layers without a backward pass
// are not on it; the others come in the order of the trace.
class KeptBytes {
 public:
    KeptBytes(SegmentationNet& net, const Shape& input, DType compute, Device target) {
        const MemorySimulation simulation(target);
        net.materialize({.device = meta, .compute = compute});
        net.set_training(true);
        counted_ = {net.arena().values.storage().get(), net.arena().halves.storage().get()};
        for (auto& [path, buffer] : net.buffers()) counted_.insert(buffer->value.storage().get());
        const Tensor x = Tensor::empty(input, compute, meta);
        counted_.insert(x.storage().get());
        const StepRandomness random(0, 0);
        const Tape tape;
        net.forward_training(x);
        for (const Entry& e : tape.entries()) found_.push_back({e.module, e.op, bytes_of(e)});
    }
    int64_t next(const Entry& e) {
        if (at_ == found_.size() || found_[at_].module != e.module || found_[at_].op != e.op) return 0;
        return found_[at_++].bytes;
    }

 private:
    int64_t bytes_of(const Entry& e) {
        int64_t bytes = 0;
        for (const Saved& s : e.saved)
            if (const auto& storage = s.get(e.op).storage(); storage && counted_.insert(storage.get()).second)
                bytes += int64_t(storage->bytes());
        return bytes;
    }
    struct Found {
        std::string module, op;
        int64_t bytes;
    };
    std::unordered_set<const Storage*> counted_;
    std::vector<Found> found_;
    size_t at_ = 0;
};

}  // namespace

Summary summarize(SegmentationNet& net, const Shape& input, DType compute, Device target) {
    KeptBytes kept(net, input, compute, target);
    Value image;
    const std::vector<Entry> entries = trace(net, input, compute, &image);
    const auto fields = receptive_fields(entries, image.id);
    const auto strides = output_strides(entries, image);
    UncountedParameters parameters(net);
    Summary s;
    for (auto& [path, p] : net.parameters()) {
        s.parameters += p->shape.count();
        s.trainable_parameters += p->trainable ? p->shape.count() : 0;
    }
    s.unused_parameters = s.parameters;
    for (size_t i = 0; i < entries.size(); ++i) {
        const Entry& e = entries[i];
        const OpDescriptor& op = descriptor_of(e);
        const LayerRow row{e.module,
                           e.op + op.fused(e),
                           e.output.shape,
                           e.output.dtype,
                           parameters.first_used_by(e),
                           op.multiply_adds(e),
                           kept.next(e),
                           fields[i],
                           strides[i]};
        s.unused_parameters -= row.parameters;
        s.multiply_adds += row.multiply_adds;
        s.kept_bytes += row.kept_bytes;
        s.rows.push_back(row);
    }
    return s;
}

}  // namespace atrous
