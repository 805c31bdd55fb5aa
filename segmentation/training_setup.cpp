#include "segmentation/training_setup.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/band_names.h"
#include "data/check_index.h"
#include "engine/context.h"
#include "segmentation/card_classes.h"
#include "segmentation/dataset_options.h"
#include "segmentation/part_rates.h"
#include "segmentation/pretrained_report.h"
#include "segmentation/run_folder.h"
#include "segmentation/training_plan.h"
#include "segmentation/tuning.h"

namespace atrous {

std::string data_line(const std::string& folder, const data::Dataset& dataset) {
    return fmt::format("{}: {}; {} train, {} validate{}", folder, dataset.layout, dataset.train.size(),
                       dataset.val.size(), dataset.test.empty() ? "" : fmt::format(", {} test", dataset.test.size()));
}

static Outputs files_read(const Experiment& e, const std::string& config) {
    Outputs files;
    files.reads("`config`", config).reads("`pretrained`", e.pretrained);
    files.reads("`train-list`", e.data.train_list).reads("`val-list`", e.data.val_list);
    return files;
}

// What the profile is written to, which is replaced only where it is a profile.
static Outputs files_beside_run(const Experiment& e, const std::string& config) {
    Outputs files = files_read(e, config);
    files.writes("`profile`", e.run.profile != default_profile ? e.run.profile : "", FileKind::json);
    if (!e.run.output_dir.empty())
        for (const std::string& file : RunFolder::files_of(e.run.output_dir)) files.keeps("the run folder", file);
    return files;
}

// The files of the run folder, which RunFolder checks by itself, against the inputs.
static Outputs files_of_run(const Experiment& e, const std::string& config) {
    Outputs files = files_read(e, config);
    const std::string& folder = e.run.output_dir;
    if (folder.empty() || !e.run.resume.empty()) return files;
    const bool own_config = RunFolder::is_one(folder);  // a training that is started anew with its own settings
    for (const std::string& file : RunFolder::files_of(folder))
        if (!own_config || !file.ends_with("/config.toml")) files.writes("`output-dir`", file, FileKind::weights);
    return files;
}

void check_outputs(const Experiment& e, const std::string& config) {
    files_of_run(e, config).check_inputs();
    files_beside_run(e, config).check(e.run.overwrite);
}

static void check_outputs(const Experiment& e, const std::vector<data::Sample>& samples) {
    files_beside_run(e, "").check_samples(samples);
    if (e.run.resume.empty()) files_of_run(e, "").check_samples(samples);
}

void check_net_before_data(const Experiment& e, bool resumed, Messages& messages) {
    auto net = make_net(net_config(e, e.classes));
    freeze(*net, e.freezing);
    part_rates(e, *net);
    if (resumed) return;
    if (!e.pretrained.empty()) {
        check_pretrained(*net, e.pretrained, e.new_head || e.classes == 0);
        if (e.normalize != "imagenet" && wants_imagenet_normalization(e.pretrained))
            messages.warning(e.pretrained +
                             ": trained on images that are normalized as ImageNet's; `normalize` imagenet "
                             "does that here");
        return;
    }
    if (e.freezing.encoder) messages.warning("`freeze-encoder` without `pretrained` keeps random weights");
}

void check_before_data(const Experiment& e, const ResumedRun* resumed, Messages& messages) {
    RunFolder::check(e.run.output_dir, resumed ? resumed->folder : "", e.run.overwrite);
    check_net_before_data(e, resumed != nullptr, messages);
}

int64_t threads_of(const Machine& machine, const ResumedRun* resumed, Messages& messages) {
    if (!resumed) return machine.threads;
    const int64_t asked = machine.threads, before = resumed->card.threads;
    if (asked != 0 && asked != before)
        messages.warning(fmt::format(
            "goes on with {} threads in place of {}; on the cpu the last bits of convolutions' weight gradients can "
            "depend on that",
            asked, before));
    return asked != 0 ? asked : before;
}

static DataSets open_data(const Experiment& e, Messages& messages) {
    DataSets sets;
    data::CheckIndex index(data::check_index_file(e.data.check_cache, e.data.root));
    data::CheckOptions check = check_options(e, messages);
    check.index = &index;
    sets.dataset = data::find_dataset(e.data, check);
    sets.split = record_split(e.data, sets.dataset);
    std::vector<data::Sample> all = sets.dataset.train;
    all.insert(all.end(), sets.dataset.val.begin(), sets.dataset.val.end());
    if (sets.dataset.train.empty())
        throw DataError(e.data.root + ": no sample is left to train on; list fewer in `val-list`");
    messages.text(fmt::format("\n{}\n", data_line(e.data.root, sets.dataset)));
    for (const auto& note : sets.dataset.notes) messages.text(note + "\n");
    know_dataset(check, sets.dataset);
    sets.report = data::check_dataset(all, check);
    for (const std::string& warning : index.warnings()) messages.warning(warning);
    messages.text(sets.report.text() + "\n");
    if (const std::string why = unfit_names(e, sets.dataset, sets.report.rule.class_count); !why.empty()) {
        if (!e.data.class_names.empty()) throw UsageError(why);
        messages.warning(why);
        sets.dataset.class_names.clear();
        sets.dataset.palette.clear();
    }
    for (const auto& warning : sets.dataset.warnings) messages.warning(warning);
    return sets;
}

static ModelCard model_card(const Experiment& e, const DataSets& sets, int threads, const ResumedRun* resumed) {
    const data::DatasetReport& report = sets.report;
    require(report.rule.form() == label_form(e), "model card: the labels' form is to be the experiment's");
    ModelCard card;
    const int classes = std::max(report.rule.class_count, 2);
    card.net = net_config(e, classes);
    describe_view(card, e, report);
    card.sources = {report.train_min_h, report.train_min_w, report.train_max_h, report.train_max_w};
    card.mask_values = data::text_of(report.rule);
    card.bands = sets.dataset.bands;
    card.precision = e.machine.precision;
    card.loss = e.loss;
    card.loss.labels = label_form(e);
    card.loss.name = resolve_loss(e.loss.name, card.net.out_channels, card.loss.labels);
    name_classes(card, sets.dataset, classes);
    card.loss.class_weights = class_weights(e.loss.weighting, report.pixels, report.samples_with);
    card.threads = threads;
    card.split = sets.split;
    if (resumed && resumed->card.split) card.split = joined(sets.split, *resumed->card.split);
    return card;
}

// What the data decided, so that config.toml says it. The device and the number of threads stay as they were asked for:
// another machine has others.
static void resolve(Experiment& e, const ModelCard& card) {
    e.mask_values = card.mask_values;
    e.classes = card.classes();
    e.channels = card.net.in_channels;
    e.value_range = data::text_of(card.normalization.range);
    e.loss.name = card.loss.name;
    if (!card.bands.empty()) e.data.bands = data::text_of(card.bands);
}

static void warn_of_bands(const Experiment& e, Messages& messages) {
    if (e.channels == 1 || e.channels == 3) return;
    for (const data::Augmentation* a : e.augmentations.all())
        if (a->name() == "colour" && a->active())
            messages.warning(fmt::format(
                "`brightness` and `contrast` change images of 1 or 3 channels; these have {} and stay as they are",
                e.channels));
}

OptimizerOptions optimizer_options(const Experiment& e) {
    OptimizerOptions o = e.optimizer;
    o.keeps_mean = e.trainer.swa.on();
    if (e.machine.precision == "fp16") {  // as torch.cuda.amp.GradScaler
        o.dynamic_loss_scale = true;
        o.initial_loss_scale = 65536;
    }
    o.halt_at_nonfinite = !o.dynamic_loss_scale;
    return o;
}

bool sees_windows(const TrainingSetup& t) {
    const data::DatasetReport& all = t.sets.report;
    return t.card.resize == data::ResizeMode::none && (all.max_h > t.card.height || all.max_w > t.card.width);
}

// What the shapes tell before the first step: batches too small for batch norm, atrous branches that read padding.
static void check_shapes(const TrainingSetup& t, Messages& messages) {
    const Experiment& e = t.experiment;
    const auto samples = int64_t(t.sets.dataset.train.size());
    const int64_t left = samples % e.batch_size;
    const bool kept = e.last_batch == data::LastBatch::keep && left > 0;
    const int64_t images = kept ? left : std::min(e.batch_size, samples);
    const ImageSize size = training_size(e);
    try {
        check_training_step(t.card.net, e.freezing, images, size.height, size.width);
    } catch (const ShapeError& error) {
        throw UsageError(fmt::format("a step on {} image{} of {}{} cannot work: {}{}", images, images == 1 ? "" : "s",
                                     width_by_height(size), kept ? ", the last batch of each epoch," : "", error.what(),
                                     kept ? "; or leave that batch out (`last-batch` drop, merge)" : ""));
    }
    for (const DeadTaps& d : mostly_dead_taps(t.card.net, size.height, size.width)) messages.warning(text_of(d));
}

static void check_validation(const Experiment& e, const data::Dataset& dataset) {
    if (dataset.val.empty() && (e.trainer.patience_stop > 0 || e.trainer.schedule.rule().by_validation()))
        throw UsageError(
            "`patience-stop` and `schedule` plateau go by the validation, and no sample validates; raise "
            "`val-fraction` or name them with `val-list`");
}

TrainingSetup prepare_training(Experiment& e, const Settings& settings, Device device,
                               std::optional<ResumedRun> resumed, Messages& messages) {
    e.machine.precision = definite_precision(e.machine.precision, device);
    TrainingSetup t;
    t.device = device;
    t.compute = use_precision(e.machine.precision, device);
    if (const std::string note = precision_note(e.machine.precision, device); !note.empty()) messages.warning(note);
    t.resumed = std::move(resumed);
    ResumedRun* run = t.resumed ? &*t.resumed : nullptr;
    t.sets = open_data(e, messages);
    check_outputs(e, t.sets.dataset.train);
    check_outputs(e, t.sets.dataset.val);
    check_validation(e, t.sets.dataset);
    t.card = model_card(e, t.sets, context_of({DeviceKind::cpu}).threads(), run);
    resolve(e, t.card);
    warn_of_bands(e, messages);
    check_classes(e.augmentations, t.card.classes());
    t.make = [config = t.card.net, freezing = e.freezing] {
        auto net = make_net(config);
        freeze(*net, freezing);
        return net;
    };
    if (!run && !e.pretrained.empty()) check_pretrained(*t.make(), e.pretrained, e.new_head);
    t.experiment = e;
    place_augmentation(t, messages);
    t.plan = plan_of_training(t);
    set_tuned_kernels(nullptr);
    const Budget budget = memory_budget(device, e.machine.memory_limit_mib);
    const auto samples = int64_t(t.sets.dataset.train.size());
    if (e.batch_size == 0)
        e.batch_size = t.experiment.batch_size =
            automatic_batch(t.make, t.plan, budget, std::min(samples, max_batch_size), messages);
    t.fingerprint = fingerprint_of(settings, t.sets.dataset, device);
    if (run) check_resumption(*run, settings, e, t.card, t.fingerprint, messages);
    check_shapes(t, messages);
    tune_training(t, messages);
    show_plan(t.make, t.plan(e.batch_size), budget, messages);
    if (const int64_t limit = e.machine.memory_limit_mib; limit > 0)
        context_of(device).memory().set_limit(size_t(limit) << 20);
    return t;
}

static void check_ranges(Settings& settings) {
    for (const auto& setting : settings.all())
        if (!setting->assign(setting->words()))
            throw UsageError(fmt::format("`{}` {}: expected {}", setting->key, setting->shown(), setting->rule()));
}

TrainingSetup prepare_training(Experiment& e, Messages& messages) {
    Settings settings;
    describe(settings, e);
    check_ranges(settings);
    check(settings, e);
    check_outputs(e, "");
    const Device device = open_device(e.machine, messages);
    check_before_data(e, nullptr, messages);
    if (const int64_t limit = e.machine.memory_limit_mib) context_of(device).memory().set_limit(size_t(limit) << 20);
    return prepare_training(e, settings, device, std::nullopt, messages);
}

}  // namespace atrous
