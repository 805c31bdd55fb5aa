#include "segmentation/load_net.h"

#include <fmt/core.h>

#include "engine/io/checkpoint.h"
#include "segmentation/precision.h"
#include "segmentation/pretrained_report.h"

namespace atrous {

LoadedNet load_net(const io::TensorFile& file, Device device, const std::string& precision) {
    LoadedNet loaded;
    loaded.card = model_card_of(file);
    loaded.averaged = averaged_record_of(file);
    const bool half_on_cpu = precision.empty() && loaded.card.precision == "fp16" && device.kind != DeviceKind::gpu;
    const std::string& trained = loaded.card.precision;
    loaded.precision = half_on_cpu ? "fp32" : precision.empty() ? trained : precision;
    loaded.compute = use_precision(loaded.precision, device);
    loaded.net = make_net(loaded.card.net);
    loaded.net->materialize({.device = {DeviceKind::meta}, .compute = loaded.compute});
    io::check_weights(file, *loaded.net);  // before memory is taken for what a damaged file claims to be
    loaded.net = make_net(loaded.card.net);
    loaded.net->materialize({.device = device, .compute = loaded.compute, .initialize = false});
    io::load_weights(file, *loaded.net);
    loaded.net->set_training(false);
    return loaded;
}

void load_all_weights(SegmentationNet& net, const std::string& path, Messages& messages) {
    const auto report = load_pretrained(net, path, false, messages);
    if (report.loaded != report.of)
        throw FormatError(fmt::format(
            "{}: {} of the net's {} tensors are missing; say which net it is with `model`, `encoder`, `base-channels`, "
            "`depth` and the like; `aux-weight` 0: no auxiliary head",
            path, report.of - report.loaded, report.of));
}

LoadedNet load_described(const std::string& path, ModelCard card, Device device, const std::string& precision,
                         Messages& messages) {
    LoadedNet loaded;
    loaded.card = std::move(card);
    if (!precision.empty()) loaded.precision = precision;
    loaded.compute = use_precision(loaded.precision, device);
    loaded.net = make_net(loaded.card.net);
    loaded.net->materialize({.device = device, .compute = loaded.compute});
    load_all_weights(*loaded.net, path, messages);
    loaded.net->set_training(false);
    return loaded;
}

LoadedNet load_net(const std::string& path, Device device, const std::string& precision) {
    return load_net(io::SafetensorsFile(path), device, precision);
}

}  // namespace atrous
