#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/checkpoint_path.h"
#include "apps/options.h"
#include "apps/outputs.h"
#include "apps/score_files.h"
#include "apps/session.h"
#include "apps/ui/table.h"
#include "apps/verbs.h"
#include "base/durable_file.h"
#include "data/dataset.h"

namespace atrous::app {
namespace {

struct EvalArguments {
    Options o{"eval", "Scores a checkpoint on a data set: on the samples that its training held out, unless told."};
    Setting<std::string>&data =
        (o.group("Data"), o.text("data", "", "data set: a folder of images and masks").required()),
    &checkpoint = o.text("checkpoint", "", "a checkpoint or run folder of atrous train").required(),
    &split = o.choice("split", {"val", "train", "all"}, "val", "which samples"),
    &mask_values = o.text("mask-values", "", "how mask values become classes; empty: as in training"),
    &train_list =
        o.text("train-list", "",
               "list file of the training samples, its lines relative to --data; empty: split as in training"),
    &val_list = o.text("val-list", "", "list file of the validation samples; empty: split as in training"),
    &val_pattern = o.text("val-pattern", "", "pictures whose file name matches validate; empty: as in training");
    Setting<double>& val_fraction =
        o.number("val-fraction", 0.1, "share that validates where nothing else says; not given: as in training")
            .min(0)
            .max(0.9);
    Setting<int64_t>& seed = o.integer("seed", 0, "of that share; not given: training's").min(0);

    Setting<int64_t>& batch_size =
        (o.group("Machine"), o.integer("batch-size", 8, "images at once").letter('b').min(1));
    Setting<std::string>&device = o.text("device", "auto", "auto, cpu, cuda, cuda:N or emulated"),
    &precision = o.text("precision", "", "fp32, bf16 or fp16; empty: as in training");
    Setting<int64_t>&threads = o.integer("threads", 0, "cpu threads; 0: all").min(0).max(1024),
    &workers = o.integer("workers", 1, "threads that load images").min(0).max(64);

    Setting<double>& threshold = (o.group("Scores"), threshold_option(o));
    Setting<std::string>&per_image = o.text("per-image", "", "write each image's scores (CSV)"),
    &json = o.text("json", "", "write the scores as JSON"),
    &confusion = o.text("confusion", "", "write the confusion matrix (CSV): a row a true class, in pixels"),
    &sheet = o.text("sheet", "", "write a contact sheet (PNG): picture, truth, prediction, overlay");
    Setting<bool>& overwrite = overwrite_option(o);

