#include <fmt/core.h>

#include <cstdio>
#include <filesystem>

#include "apps/options.h"
#include "apps/session.h"
#include "apps/ui/table.h"
#include "apps/verbs.h"
#include "data/dataset.h"
#include "engine/io/text.h"

namespace atrous::app {

int eval(int argc, const char* const* argv) {
    Options o("eval", "Scores a checkpoint on a data set.");
    auto& folder = o.text("--data", "", "data set: a folder of images and masks").required();
    auto& checkpoint = o.text("--checkpoint", "", "a checkpoint written by atrous train").required();
    auto& split = o.choice("--split", {"val", "train", "all"}, "val", "which samples");
    auto& mask_values = o.text("--mask-values", "", "how mask values become classes; empty: as in training");
    auto& val_fraction =
        o.number("--val-fraction", 0.1, "share that validates where the folder does not say").min(0).max(1);
    auto& seed = o.integer("--seed", 0, "of that split; use training's").min(0);
    auto& batch_size = o.integer("-b,--batch-size", 8, "images at once").min(1);
    auto& device_name = o.text("--device", "auto", "auto, cpu, cuda, cuda:N or emulated");
    auto& precision = o.text("--precision", "", "fp32 or bf16; empty: as in training");
    auto& threads = o.integer("--threads", 0, "cpu threads; 0: all").min(0).max(1024);
    auto& workers = o.integer("--workers", 1, "threads that load images").min(0).max(64);
    auto& confusion = o.text("--confusion", "", "write the confusion matrix (CSV): a row a true class, in pixels");
    auto& sheet = o.text("--sheet", "", "write a contact sheet (PNG): picture, truth, prediction, overlay");
    o.parse(argc, argv);

    const Device device = open_device(device_name.value, int(threads.value));
    LoadedNet loaded = load_net(checkpoint.value, device, precision.value);
    Recipe& recipe = loaded.recipe;
    if (!mask_values.value.empty()) recipe.mask_values = mask_values.value;
    const data::Dataset set = data::find_dataset({.root = folder.value,
                                                  .train_list = {},
                                                  .val_list = {},
                                                  .val_pattern = {},
                                                  .val_fraction = val_fraction.value,
                                                  .seed = uint64_t(seed.value)});
    std::vector<data::Sample> samples = split.value == "train" ? set.train : set.val;
    if (split.value == "all") samples.insert(samples.end(), set.train.begin(), set.train.end());
    if (samples.empty()) throw DataError(folder.value + ": no samples in split " + split.value + "; try --split all");
    const auto report =
        data::check_dataset(samples, {data::parse_mask_rule(recipe.mask_values), int(recipe.classes()), 0});

    std::fputs(format_table(o.table()).c_str(), stdout);
    auto source =
        data::make_loader(samples, report.rule,
                          loader_options(recipe, batch_size.value, int(workers.value), loaded.net->input_multiple()));
    const Scores scores = evaluate(*loaded.net, *source, {loss_options(recipe), loaded.compute, 0, 255});
    fmt::print("\n{} images of {} at {}x{}\n{}\n", scores.images, folder.value, recipe.height, recipe.width,
               scores_line(scores));
    fmt::print("{}\n", baseline_line(scores, recipe.class_names));
    fmt::print("{}", scores_table(scores, recipe.class_names));
    if (!confusion.value.empty()) {
        write_confusion(confusion.value, scores, recipe.class_names);
        fmt::print("wrote {}\n", confusion.value);
    }
    if (!sheet.value.empty()) {
        data::save_png(sheet.value, result_sheet(*loaded.net, recipe, loaded.compute, samples, 8));
        fmt::print("wrote {}\n", sheet.value);
    }
    std::fflush(stdout);
    return 0;
}

}  // namespace atrous::app
