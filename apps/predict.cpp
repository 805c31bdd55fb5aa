#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>

#include "apps/options.h"
#include "apps/session.h"
#include "apps/ui/table.h"
#include "apps/verbs.h"
#include "data/dataset.h"
#include "engine/ops/resize.h"

namespace atrous::app {

namespace fs = std::filesystem;

// Logits of one picture, at its own size: [h][w][c] on the host.
static std::vector<float> logits_of(LoadedNet& loaded, const data::Image& picture) {
    const Recipe& recipe = loaded.recipe;
    auto options = loader_options(recipe, 1, 0, loaded.net->input_multiple());
    data::Prepared prepared{
        data::resize_bilinear(data::to_channels(picture, int(recipe.net.in_channels)), recipe.height, recipe.width),
        {},
        picture.h,
        picture.w};
    HostBatch batch;
    data::assemble({prepared}, options, batch);
    const Tensor padded = loaded.net->forward(upload(batch, loaded.net->materialized().device, loaded.compute).images);
    const int64_t c = padded.dim(3);
    const std::vector<float> host = host_logits(padded);
    std::vector<float> inside;
    for (int64_t y = 0; y < recipe.height; ++y) {
        const float* row = host.data() + y * padded.dim(2) * c;
        inside.insert(inside.end(), row, row + recipe.width * c);
    }
    Tensor logits = Tensor::empty({1, recipe.height, recipe.width, c}, DType::f32, {DeviceKind::cpu});
    logits.copy_from_host(inside.data(), logits.bytes());
    return bilinear(logits, picture.h, picture.w, false).to_host<float>();
}

// Probability of the foreground, or of the predicted class: 0..255.
static data::Image probability_of(const std::vector<float>& logits, int64_t h, int64_t w, int64_t c) {
    data::Image image = data::make_image<uint8_t>(h, w, 1);
    for (int64_t p = 0; p < h * w; ++p) {
        const float* z = logits.data() + p * c;
        const float best = *std::max_element(z, z + c);
        image.u8[size_t(p)] = uint8_t(std::lround(255 / (1 + std::exp(-double(best)))));
    }
    return image;
}

static data::Image binary_of(data::Image ids) {
    for (uint8_t& id : ids.u8) id = id ? 255 : 0;
    return ids;
}

int predict(int argc, const char* const* argv) {
    Options o("predict", "Writes masks, probabilities or overlays for a picture or a folder of them.");
    auto& input = o.text("input", "", "a picture, or a folder of pictures").required();
    auto& checkpoint = o.text("--checkpoint", "", "a checkpoint written by atrous train").required();
    auto& output = o.text("-o,--output", "", "folder to write into").required();
    auto& save =
        o.texts("--save", {"binary", "overlay"},
                "what to write: index (class ids, palette PNG), binary (0/255), probability (0..255), overlay");
    auto& threshold = o.number("--threshold", 0.5, "probability above which a pixel is foreground (binary nets)")
                          .above(0)
                          .max(0.999999);
    auto& device_name = o.text("--device", "auto", "auto, cpu, cuda, cuda:N or emulated");
    auto& precision = o.text("--precision", "", "fp32, bf16 or fp16; empty: as in training");
    auto& threads = o.integer("--threads", 0, "cpu threads; 0: all").min(0).max(1024);
    o.parse(argc, argv);
    const std::set<std::string> wanted(save.value.begin(), save.value.end());
    for (const std::string& what : wanted)
        if (!std::set<std::string>{"index", "binary", "probability", "overlay"}.count(what))
            throw UsageError("--save '" + what + "' is unknown; expected index, binary, probability or overlay");

    const auto pictures = data::list_pictures(input.value);
    LoadedNet loaded = load_net(checkpoint.value, open_device(device_name.value, int(threads.value)), precision.value);
    const auto palette = data::mask_palette(int(loaded.recipe.classes()));
    const double logit_threshold = std::log(threshold.value / (1 - threshold.value));
    std::error_code error;
    fs::create_directories(output.value, error);
    if (error) throw IoError(output.value + ": the folder cannot be made: " + error.message());
    std::fputs(format_table(o.table()).c_str(), stdout);

    std::set<std::string> used;
    for (const std::string& path : pictures) {
        const data::Image picture = data::load_image(path);
        const auto logits = logits_of(loaded, picture);
        const int64_t c = loaded.recipe.net.out_channels;
        const data::Image ids = classes_of(logits.data(), picture.h, picture.w, c, logit_threshold);
        std::string stem = fs::path(path).stem().string();
        if (!used.insert(stem).second) stem = fs::path(path).filename().string();  // a.png beside a.jpg
        auto write = [&](const char* what, const data::Image& image, const data::Palette& colours) {
            if (wanted.count(what))
                data::save_png((fs::path(output.value) / (stem + "_" + what + ".png")).string(), image, colours);
        };
        write("index", ids, palette);
        write("binary", binary_of(ids), {});
        write("probability", probability_of(logits, picture.h, picture.w, c), {});
        write("overlay", data::overlay(picture, ids, palette), {});
        const int64_t object = int64_t(std::count_if(ids.u8.begin(), ids.u8.end(), [](uint8_t id) { return id != 0; }));
        fmt::print("{}: {}x{}, {:.1f} % foreground\n", path, picture.w, picture.h,
                   100.0 * double(object) / double(ids.count()));
    }
    fmt::print("wrote {} pictures' results to {}\n", pictures.size(), output.value);
    std::fflush(stdout);
    return 0;
}

}  // namespace atrous::app
