// The net of a checkpoint, ready to predict.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/io/tensor_file.h"
#include "engine/nn/receptive_field.h"
#include "segmentation/averaged_record.h"
#include "segmentation/messages.h"
#include "segmentation/model_card.h"

namespace atrous {

struct LoadedNet {
    ModelCard card;
    std::unique_ptr<SegmentationNet> net;
    DType compute = DType::f32;
    std::string precision = "fp32";               // what it computes in, as a word
    std::optional<AveragedRecord> averaged = {};  // the weights are an average of a training's
    std::optional<Halo> halo = {};  // of all nets that `net` consists of; none: the card's net is all there is
};
// Builds the net that the checkpoint describes on the device, in evaluation mode, and computes in `precision` from here
// on (use_precision); empty: the checkpoint's, of which fp16 is fp32 on the cpu.
LoadedNet load_net(const io::TensorFile& checkpoint, Device device, const std::string& precision);
LoadedNet load_net(const std::string& path, Device device, const std::string& precision);

// Fills the net, which has its memory, from weights that say nothing of what net they are of (PyTorch's, torchvision's), and
// says what fits. FormatError where a tensor of the net is missing.
void load_all_weights(SegmentationNet& net, const std::string& path, Messages& messages);
// The net that the card describes, with such weights.
LoadedNet load_described(const std::string& path, ModelCard card, Device device, const std::string& precision,
                         Messages& messages);

}  // namespace atrous
