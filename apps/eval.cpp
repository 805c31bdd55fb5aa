#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/console.h"
#include "apps/eval_arguments.h"
#include "apps/verbs.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/text_table.h"
#include "data/band_names.h"
#include "data/check_index.h"
#include "data/dataset.h"
#include "engine/context.h"
#include "engine/train/evaluate.h"
#include "segmentation/card_classes.h"
#include "segmentation/evaluation_data.h"
#include "segmentation/extremes.h"
#include "segmentation/load_net.h"
#include "segmentation/logit_scores.h"
#include "segmentation/native_scores.h"
#include "segmentation/postprocess.h"
#include "segmentation/precision.h"
#include "segmentation/prediction_net.h"
#include "segmentation/result_sheet.h"
#include "segmentation/row_scores.h"
#include "segmentation/score_files.h"
#include "segmentation/score_text.h"
#include "segmentation/training_setup.h"
#include "segmentation/tuning.h"
#include "segmentation/windowed_net.h"

namespace atrous::app {
namespace {

struct Scored {
    Scores scores, native = {};
    ImageScores images;
    std::string seen;  // how the net saw the images, for people
    ProbabilityScores probabilities;
    std::optional<SurfaceScores> surfaces = {}, native_surfaces = {};  // where they are asked for
    data::Image sheet = {};                                            // where it is asked for
};

// Writes --per-image, --json, --confusion and --sheet.
void write_files(const EvalArguments& a, const LoadedNet& net, const Scored& scored,
                 const std::vector<data::Sample>& samples) {
    const std::vector<std::string>& names = net.card.class_names;
    const Scores& scores = scored.scores;
    const auto wrote = [](const std::string& path) { fmt::print("wrote {}\n", path); };
    if (!a.per_image.empty()) scored.images.write(a.per_image, names), wrote(a.per_image);
    if (!a.json.empty()) {
        nlohmann::json json = json_of(scores, names);
        add_to(json, scored.probabilities);
        if (scored.surfaces) add_to(json, *scored.surfaces);
        if (a.native) json["native"] = json_of(scored.native, names);
        if (scored.native_surfaces) add_to(json["native"], *scored.native_surfaces);
        json["data"] = a.data.root;
        json["checkpoint"] = a.checkpoint;
        json["average_with"] = a.prediction.average_with;
        json["tta"] = a.prediction.augmentation.flips;
        json["tta_scales"] = a.prediction.augmentation.scales;
        json["windows"] = a.prediction.windows.windows;
        json["overlap"] = a.prediction.windows.overlap;
        json["split"] = a.split;
        json["mask_values"] = net.card.mask_values;
        if (net.card.classes() == 2 || net.card.label_form() == LabelForm::bits) {
            const std::vector<double>& given = a.threshold.values;
            json["threshold"] = given.size() == 1 ? nlohmann::json(given[0]) : nlohmann::json(given);
        }
        json["trained_on"] = net.card.split ? nlohmann::json(trained_among(*net.card.split, samples)) : nullptr;
        write_json(a.json, json);
        wrote(a.json);
    }
    if (!a.confusion.empty()) write_confusion(a.confusion, scores, names), wrote(a.confusion);
    if (a.sheet.empty()) return;
    const auto png = data::encode_png(scored.sheet, {}, data::PngMark::ours);
    io::write_durably(a.sheet, png);
    wrote(a.sheet);
}

void print_surfaces(const Scored& scored, const std::vector<std::string>& names) {
    if (scored.surfaces) fmt::print("{}\n{}", surface_line(*scored.surfaces), surface_table(*scored.surfaces, names));
    if (scored.native_surfaces)
        fmt::print("at the images' own sizes: {}\n{}", surface_line(*scored.native_surfaces),
                   surface_table(*scored.native_surfaces, names));
}

// Writes --save's pictures.
void save_pictures(const EvalArguments& a, LoadedNet& net, const ScoringView& view,
                   const std::vector<ScoredSample>& losses, const std::vector<data::Sample>& samples,
                   const ClassThresholds& thresholds) {
    const Extremes count = parse_extremes(a.save);
    const std::vector<RankedSample> ranking = ranked(losses, count);
    save_extremes(a.output, ranking, *view.net, net.card, net.compute, samples, thresholds, view.loader, a.overwrite);
    fmt::print("wrote {} pictures to {}\n", ranking.size(), a.output);
}

void check_save(const EvalArguments& a) {
    parse_extremes(a.save);
    if (!a.save.empty() && a.output.empty())
        throw UsageError("`save` " + a.save + ": needs a folder; name it with `output`");
    if (!a.save.empty()) check_extremes_folder(a.output);
}

// Pictures are made of whole images.
void refuse_drawn(const EvalArguments& a, const std::string& image = "") {
    const std::string which = image.empty() ? "images that are" : image + " is among images that are";
    for (const auto& [setting, value] : {std::pair{"sheet", a.sheet}, {"save", a.save}})
        if (!value.empty())
            throw UsageError(fmt::format(
                "`{}`: {} too large to be in memory as a whole, which are not drawn; leave it out", setting, which));
}

// Before all images are looked at, by their headers. What cannot be read is named by that look.
void check_drawn(const EvalArguments& a, const std::vector<data::Sample>& samples) {
    if (a.sheet.empty() && a.save.empty()) return;
    const auto large = std::find_if(samples.begin(), samples.end(), [](const data::Sample& sample) {
        try {
            return data::is_large(sample);
        } catch (const DataError&) {
            return false;
        }
    });
    if (large != samples.end()) refuse_drawn(a, large->image_path);
}

// Takes the bands of the training, which `auto` means too, as it does for `predict`; whether none of them need be there.
bool take_bands(EvalArguments& a, const ModelCard& card) {
    if (card.bands.empty()) return false;
    a.o.default_from("bands", data::text_of(card.bands));
    const bool own = a.o.at("bands").origin == Origin::checkpoint || data::parse_band_rule(a.data.bands).automatic;
    if (own) a.data.bands = data::text_of(card.bands);
    return own;
}

// Whether classes overlap is the checkpoint's to say; of weights that are no checkpoint it is the user's (DescribedNet).
void take_multi_label(EvalArguments& a, const ModelCard& card) {
    const bool overlap = card.label_form() == LabelForm::bits;
    if (a.o.at("multi-label").given() && a.data.multi_label != overlap)
        throw UsageError(overlap
                             ? "`multi-label` false: the net was trained on classes that overlap; leave it out"
                             : "`multi-label`: the net was trained on classes that exclude each other; leave it out");
    a.data.multi_label = overlap;
    if (overlap && a.surface)
        throw UsageError("`surface`: boundaries are scored of classes that exclude each other; leave it out");
    if (overlap && data::parse_mask_rule(a.mask_values.empty() ? "bits" : a.mask_values).kind != data::MaskKind::bits)
        throw UsageError(
            fmt::format("`mask-values` {}: the net was trained with `multi-label`; expected bits", a.mask_values));
}

std::string seen_at(const ModelCard& card, bool windowed) {
    const std::string size = width_by_height({card.height, card.width});
    if (windowed) return "by windows of " + size;
    return card.resize == data::ResizeMode::none ? "at their own sizes" : "at " + size;
}

Scored score_whole(const EvalArguments& a, LoadedNet& net, const data::DatasetReport& report,
                   const std::vector<data::Sample>& samples, const ClassThresholds& thresholds, Console& console) {
    const ModelCard& card = net.card;
    const ScoringView view = scoring_view(net, a.prediction.windows, report, a.batch_size, int(a.machine.workers));
    if (!view.note.empty()) console.text(view.note + "\n");
    auto source = data::make_loader(samples, report.rule, view.loader);
    ImageScores images{card.classes(), card.label_form()};
    NativeScores native(card, report.rule, samples, view.loader, thresholds);
    const EvaluateProgress shown = [&, of = int64_t(samples.size())](const HostBatch& batch, const Tensor& logits,
                                                                     int64_t done) {
        if (a.native) native.add(batch, logits);
        console.progress("scoring images", done, of);
    };
    std::vector<ScoredSample> losses;
    ProbabilityScores probabilities(card);
    std::optional<SurfaceScores> surfaces;
    if (a.surface) {
        surfaces.emplace(card.classes(), a.boundary_tolerance);
        native.score_surfaces(a.boundary_tolerance);
    }
    const auto on_image = [&](const ImageResult& image) {
        const int64_t h = image.logits.dim(1), w = image.logits.dim(2), c = image.logits.dim(3);
        const std::vector<float> logits = host_logits(image.logits, h, w);
        const uint8_t* labels = image.batch.labels.data() + image.index * h * w;
        probabilities.add(logits.data(), labels, h * w, thresholds);
        if (surfaces) add_image(*surfaces, logits.data(), labels, h, w, c, thresholds[0]);
        images.add(image.name(), image.counts, image.loss);
        losses.push_back({size_t(image.batch.indices.at(size_t(image.index))), image.loss});
    };
    Scores scores = evaluate(*view.net, *source,
                             {.loss = loss_of(card),
                              .compute = net.compute,
                              .thresholds = thresholds,
                              .ignore_index = 255,
                              .on_image = on_image},
                             shown);
    Scored scored{std::move(scores),        a.native ? native.scores() : Scores{},
                  std::move(images),        seen_at(card, view.windowed != nullptr),
                  std::move(probabilities), std::move(surfaces)};
    if (a.native) scored.native_surfaces = native.surfaces();
    if (!a.sheet.empty())
        scored.sheet = result_sheet(*view.net, card, net.compute, samples, a.sheet_rows, thresholds, view.loader);
    if (!a.save.empty()) save_pictures(a, net, view, losses, samples, thresholds);
    return scored;
}

Scored score_by_rows(const EvalArguments& a, LoadedNet& net, const data::DatasetReport& report,
                     const std::vector<data::Sample>& samples, const ClassThresholds& thresholds, Console& console) {
    refuse_drawn(a);
    if (a.surface)
        throw UsageError(
            "`surface`: images are too large to be in memory as a whole, in which boundaries are not scored; leave it "
            "out");
    const std::string note = scoring_view(net, a.prediction.windows, report, 1, 0).note;
    if (!note.empty()) console.text(note + "\n");
    console.text(
        fmt::format("images of more than {} million pixels, or {} million before the net, or {} MiB: scored row by "
                    "row, without a loss\n",
                    most_decoded_whole / 1000000, most_seen_whole / 1000000, data::most_bytes_whole >> 20));
    for (const char* key : {"batch-size", "workers"})
        if (a.o.at(key).given())
            console.warning(fmt::format("`{}` changes nothing where images are scored by rows", key));
    ImageScores images{net.card.classes(), net.card.label_form()};
    ProbabilityScores probabilities(net.card);
    RowScoring options{a.prediction.windows, thresholds, a.native, {}, {}, {}};
    options.on_row = [&](const float* logits, const uint8_t* labels, int64_t pixels) {
        probabilities.add(logits, labels, pixels, thresholds);
    };
    options.on_image = [&](const std::string& name, const int64_t* counts) {
        images.add(name, counts, undefined_score);
    };
    options.progress = [&](int64_t done) { console.progress("scoring images", done, int64_t(samples.size())); };
    ScoresByRows by_rows = atrous::score_by_rows(net, samples, report.rule, options);
    return {std::move(by_rows.scores), std::move(by_rows.native), std::move(images), "row by row",
            std::move(probabilities)};
}

}  // namespace

int eval(int argc, const char* const* argv) {
    EvalArguments a;
    Console console;
    a.o.parse(argc, argv);
    a.checkpoint = weights_file(a.checkpoint);
    for (std::string& more : a.prediction.average_with) more = weights_file(more);
    a.outputs().check(a.overwrite);
    check_save(a);
    const Device device = open_device(a.machine, console);
    if (const int64_t limit = a.machine.memory_limit_mib) context_of(device).memory().set_limit(size_t(limit) << 20);
    const auto load = [&](const std::string& path, const std::string& precision) {
        return a.described.load(a.o, path, !a.prediction.average_with.empty(), device,
                                precision.empty() ? a.machine.precision : precision, console);
    };
    LoadedNet loaded = prediction_net(a.checkpoint, a.prediction, load, console);
    take_tuned_kernels(*io::open_tensors(a.checkpoint), device, console);
    ModelCard& card = loaded.card;
    const ClassThresholds thresholds = logit_thresholds(a.o, a.threshold, card);
    const std::string trained_rule = card.mask_values;
    take_multi_label(a, card);
    a.o.default_from("mask-values", card.mask_values);
    card.mask_values = a.mask_values;
    default_split_from(card.split, a.o);
    const bool bands_are_optional = take_bands(a, card);
    a.outputs().check_inputs();  // the lists may be those of the checkpoint
    std::fputs(format_table(a.o.table()).c_str(), stdout);
    for (const std::string& line : a.o.without_effect()) console.warning(line);

    data::CheckIndex index(data::check_index_file(a.data.check_cache, a.data.root));
    data::CheckOptions check{.rule = data::parse_mask_rule(card.mask_values),
                             .class_count = int(card.classes()),
                             .threads = int(a.machine.threads),
                             .progress = progress_of("checking images", console),
                             .channels = int(card.net.in_channels),
                             .range = {.range = card.normalization.range},
                             .index = &index,
                             .by_rows = true};
    const data::Dataset set = find_to_score(a.data, a.split, card.split, trained_rule, check, bands_are_optional);
    const std::vector<data::Sample> samples = samples_of_split(set, a.split, a.data.root);
    check.rule_of_set = data::is_rule_of(set, check.rule);
    a.outputs().check_samples(set.train);
    a.outputs().check_samples(set.val);
    a.outputs().check_samples(set.test);
    check_drawn(a, samples);
    const auto report = data::check_dataset(samples, check);
    for (const auto& warning : index.warnings()) console.warning(warning);
    card.mask_values = data::text_of(report.rule);
    console.text(fmt::format("\n{}\nscored: split {}, {}\n", data_line(a.data.root, set), a.split, report.text()));
    for (const auto& note : set.notes) console.text(note + "\n");
    for (const auto& warning : set.warnings) console.warning(warning);
    compare_bands(card.bands, set, report, console);
    if (card.class_names.empty())  // of weights that are no checkpoint
        name_classes(card, set, int(card.classes()));
    else if (a.data.class_names.empty())
        compare_class_names(card, set, console);
    else
        rename_classes(card, set.class_names, set.palette);
    say_what_was_trained_on(card.split, set, samples, a.split == "val", console);

    const Scored scored = needs_rows(loaded, a.prediction.windows, report)
                              ? score_by_rows(a, loaded, report, samples, thresholds, console)
                              : score_whole(a, loaded, report, samples, thresholds, console);
    const Scores& scores = scored.scores;
    fmt::print("\n{} images of {} {}\n{}\n", scores.images, a.data.root, scored.seen, scores_line(scores));
    fmt::print("{}\n{}\n", details_line(scores), probability_line(scored.probabilities, scores, a.threshold.values[0]));
    fmt::print("{}", best_thresholds_line(scored.probabilities, card.class_names));
    if (a.native) fmt::print("at the images' own sizes: {}\n", scores_line(scored.native));
    fmt::print("{}\n", baseline_line(scores, card.class_names));
    fmt::print("{}", scores_table(scores, card.class_names));
    print_surfaces(scored, card.class_names);
    write_files(a, loaded, scored, samples);
    std::fflush(stdout);
    refuse_nonfinite(scores.nonfinite, scores.images);
    return 0;
}

}  // namespace atrous::app
