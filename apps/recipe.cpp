#include "apps/recipe.h"

#include <nlohmann/json.hpp>

namespace atrous::app {

static const char* key = "atrous.recipe";
static constexpr int version = 1;

io::Metadata to_metadata(const Recipe& r) {
    const nlohmann::json json{{"version", version},
                              {"model", r.net.model},
                              {"in_channels", r.net.in_channels},
                              {"out_channels", r.net.out_channels},
                              {"base_channels", r.net.base_channels},
                              {"depth", r.net.depth},
                              {"bilinear", r.net.bilinear},
                              {"height", r.height},
                              {"width", r.width},
                              {"mean", r.normalisation.mean},
                              {"std", r.normalisation.stddev},
                              {"mask_values", r.mask_values},
                              {"class_names", r.class_names},
                              {"colours", r.colours},
                              {"precision", r.precision},
                              {"loss", r.loss},
                              {"threads", r.threads}};
    return {{"format", "pt"}, {key, json.dump()}};
}

Recipe recipe_of(const io::SafetensorsFile& file) {
    const auto it = file.metadata().find(key);
    if (it == file.metadata().end())
        throw FormatError(file.path() + ": no '" + key +
                          "' in its metadata; expected a checkpoint written by atrous train");
    try {
        const auto json = nlohmann::json::parse(it->second);
        if (json.at("version").get<int>() != version)
            throw FormatError(file.path() + ": recipe version " + json.at("version").dump() +
                              "; this program reads version " + std::to_string(version));
        Recipe r;
        json.at("model").get_to(r.net.model);
        json.at("in_channels").get_to(r.net.in_channels);
        json.at("out_channels").get_to(r.net.out_channels);
        json.at("base_channels").get_to(r.net.base_channels);
        json.at("depth").get_to(r.net.depth);
        json.at("bilinear").get_to(r.net.bilinear);
        json.at("height").get_to(r.height);
        json.at("width").get_to(r.width);
        json.at("mean").get_to(r.normalisation.mean);
        json.at("std").get_to(r.normalisation.stddev);
        json.at("mask_values").get_to(r.mask_values);
        json.at("class_names").get_to(r.class_names);
        json.at("colours").get_to(r.colours);
        json.at("precision").get_to(r.precision);
        json.at("loss").get_to(r.loss);
        json.at("threads").get_to(r.threads);
        return r;
    } catch (const nlohmann::json::exception& e) {
        throw FormatError(file.path() + ": its recipe cannot be read: " + e.what());
    }
}

data::LoaderOptions loader_options(const Recipe& r, int64_t batch_size, int workers, int64_t input_multiple) {
    data::LoaderOptions o;
    o.batch_size = batch_size;
    o.resize_h = r.height;
    o.resize_w = r.width;
    o.size_multiple = input_multiple;
    o.channels = int(r.net.in_channels);
    o.normalisation = r.normalisation;
    o.workers = workers;
    return o;
}

DType compute_type(const std::string& precision) {
    if (precision == "fp32") return DType::f32;
    if (precision == "bf16") return DType::bf16;
    throw UsageError("precision '" + precision + "' is unknown; expected fp32 or bf16");
}

LossOptions loss_options(const Recipe& r) { return loss_options(r.loss, r.net.out_channels, 255); }

}  // namespace atrous::app
