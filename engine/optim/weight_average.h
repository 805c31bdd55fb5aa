// The exponential moving average of a net's weights and of batch norm's running statistics (kernels/weight_average.h).
// Statistics are averaged as the weights are (so do timm's ModelEmaV2 and TensorFlow's EfficientNet): those of the last
// batches would be of other weights. Counts of batches are integers and stay the net's.
#pragma once

#include <vector>

#include "engine/nn/module.h"
#include "kernels/weight_average.h"

namespace atrous {

class WeightAverage {
 public:
    // The net must be materialized and outlive this. The averages begin as what its tensors hold.
    WeightAverage(Module& net, double decay);

    // While they are exchanged, update() and restart() throw ShapeError: they would mix averages into the net's weights.
    // After an optimizer's step, whose state is on the net's device; may be recorded in a graph.
    void update(const kernels::StepState* state);
    void restart();  // the averages become what the net's tensors hold
    // The net holds the averages, and this what the net held, until the next call. Takes no memory.
    void exchange();
    bool exchanged() const { return exchanged_; }

    // In the order of the net's parameters() and then buffers(); undefined where a buffer has no average.
    const std::vector<Tensor>& tensors() const { return tensors_; }
    const std::vector<Tensor>& blocks() const { return blocks_; }  // what they are parts of
    double decay() const { return decay_; }

 private:
    void make_chunks();
    kernels::AveragedWeights averaged() const;

    Module& net_;
    const double decay_;
    std::vector<Tensor> sources_, tensors_, blocks_;  // sources_: the net's own, one for each of tensors_
    Tensor chunks_;
    int64_t chunk_count_ = 0, count_ = 0;
    bool exchanged_ = false;
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
