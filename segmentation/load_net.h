// The net of a checkpoint, ready to predict.
#pragma once

#include <memory>
#include <string>

#include "engine/io/tensor_file.h"
#include "segmentation/model_card.h"

namespace atrous {

struct LoadedNet {
    ModelCard card;
    std::unique_ptr<SegmentationNet> net;
    DType compute = DType::f32;
};
// Builds the net that the checkpoint describes on the device, in evaluation mode. `precision`: empty for the
// checkpoint's.
LoadedNet load_net(const io::TensorFile& checkpoint, Device device, const std::string& precision);
LoadedNet load_net(const std::string& path, Device device, const std::string& precision);

}  // namespace atrous
