// The average of a net's weights and of batch norm's running statistics (kernels/weight_average.h): an exponential moving
// one, or the mean of those that were added. Statistics are averaged as the weights are (so do timm's ModelEmaV2 and
// TensorFlow's EfficientNet): those of the last batches would be of other weights. Counts of batches are integers and stay
// the net's.
#pragma once

#include <optional>
#include <vector>

#include "engine/nn/module.h"
#include "kernels/weight_average.h"

namespace atrous {

class WeightAverage {
 public:
    // The net must be materialized and outlive this. The averages begin as what its tensors hold.
    WeightAverage(Module& net, double decay);  // a moving one
    explicit WeightAverage(Module& net);       // a mean, which is of nothing until add()

    // While they are exchanged, update(), add() and restart() throw ShapeError: they would mix averages into the net's
    // weights.
    // Of a moving average, after an optimizer's step, whose state is on the net's device; may be recorded in a graph.
    void update(const kernels::StepState* state);
    void add();                    // of a mean: the net's weights are one more
    void restart(int64_t of = 1);  // the averages become what the net's tensors hold: the mean of so many
    void clear() { added_ = 0; }   // of a mean: it is of nothing again
    // Of a mean: none were found for batch norm since the last add(), so that it holds the mean of the epochs' own.
    bool lacks_statistics() const { return lacks_statistics_; }
    void set_lacks_statistics(bool lacks) { lacks_statistics_ = lacks; }
    // The net holds the averages, and this what the net held, until the next call. Takes no memory.
    void exchange();
    bool exchanged() const { return exchanged_; }

    // In the order of the net's parameters() and then buffers(); undefined where a buffer has no average.
    const std::vector<Tensor>& tensors() const { return tensors_; }
    const std::vector<Tensor>& blocks() const { return blocks_; }  // what they are parts of
    double decay() const { return decay_.value_or(0); }            // 0: of a mean
    bool is_mean() const { return !decay_; }
    int64_t added() const { return added_; }  // how many a mean is of

 private:
    WeightAverage(Module& net, std::optional<double> decay);
    void make_chunks();
    kernels::AveragedWeights averaged() const;

    Module& net_;
    const std::optional<double> decay_;  // none: of a mean
    int64_t added_ = 0;
    std::vector<Tensor> sources_, tensors_, blocks_;  // sources_: the net's own, one for each of tensors_
    Tensor chunks_;
    int64_t chunk_count_ = 0, count_ = 0;
    bool exchanged_ = false, lacks_statistics_ = false;
};

// While this lives, the net holds the averages: for validations, and for files of them. Without an average (null)
// nothing changes. ShapeError within another such scope of the same average.
class WithAveragedWeights {
 public:
    explicit WithAveragedWeights(WeightAverage* average);
    ~WithAveragedWeights();
    WithAveragedWeights(const WithAveragedWeights&) = delete;
    WithAveragedWeights& operator=(const WithAveragedWeights&) = delete;

 private:
    WeightAverage* const average_;
};

}  // namespace atrous
