// The net of a checkpoint as an ONNX model: the net's graph, at will with what comes before and behind it, and what the
// model card says, as metadata (docs/onnx.md).
#pragma once

#include <string>

#include "base/image_size.h"
#include "engine/io/onnx_file.h"
#include "segmentation/load_net.h"

namespace atrous {

struct OnnxOptions {
    // Images as they are stored, u8 0..255, are the input, or where the card has a value range of its own f32 of that
    // range; else normalized f32.
    bool normalization = false;
    bool class_ids = false;        // u8 [N][H][W] in place of the logits
    double logit_threshold = 0;    // of a net of one channel, for class_ids
    bool auxiliary = false;        // the auxiliary head's logits as a second output
    bool half = false;             // weights and arithmetic in fp16; ports stay f32
    bool fold_batch_norm = false;  // into the convolutions' weights, at least one; else they are nodes
    int64_t opset = 17;
    ImageSize size = {};  // of all images; none: they may have any
};

struct OnnxExport {
    io::OnnxModel model;        // its weights are those of the net, which must outlive it
    std::string fixed_because;  // why it is for one size, though none was asked for; empty: it is not
    int folded = 0;             // batch norms in convolutions' weights
};

// UsageError for an auxiliary head that the net does not have, and where no batch norm can be folded; Error naming an op that
// ONNX has no form of.
OnnxExport onnx_of(const LoadedNet& loaded, const OnnxOptions& options);

}  // namespace atrous
