#include "segmentation/load_net.h"

#include "engine/io/checkpoint.h"
#include "segmentation/precision.h"

namespace atrous {

LoadedNet load_net(const io::TensorFile& file, Device device, const std::string& precision) {
    LoadedNet loaded;
    loaded.card = model_card_of(file);
    const bool half_on_cpu = precision.empty() && loaded.card.precision == "fp16" && device.kind != DeviceKind::gpu;
    const std::string& trained = loaded.card.precision;
    loaded.compute = use_precision(half_on_cpu ? "fp32" : precision.empty() ? trained : precision, device);
    loaded.net = make_net(loaded.card.net);
    loaded.net->materialize({.device = {DeviceKind::meta}, .compute = loaded.compute});
    io::check_weights(file, *loaded.net);  // before memory is taken for what a damaged file claims to be
    loaded.net = make_net(loaded.card.net);
    loaded.net->materialize({.device = device, .compute = loaded.compute, .initialize = false});
    io::load_weights(file, *loaded.net);
    loaded.net->set_training(false);
    return loaded;
}

LoadedNet load_net(const std::string& path, Device device, const std::string& precision) {
    return load_net(io::SafetensorsFile(path), device, precision);
}

}  // namespace atrous
