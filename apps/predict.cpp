#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "apps/options.h"
#include "apps/session.h"
#include "apps/ui/table.h"
#include "apps/verbs.h"
#include "data/dataset.h"
#include "engine/io/durable_file.h"
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

static data::Image binary_of(data::Image ids) {
    for (uint8_t& id : ids.u8) id = id ? 255 : 0;
    return ids;
}

// What one prediction of the program writes, and where.
struct Predictor {
    LoadedNet& loaded;
    std::set<std::string> wanted;  // of index, binary, probability, overlay
    double threshold = 0;          // of a binary net's logit
    fs::path output;
    std::set<std::string> used = {};  // names of pictures, to tell a.png from a.jpg

    void operator()(const std::string& path, const fs::path& below);
};

// Predicts the picture at `path`, whose results go to output / below.
void Predictor::operator()(const std::string& path, const fs::path& below) {
    const data::Image picture = data::load_image(path);
    const Recipe& recipe = loaded.recipe;
    const auto palette = data::mask_palette(int(recipe.classes()));
    const auto logits = logits_of(loaded, picture);
    const int64_t c = recipe.net.out_channels;
    const data::Image ids = classes_of(logits.data(), picture.h, picture.w, c, threshold);
    std::string name = (below / fs::path(path).stem()).string();
    if (!used.insert(name).second) name = (below / fs::path(path).filename()).string();  // a.png beside a.jpg
    const auto write = [&](const char* what, const auto& make, const data::Palette& colours) {
        if (!wanted.count(what)) return;
        const auto png = data::encode_png(make(), colours);
        io::write_durably((output / (name + "_" + what + ".png")).string(),
                          [&](io::FileSink& sink) { sink.write(png.data(), png.size()); }, {.quick = true});
    };
    write(
        "index", [&] { return ids; }, palette);
    write("binary", [&] { return binary_of(ids); }, {});
    write("probability", [&] { return probability_of(logits.data(), picture.h, picture.w, c, is_softmax(recipe)); },
          {});
    write("overlay", [&] { return data::overlay(picture, ids, palette); }, {});
    const int64_t object = int64_t(std::count_if(ids.u8.begin(), ids.u8.end(), [](uint8_t id) { return id != 0; }));
    fmt::print("{}: {}x{}, {:.1f} % foreground\n", path, picture.w, picture.h,
               100.0 * double(object) / double(ids.count()));
}

static void make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw IoError(folder.string() + ": the folder cannot be made: " + error.message());
    io::remove_stale_temporaries_in(folder.string());
}

static bool is_inside(const std::string& path, const std::string& folder) {
    const fs::path relative = fs::weakly_canonical(path).lexically_relative(fs::weakly_canonical(folder));
    return !relative.empty() && *relative.begin() != "..";
}

// Predicts all; a picture that cannot be read stops no other. DataError names them at the end.
static void predict_all(Predictor& predict, const std::string& input, const std::vector<std::string>& pictures) {
    std::vector<std::string> failures;
    std::set<fs::path> made;
    for (const std::string& path : pictures) {
        const fs::path below = fs::is_directory(input) ? fs::path(path).parent_path().lexically_relative(input) : ".";
        const fs::path folder = (predict.output / below).lexically_normal();
        if (made.insert(folder).second) make_folder(folder);
        try {
            predict(path, below.lexically_normal() == "." ? "" : below);
        } catch (const DataError& e) {
            fmt::print("skipped: {}\n", e.what());
            failures.push_back(e.what());
        }
    }
    fmt::print("wrote {} pictures' results to {}\n", pictures.size() - failures.size(), predict.output.string());
    std::fflush(stdout);
    if (failures.empty()) return;
    std::string text =
        pictures.size() > 1 ? fmt::format("{} of {} pictures were skipped: ", failures.size(), pictures.size()) : "";
    for (size_t i = 0; i < std::min<size_t>(failures.size(), 5); ++i) text += (i ? " | " : "") + failures[i];
    throw DataError(failures.size() > 5 ? text + " | and more, listed above" : text);
}

int predict(int argc, const char* const* argv) {
    Options o("predict", "Writes masks, probabilities or overlays for a picture or a folder of them.");
    auto& input = o.text("input", "", "a picture, or a folder of pictures").required();
    auto& checkpoint = o.text("--checkpoint", "", "a checkpoint written by atrous train").required();
    auto& output = o.text("-o,--output", "", "folder to write into").required();
    auto& save = o.texts("--save", {},
                         "what to write: index (class ids, palette PNG), binary (0/255, all classes but the first "
                         "alike), probability (0..255), overlay; not given: binary overlay, or of a net of several "
                         "classes index overlay");
    auto& threshold = threshold_option(o);
    auto& recursive = o.flag("-r,--recursive", "also the pictures of the folders in the folder");
    auto& device_name = o.text("--device", "auto", "auto, cpu, cuda, cuda:N or emulated");
    auto& precision = o.text("--precision", "", "fp32, bf16 or fp16; empty: as in training");
    auto& threads = o.integer("--threads", 0, "cpu threads; 0: all").min(0).max(1024);
    o.parse(argc, argv);
    for (const std::string& what : save.value)
        if (!std::set<std::string>{"index", "binary", "probability", "overlay"}.count(what))
            throw UsageError("--save '" + what + "' is unknown; expected index, binary, probability or overlay");

    auto pictures = data::list_pictures(input.value, recursive.value);
    if (recursive.value)  // results of an earlier prediction are no pictures
        std::erase_if(pictures, [&](const std::string& path) { return is_inside(path, output.value); });
    if (pictures.empty())
        throw UsageError("--output " + output.value +
                         ": all pictures lie in this folder; choose another to write into");
    LoadedNet loaded = load_net(checkpoint.value, open_device(device_name.value, int(threads.value)), precision.value);
    if (save.value.empty()) save.value = {loaded.recipe.classes() == 2 ? "binary" : "index", "overlay"};
    Predictor predictor{
        loaded, {save.value.begin(), save.value.end()}, logit_threshold(threshold, loaded.recipe), output.value};
    make_folder(output.value);
    std::fputs(format_table(o.table()).c_str(), stdout);
    predict_all(predictor, input.value, pictures);
    return 0;
}

}  // namespace atrous::app
