// Lists what a net consists of, layer by layer, found by running it on device meta.
#pragma once

#include <string>
#include <vector>

#include "engine/nn/receptive_field.h"
#include "engine/nn/segmentation_net.h"

namespace atrous {

// Materializes the net on device meta, runs it in training mode and returns what ran, in order: op, layer, attributes,
// and the shapes and types of inputs and output. `image` receives the input, if it is given.
std::vector<Entry> trace(SegmentationNet& net, const Shape& input, DType compute, Value* image = nullptr);

// The halo of the net in evaluation mode, at images of about this size. Materializes it on device meta.
Halo halo_of(SegmentationNet& net, int64_t size = 512);

struct LayerRow {
    std::string module, op;  // path of the layer, "down1.maxpool_conv.1.double_conv.0"; "batch_norm+relu"
    Shape output;            // [N][H][W][C]
    DType dtype = DType::f32;
    int64_t parameters = 0;     // of this layer; where layers share one, the first has it
    int64_t multiply_adds = 0;  // of the whole batch
    int64_t kept_bytes = 0;     // kept for the backward pass; a block that several layers keep is the first one's
    ReceptiveField receptive_field;
    double output_stride = 1;
};

struct Summary {
    std::vector<LayerRow> rows;
    int64_t parameters = 0, trainable_parameters = 0;  // of the net
    int64_t unused_parameters = 0;                     // that no layer of this forward pass read
    int64_t multiply_adds = 0, kept_bytes = 0;         // of the whole batch; the input itself is not among what is kept
};

// Summarizes training on images [N][H][W][C] on `target`, which need not be here. Materializes the net on device meta.
Summary summarize(SegmentationNet& net, const Shape& input, DType compute, Device target);

}  // namespace atrous
