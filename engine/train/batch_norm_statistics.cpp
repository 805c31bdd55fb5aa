#include "engine/train/batch_norm_statistics.h"

#include <cstddef>
#include <vector>

#include "base/philox.h"
#include "engine/ops/dropout.h"
#include "engine/train/batch_inputs.h"

namespace atrous {

namespace {

// The values of a net's buffers, on the host.
class KeptBuffers {
 public:
    explicit KeptBuffers(Module& net) {
        for (auto& [path, buffer] : net.buffers()) {
            kept_.push_back({buffer, std::vector<std::byte>(buffer->value.bytes())});
            buffer->value.copy_to_host(kept_.back().bytes.data(), kept_.back().bytes.size());
        }
    }
    void restore(bool statistics) {
        for (const Kept& k : kept_)
            if (statistics || k.buffer->dtype == DType::i64)
                k.buffer->value.copy_from_host(k.bytes.data(), k.bytes.size());
    }

 private:
    struct Kept {
        Buffer* buffer;
        std::vector<std::byte> bytes;
    };
    std::vector<Kept> kept_;
};

// The momenta of a net's batch norms, which are back when this ends.
class ChangedMomenta {
 public:
    explicit ChangedMomenta(Module& net) : momenta_(net.momenta()) {
        for (const double* m : momenta_) before_.push_back(*m);
    }
    ~ChangedMomenta() {
        for (size_t i = 0; i < momenta_.size(); ++i) *momenta_[i] = before_[i];
    }
    ChangedMomenta(const ChangedMomenta&) = delete;
    ChangedMomenta& operator=(const ChangedMomenta&) = delete;
    bool any() const { return !momenta_.empty(); }
    void set(double value) {
        for (double* m : momenta_) *m = value;
    }

 private:
    std::vector<double*> momenta_;
    std::vector<double> before_;
};

}  // namespace

void forward_for_statistics(SegmentationNet& net, const HostBatch& batch, DType compute) {
    const NoTape off;
    net.forward_training(upload(batch, net.materialized().device, compute).images);
}

bool renew_batch_norm_statistics(SegmentationNet& net, BatchSource& training, int64_t epoch, DType compute,
                                 const std::function<bool(int64_t images_done)>& go_on) {
    ChangedMomenta momenta(net);
    if (!momenta.any()) return true;
    KeptBuffers kept(net);
    const uint64_t seed = net.materialized().seed ^ name_hash("batch norm statistics");
    // By a momentum of 1 a NaN would stay, for 0 times it is no 0.
    for (Buffer* statistics : net.running_statistics()) statistics->value.fill(0);
    HostBatch batch;
    int64_t images = 0, batches = 0;
    net.set_training(true);
    training.start_epoch(epoch);
    while (training.next(batch)) {
        if (!go_on(images)) {
            kept.restore(true);
            return false;
        }
        images += batch.n;
        momenta.set(double(batch.n) / double(images));  // the first batch's is 1: what was there before is forgotten
        const StepRandomness random(seed, epoch, batches++);
        forward_for_statistics(net, batch, compute);
    }
    kept.restore(false);
    return true;
}

}  // namespace atrous
