// Runs a net over a data set without training it.
#pragma once

#include <functional>
#include <string>

#include "base/class_thresholds.h"
#include "engine/host_batch.h"
#include "engine/nn/segmentation_net.h"
#include "engine/train/batch_inputs.h"
#include "engine/train/loss.h"
#include "engine/train/scores.h"

namespace atrous {

// What an evaluation finds of one image, while its batch is at hand.
struct ImageResult {
    const HostBatch& batch;
    int64_t index;          // in the batch
    const int64_t* counts;  // [truth][predicted] in pixels, of labels in bits [class][truth][predicted]
    double loss;            // of this image by itself; undefined_score where no pixel counts
    Tensor logits;          // [1][H][W][C], on the net's device
    const std::string& name() const { return batch.names.at(size_t(index)); }
};

struct EvaluateOptions {
    LossFactory loss = bce_dice_loss();
    DType compute = DType::f32;
    ClassThresholds thresholds = {};                        // of a binary net's logit, or of each where labels are bits
    int ignore_index = 255;                                 // -1: none
    std::function<void(const ImageResult&)> on_image = {};  // called for each image, in their order
};

// Puts a net into evaluation mode and back.
struct EvaluationMode {
    explicit EvaluationMode(Module& net) : net(net), training(net.training()) { net.set_training(false); }
    ~EvaluationMode() { net.set_training(training); }
    EvaluationMode(const EvaluationMode&) = delete;
    EvaluationMode& operator=(const EvaluationMode&) = delete;
    Module& net;
    bool training;
};

// Called after each batch with the number of images done so far, and the logits.
using EvaluateProgress = std::function<void(const HostBatch& batch, const Tensor& logits, int64_t images_done)>;

// Scores over one epoch of the source, in evaluation mode; the net's mode is restored. Throws DataError for a label out of
// range, with its place (engine/train/label_check.h).
Scores evaluate(SegmentationNet& net, BatchSource& source, const EvaluateOptions& options,
                const EvaluateProgress& progress = {});

}  // namespace atrous
