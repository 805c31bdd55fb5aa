// One optimizer step from batches on the host. What a step costs the host is a copy into pinned memory and a few
// launches: no memory is taken, nothing is waited for, and its figures stay on the device until they are asked for.
//
// A step goes through phases: every micro-batch forward and backward; after the last one the gradients are reduced, that
// is, summed over the ranks, and the optimizer updates; the log adds up the loss. A rank is a process with a device and
// its own share of the step's images; together they do the step of all these images: its loss, its normalizer, its
// gradients, in equal bits on every rank. Batch norm's statistics are of each rank's own images. Alone, nothing is
// reduced.
//
// On a GPU steps of the same shapes run eagerly until they need no new memory, are then recorded as a graph, all their
// micro-batches together (up to a limit), and from there on replayed; all graphs work in the same memory. Not with several ranks: they run eagerly.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "engine/allocator.h"
#include "engine/comm/communicator.h"
#include "engine/host_batch.h"
#include "engine/nn/segmentation_net.h"
#include "engine/optim/optimizer.h"
#include "engine/train/batch_inputs.h"
#include "engine/train/gradient_buckets.h"
#include "engine/train/loss.h"
#include "engine/train/staging.h"
#include "kernels/step_log.h"

namespace atrous {

using kernels::StepLogEntry;

struct TrainingStepOptions {
    DType compute = DType::f32;
    double aux_weight = default_aux_weight;  // of an auxiliary head's loss, where the net has one
    bool scale_loss = false;                 // backward passes start from the optimizer's loss scale (f16)
    bool graphs = true;                      // record steps where the device can
    // Micro-batches whose images and labels take more than this together run one after the other in the same memory
    // rather than as one graph, which needs them all at once.
    size_t max_input_bytes = size_t{256} << 20;
    int64_t log_capacity = 256;  // steps whose figures are kept before read() must be called
    // Outlives the step. Null: there is one rank. Its first run() makes all nets and optimizers equal to rank 0's.
    Communicator* ranks = nullptr;
};

class TrainingStep {
 public:
    TrainingStep(SegmentationNet& net, Optimizer& optimizer, const LossFunction& loss,
                 const TrainingStepOptions& options);
    ~TrainingStep();

    // Submits one step. The batches may be reused when this returns. A label out of range is not refused: the entry of the
    // log says it (StepLogEntry::labels). On device meta, under a MemorySimulation, a step takes and gives back its memory
    // as on the target, and batches need shapes only.
    void run(const HostBatch* batches, int64_t count, double learning_rate);
    // Figures of the steps submitted since the last call, oldest first; waits for them.
    std::vector<StepLogEntry> read();
    int64_t unread() const { return unread_; }
    int64_t replayed() const { return replayed_; }  // steps that were replays of a graph

 private:
    struct Pass;     // of a micro-batch through the phases
    struct Inputs;   // of the same shapes: device tensors and, once they are recorded, the graph
    struct Values {  // of one step, besides its batches
        double learning_rate, normalizer, images;
    };

    bool recordable(const HostBatch* batches, int64_t count) const;
    Inputs& inputs_for(const HostBatch* batches, int64_t count);
    void drop_oldest();
    Values values_of(const HostBatch* batches, int64_t count, double learning_rate);
    void upload(const HostBatch* batches, int64_t count, Inputs& to, const Values* values);
    struct Turn {  // of a micro-batch in its step
        int64_t index, labels_before;
        bool last;
    };
    void micro_batch(const BatchInputs& part, double share_of_images, const Turn& turn);
    void forward(Pass& pass);
    void backward(Pass& pass);
    void reduce();
    void update();
    void log(const Pass& pass);
    void all_reduce(void* data, int64_t count, DType dtype);
    void broadcast_state();
    void whole_step(const Inputs& inputs, double images);  // without what the host copies; images of all ranks
    void run_within_pool(Inputs& inputs, double images);
    void run_one_by_one(const HostBatch* batches, int64_t count, const Values& values);

    SegmentationNet& net_;
    Optimizer& optimizer_;
    const LossFunction& loss_;
    TrainingStepOptions options_;
    Device device_;
    Communicator& ranks_;
    uint64_t seed_;                             // of dropout
    std::unique_ptr<GradientBuckets> buckets_;  // with several ranks
    Tensor log_, sums_, step_labels_, normalizer_;
    Staging staging_;
    std::unique_ptr<MemoryPool> pool_;  // of the shapes below; their graphs go before it
    int64_t largest_ = 0;               // pixels of the largest micro-batch that it was filled for
    std::map<std::vector<int64_t>, std::unique_ptr<Inputs>> inputs_;
    int64_t unread_ = 0, replayed_ = 0, runs_ = 0;
    bool graphs_ = false;
};

}  // namespace atrous
