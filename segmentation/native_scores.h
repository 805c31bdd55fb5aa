// Scores at the images' own sizes: the logits are resized to them bilinearly, as `predict` does, and compared with the
// masks as they are stored. Scores at a net's size miss what its resizing of the masks loses.
#pragma once

#include <optional>
#include <vector>

#include "data/loader.h"
#include "engine/host_batch.h"
#include "engine/train/scores.h"
#include "engine/train/surface_scores.h"
#include "segmentation/model_card.h"

namespace atrous {

class NativeScores {
 public:
    // `samples` are those of the batches, by their indices, `loader` is how they became batches. `thresholds`:
    // base/class_thresholds.h. References are kept.
    NativeScores(const ModelCard& card, const data::MaskRule& rule, const std::vector<data::Sample>& samples,
                 const data::LoaderOptions& loader, const ClassThresholds& thresholds);

    // Scores boundaries too, from now on.
    void score_surfaces(double tolerance) { surfaces_.emplace(card_.classes(), tolerance); }

    // Reads each image and mask of the batch again. Memory: one of them, and some rows of its logits; its class ids where boundaries are
    // scored.
    void add(const HostBatch& batch, const Tensor& logits);
    Scores scores() const { return metrics_.scores(); }  // without a loss
    const std::optional<SurfaceScores>& surfaces() const { return surfaces_; }

 private:
    void add_image(const data::Sample& sample, const Tensor& logits);

    const ModelCard& card_;
    const data::MaskRule& rule_;
    const std::vector<data::Sample>& samples_;
    const data::LoaderOptions& loader_;
    ClassThresholds thresholds_;
    MetricAccumulator metrics_;
    std::optional<SurfaceScores> surfaces_;
};

}  // namespace atrous
