#include "segmentation/bad_batch.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "engine/io/state_dict.h"
#include "engine/train/batch_inputs.h"

namespace atrous {

static const char* key = "atrous.bad_batch";
static const std::string prefix = "batch.";

void save_bad_batch(const std::string& path, SegmentationNet& net, const ModelCard& card, const BadStep& bad,
                    const FreezeOptions& freezing, const std::optional<TunedRecord>& tuned) {
    const HostBatch& b = *bad.batch;
    auto tensors = io::state_dict(net);
    const DeviceBatch normalized = upload(b, {DeviceKind::cpu}, DType::f32);
    tensors.push_back(
        io::tensor_in_memory(prefix + "images", DType::f32, {b.n, b.h, b.w, b.c}, normalized.images.data()));
    tensors.push_back(io::tensor_in_memory(prefix + "labels", DType::u8, {b.n, b.h, b.w}, normalized.labels.data()));
    auto metadata = to_metadata(card);
    if (tuned) add_to(metadata, *tuned);
    const StepConditions& c = bad.conditions;
    std::vector<std::string> names;
    for (const std::string& name : b.names) names.push_back(io::as_utf8(name));
    metadata[key] = nlohmann::json{
        {"epoch", bad.epoch},
        {"step", bad.step},
        {"attempt", c.attempt},
        {"micro_batch", c.micro_batch},
        {"loss_scale", c.loss_scale},
        {"aux_weight", c.aux_weight},
        {"freeze_bn", freezing.batch_norm},
        {"freeze_encoder", freezing.encoder},
        {"seed", net.materialized().seed},
        {"names",
         names}}.dump();
    io::write_safetensors(path, std::move(tensors), metadata);
}

template <class T>
static void read_values(const io::SafetensorsFile& file, const char* name, DType dtype, size_t rank,
                        std::vector<int64_t>& shape, std::vector<T>& values) {
    const io::TensorInfo& info = file.at(prefix + name);
    if (info.dtype != dtype || info.shape.size() != rank)
        throw FormatError(file.path() + ": tensor '" + info.name + "' is not of the shape and type that train writes");
    shape = info.shape;
    values.resize(size_t(info.count()));
    file.read(info, values.data());
}

BadBatch read_bad_batch(const io::SafetensorsFile& file) {
    const auto it = file.metadata().find(key);
    if (it == file.metadata().end())
        throw FormatError(file.path() + ": holds no batch; expected a bad_batch.safetensors written by atrous train");
    BadBatch bad;
    bad.card = model_card_of(file);
    std::vector<int64_t> images, labels;
    read_values(file, "images", DType::f32, 4, images, bad.batch.images);
    read_values(file, "labels", DType::u8, 3, labels, bad.batch.labels);
    if (labels != std::vector<int64_t>(images.begin(), images.begin() + 3))
        throw FormatError(file.path() + ": its labels do not have the size of its images");
    bad.batch.n = images[0], bad.batch.h = images[1], bad.batch.w = images[2], bad.batch.c = images[3];
    try {
        const auto json = nlohmann::json::parse(it->second);
        json.at("epoch").get_to(bad.epoch);
        json.at("step").get_to(bad.step);
        json.at("attempt").get_to(bad.conditions.attempt);
        json.at("aux_weight").get_to(bad.conditions.aux_weight);
        json.at("seed").get_to(bad.seed);
        // Files of earlier versions lack these.
        bad.conditions.micro_batch = json.value("micro_batch", int64_t{0});
        bad.conditions.loss_scale = json.value("loss_scale", 1.0);
        bad.freezing.batch_norm = json.value("freeze_bn", false);
        bad.freezing.encoder = json.value("freeze_encoder", false);
        json.at("names").get_to(bad.batch.names);
        for (std::string& name : bad.batch.names) name = io::from_utf8(name);
    } catch (const nlohmann::json::exception& e) {
        throw FormatError(file.path() + ": the description of its batch cannot be read: " + e.what());
    }
    return bad;
}

void load_bad_weights(const io::SafetensorsFile& file, SegmentationNet& net) { io::load_state_dict(net, file, prefix); }

}  // namespace atrous
