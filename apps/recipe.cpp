#include "apps/recipe.h"

#include <nlohmann/json.hpp>

#include "kernels/conv.h"

namespace atrous::app {

static const char* key = "atrous.recipe";
static constexpr int version = 1;

// Every field of a NetConfig under the name that the recipe has it.
template <class Net, class F>
static void visit_net(Net& net, const F& f) {
    f("model", net.model);
    f("in_channels", net.in_channels);
    f("out_channels", net.out_channels);
    f("base_channels", net.base_channels);
    f("depth", net.depth);
    f("bilinear", net.bilinear);
    f("align_corners", net.align_corners);
    f("full_width", net.full_width);
    f("batch_norm", net.batch_norm);
    f("kernel", net.kernel);
    f("encoder", net.encoder);
    f("output_stride", net.output_stride);
    f("rates", net.rates);
    f("aspp_pooling", net.pooled);
    f("auxiliary", net.auxiliary);
    f("gentle_decoder", net.gentle);
    f("separable", net.separable);
}

io::Metadata to_metadata(const Recipe& r) {
    nlohmann::json json{{"version", version},
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
    visit_net(r.net, [&](const char* name, const auto& value) { json[name] = value; });
    if (r.split) json["split"] = *r.split;
    // A list's path need not be UTF-8.
    return {{"format", "pt"}, {key, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}};
}

bool has_recipe(const io::TensorFile& file) { return file.metadata().count(key) > 0; }

Recipe recipe_of(const io::TensorFile& file) {
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
        for (const char* name : {"model", "in_channels", "out_channels"}) json.at(name);
        visit_net(r.net, [&](const char* name, auto& value) {
            if (json.contains(name)) json.at(name).get_to(value);  // absent: from before the option existed
        });
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
        if (json.contains("split")) r.split = json.at("split").get<SplitRecord>();
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

bool is_softmax(const Recipe& r) {
    return r.net.out_channels > 1 && std::holds_alternative<SoftmaxLossOptions>(loss_options(r).terms);
}

DType compute_type(const std::string& precision, Device device) {
    if (precision == "fp32") return DType::f32;
    if (precision == "bf16") {
        if (device.kind == DeviceKind::cpu && !kernels::cpu::has_bf16_convolutions())
            throw UsageError("--precision bf16 on the cpu needs AVX-512, which this processor lacks; use fp32");
        return DType::bf16;
    }
    if (precision != "fp16") throw UsageError("precision '" + precision + "' is unknown; expected fp32, bf16 or fp16");
    if (device.kind != DeviceKind::gpu) throw UsageError("--precision fp16 needs a GPU; on the cpu use bf16 or fp32");
    return DType::f16;
}

LossOptions loss_options(const Recipe& r) { return loss_options(r.loss, r.net.out_channels, 255); }

}  // namespace atrous::app
