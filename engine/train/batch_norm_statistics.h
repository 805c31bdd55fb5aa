// Batch norm's running statistics for weights that no step has trained, such as a mean of several: found anew in a pass
// over training images, without gradients.
#pragma once

#include <functional>

#include "engine/host_batch.h"
#include "engine/nn/segmentation_net.h"

namespace atrous {

// The statistics become the mean of those of all batches of the epoch, weighted by images; where all batches are equally
// large, what torch.optim.swa_utils.update_bn gives. Dropout drops, as in training. Counts of batches stay. `go_on` is
// asked before each batch, with the images done; where it says no, the statistics are those of before and the answer is
// false. Frozen batch norms stay as they are, and a net without others takes no pass.
bool renew_batch_norm_statistics(SegmentationNet& net, BatchSource& training, int64_t epoch, DType compute,
                                 const std::function<bool(int64_t images_done)>& go_on);

// What that does with a batch on the net's device; a memory plan does it too.
void forward_for_statistics(SegmentationNet& net, const HostBatch& batch, DType compute);

}  // namespace atrous