    Outputs outputs() const;
};

Outputs EvalArguments::outputs() const {
    Outputs files;
    files.reads("--checkpoint", checkpoint.value).reads("--config", o.config_file());
    files.reads("--train-list", train_list.value).reads("--val-list", val_list.value);
    files.writes("--per-image", per_image.value, FileKind::csv).writes("--json", json.value, FileKind::json);
    files.writes("--confusion", confusion.value, FileKind::csv).writes("--sheet", sheet.value, FileKind::png);
    return files;
}

// The split of the checkpoint's training; flags replace it. The options then show what is used.
data::DatasetOptions settle_split(EvalArguments& a, const std::optional<SplitRecord>& recorded) {
    const bool anew = a.train_list.given() || a.val_list.given() || a.val_pattern.given() || a.val_fraction.given();
    if (recorded) {
        if (!anew) {
            a.train_list.default_from(recorded->train_list);
            a.val_list.default_from(recorded->val_list);
            a.val_pattern.default_from(recorded->val_pattern);
        }
        a.val_fraction.default_from(recorded->val_fraction);
        a.seed.default_from(int64_t(recorded->seed));
    }
    return {.root = a.data.value,
            .train_list = a.train_list.value,
            .val_list = a.val_list.value,
            .val_pattern = a.val_pattern.value,
            .val_fraction = a.val_fraction.value,
            .seed = uint64_t(a.seed.value)};
}

data::Dataset find_as_trained(const data::DatasetOptions& options, const std::optional<SplitRecord>& recorded) {
    try {
        return data::find_dataset(options);
    } catch (const DataError& e) {
        const bool by_record = recorded && (!recorded->train_list.empty() || !recorded->val_list.empty() ||
                                            !recorded->val_pattern.empty());
        const bool same = by_record && options.train_list == recorded->train_list &&
                          options.val_list == recorded->val_list && options.val_pattern == recorded->val_pattern;
        if (!same) throw;
        throw DataError(
            fmt::format("{} (the checkpoint's training split by {}; for another data set give its own "
                        "--val-list, --val-pattern or --val-fraction)",
                        e.what(), text_of(*recorded)));
    }
}

std::vector<data::Sample> samples_of(const EvalArguments& a, const data::Dataset& set) {
    std::vector<data::Sample> samples = a.split.value == "train" ? set.train : set.val;
    if (a.split.value == "all") samples.insert(samples.end(), set.train.begin(), set.train.end());
    if (samples.empty()) throw DataError(a.data.value + ": no samples in split " + a.split.value + "; try --split all");
    return samples;
}

// What the scores are worth: on samples that the net was trained on, little.
void print_split(const EvalArguments& a, const std::optional<SplitRecord>& recorded, const data::Dataset& set,
                 const std::vector<data::Sample>& samples) {
    if (!recorded) {
        fmt::print(
            "warning: the checkpoint does not say how its training split the data; samples that it was trained "
            "on may be among these\n");
        return;
    }
    const bool exact = recorded->sketch.size() < sketch_size;
    if (const int64_t trained = trained_among(*recorded, samples); trained > 0)
        fmt::print(
            "warning: {}{} of these {} samples are among those that the net was trained on, by name or file; its "
            "training split by {}\n",
            exact ? "" : "about ", trained, samples.size(), text_of(*recorded));
    else if (a.split.value == "val" && !set.train.empty() && trained_among(*recorded, set.train) == 0)
        fmt::print("the net was trained on no sample of this data set: --split all scores its {} others too\n",
                   set.train.size());
}

// Writes --per-image, --json, --confusion and --sheet.
void write_files(const EvalArguments& a, LoadedNet& net, const Scores& scores, const ImageScores& images,
                 const std::vector<data::Sample>& samples) {
    const std::vector<std::string>& names = net.recipe.class_names;
    const auto wrote = [](const std::string& path) { fmt::print("wrote {}\n", path); };
    if (!a.per_image.value.empty()) images.write(a.per_image.value, names), wrote(a.per_image.value);
    if (!a.json.value.empty()) {
        nlohmann::json json = json_of(scores, names);
        json["data"] = a.data.value;
        json["checkpoint"] = a.checkpoint.value;
        json["split"] = a.split.value;
        json["mask_values"] = net.recipe.mask_values;
        if (net.recipe.classes() == 2) json["threshold"] = a.threshold.value;
        json["trained_on"] = net.recipe.split ? nlohmann::json(trained_among(*net.recipe.split, samples)) : nullptr;
        write_json(a.json.value, json);
        wrote(a.json.value);
    }
    if (!a.confusion.value.empty()) write_confusion(a.confusion.value, scores, names), wrote(a.confusion.value);
    if (a.sheet.value.empty()) return;
    const auto png = data::encode_png(
        result_sheet(*net.net, net.recipe, net.compute, samples, 8, logit_threshold(a.threshold, net.recipe)), {},
        data::PngMark::ours);
    io::write_durably(a.sheet.value, png);
    wrote(a.sheet.value);
}

}  // namespace

int eval(int argc, const char* const* argv) {
    EvalArguments a;
    a.o.parse(argc, argv);
    a.checkpoint.value = checkpoint_file(a.checkpoint.value);
    a.outputs().check(a.overwrite.value);
    LoadedNet loaded =
        load_net(a.checkpoint.value, open_device(a.device.value, int(a.threads.value)), a.precision.value);
    Recipe& recipe = loaded.recipe;
    const double threshold = logit_threshold(a.threshold, recipe);
    a.mask_values.default_from(recipe.mask_values);
    recipe.mask_values = a.mask_values.value;
    const data::DatasetOptions split = settle_split(a, recipe.split);
    a.outputs().check_inputs();  // the lists may be those of the checkpoint
    std::fputs(format_table(a.o.table()).c_str(), stdout);

    const data::Dataset set = find_as_trained(split, recipe.split);
    const std::vector<data::Sample> samples = samples_of(a, set);
    a.outputs().check_samples(set.train);
    a.outputs().check_samples(set.val);
    const auto report = data::check_dataset(
        samples, {data::parse_mask_rule(recipe.mask_values), int(recipe.classes()), int(a.threads.value)});
    recipe.mask_values = data::text_of(report.rule);
    fmt::print("\n{}\nscored: split {}, {}\n", data_line(a.data.value, set), a.split.value, report.text());
    for (const auto& warning : set.warnings) fmt::print("warning: {}\n", warning);
    print_split(a, recipe.split, set, samples);
    std::fflush(stdout);

    auto source = data::make_loader(
        samples, report.rule,
        loader_options(recipe, a.batch_size.value, int(a.workers.value), loaded.net->input_multiple()));
    ImageScores images{recipe.classes()};
    const Scores scores =
        evaluate(*loaded.net, *source,
                 {.loss = loss_options(recipe),
                  .compute = loaded.compute,
                  .threshold = threshold,
                  .ignore_index = 255,
                  .on_image = [&](const std::string& name, const int64_t* counts) { images.add(name, counts); }});
    fmt::print("\n{} images of {} at {}x{}\n{}\n", scores.images, a.data.value, recipe.height, recipe.width,
               scores_line(scores));
    fmt::print("{}\n", baseline_line(scores, recipe.class_names));
    fmt::print("{}", scores_table(scores, recipe.class_names));
    write_files(a, loaded, scores, images, samples);
    std::fflush(stdout);
    refuse_nonfinite(scores.nonfinite, scores.images);
    return 0;
}

}  // namespace atrous::app
