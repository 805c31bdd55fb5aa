#include "apps/recipe.h"

#include "kernels/conv.h"

namespace atrous::app {

static const char* key = "atrous.recipe";

io::Metadata to_metadata(const Recipe& recipe) { return {{"format", "pt"}, {key, text_of(recipe)}}; }

bool has_recipe(const io::TensorFile& file) { return file.metadata().count(key) > 0; }

Recipe recipe_of(const io::TensorFile& file) {
    const auto it = file.metadata().find(key);
    if (it == file.metadata().end())
        throw FormatError(file.path() + ": no '" + key +
                          "' in its metadata; expected a checkpoint written by atrous train");
    const Recipe recipe = parse_recipe(it->second, file.path());
    try {
        make_net(recipe.net);
    } catch (const Error& e) {
        throw FormatError(file.path() + ": its recipe's net cannot be built: " + e.what());
    }
    return recipe;
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
