#include <fmt/core.h>

#include <cstdio>

#include "apps/course.h"
#include "apps/exit_codes.h"
#include "apps/interrupt.h"
#include "apps/keeper.h"
#include "apps/memory.h"
#include "apps/resume.h"
#include "apps/run_folder.h"
#include "apps/session.h"
#include "apps/train_arguments.h"
#include "apps/training_profile.h"
#include "apps/ui/table.h"
#include "apps/verbs.h"
#include "apps/weights.h"
#include "base/paths.h"
#include "base/text.h"
#include "data/dataset.h"
#include "engine/context.h"
#include "models/check.h"

namespace atrous::app {

static Freezing freezing_of(const TrainArguments& a) { return {a.freeze_bn.value, a.freeze_encoder.value}; }

struct Sets {
    data::Dataset dataset;
    data::DatasetReport report;
    SplitRecord split;
};

static Sets open_data(const TrainArguments& a) {
    Sets sets;
    const data::DatasetOptions options{a.data.value,        a.train_list.value,   a.val_list.value,
                                       a.val_pattern.value, a.val_fraction.value, uint64_t(a.seed.value)};
    sets.dataset = data::find_dataset(options);
    sets.split = record_split(options, sets.dataset);
    std::vector<data::Sample> all = sets.dataset.train;
    all.insert(all.end(), sets.dataset.val.begin(), sets.dataset.val.end());
    if (sets.dataset.train.empty())
        throw DataError(a.data.value + ": no sample is left to train on; list fewer in --val-list");
    sets.report = data::check_dataset(all, {data::parse_mask_rule(a.mask_values.value), int(a.classes.value),
                                            int(a.threads.value), int64_t(sets.dataset.train.size())});
    fmt::print("\n{}\n{}\n", data_line(a.data.value, sets.dataset), sets.report.text());
    for (const auto& warning : sets.dataset.warnings) fmt::print("warning: {}\n", warning);
    return sets;
}

static LossChoice loss_choice(const TrainArguments& a, const data::DatasetReport& report, int64_t out_channels) {
    return {.name = resolve_loss(a.loss.value, out_channels),
            .focal_gamma = a.focal_gamma.value,
            .tversky_alpha = a.tversky_alpha.value,
            .tversky_beta = a.tversky_beta.value,
            .tversky_exponent = a.tversky_exponent.value,
            .class_weights = class_weights(a.class_weights.value, report.pixels, report.samples_with)};
}

static Recipe make_recipe(const TrainArguments& a, const Sets& sets, int threads) {
    const data::DatasetReport& report = sets.report;
    Recipe r;
    const int classes = std::max(report.rule.class_count, 2);
    r.net = a.net.config(a.channels.value, classes == 2 ? 1 : classes);
    r.height = r.width = a.size.value;
    if (a.normalise.value == "imagenet") r.normalisation = data::Normalisation::imagenet();
    r.mask_values = data::text_of(report.rule);
    const auto palette = data::mask_palette(classes);
    for (int c = 0; c < classes; ++c) {
        r.class_names.push_back(classes == 2 ? (c ? "foreground" : "background") : fmt::format("class {}", c));
        r.colours.push_back(palette[size_t(c)]);
    }
    r.precision = a.precision.value;
    r.loss = loss_choice(a, report, r.net.out_channels);
    r.threads = threads;
    r.split = sets.split;
    if (a.resume.value.empty()) return r;
    const Recipe before = recipe_of(io::SafetensorsFile(a.resume.value));
    if (before.split) r.split = joined(sets.split, *before.split);
    return r;
}

// --cache, shared between training and validation by their samples.
static int64_t cache_bytes(const TrainArguments& a, const Sets& sets, const std::vector<data::Sample>& of) {
    const double all = double(sets.dataset.train.size() + sets.dataset.val.size());
    return int64_t(double(a.cache_mib.value << 20) * double(of.size()) / all);
}

static data::LoaderOptions training_loader(const TrainArguments& a, const Recipe& recipe, const Sets& sets,
                                           int64_t multiple) {
    auto o = loader_options(recipe, a.batch_size.value, int(a.workers.value), multiple);
    o.augment = o.shuffle = true;
    o.augmentation.hflip = a.hflip.value;
    o.augmentation.vflip = a.vflip.value;
    o.augmentation.turn = a.turn.value;
    o.augmentation.scale_min = a.scale.value[0];
    o.augmentation.scale_max = a.scale.value[1];
    o.crop_h = training_size(a).height;
    o.crop_w = training_size(a).width;
    o.augmentation.rotate_degrees = a.rotate.value;
    o.augmentation.brightness = a.brightness.value;
    o.augmentation.contrast = a.contrast.value;
    o.last = a.last_batch.value == "drop"    ? data::LastBatch::drop
             : a.last_batch.value == "merge" ? data::LastBatch::merge
                                             : data::LastBatch::keep;
    o.seed = uint64_t(a.seed.value);
    o.cache_bytes = cache_bytes(a, sets, sets.dataset.train);
    return o;
}

static OptimizerOptions optimizer_options(const TrainArguments& a) {
    OptimizerOptions o;
    o.kind = parse_optimizer(a.optimizer.value);
    o.momentum = a.momentum.value;
    o.nesterov = a.nesterov.value;
    o.beta1 = a.beta1.value;
    o.beta2 = a.beta2.value;
    o.alpha = a.rms_alpha.value;
    o.epsilon = a.eps.value;
    o.weight_decay = a.weight_decay.value;
    o.decay_vectors = !a.no_vector_decay.value;
    o.clip_norm = a.clip_norm.value;
    if (a.precision.value == "fp16") {  // as torch.cuda.amp.GradScaler
        o.dynamic_loss_scale = true;
        o.initial_loss_scale = 65536;
    }
    o.halt_at_nonfinite = !o.dynamic_loss_scale;
    return o;
}

// With the learning rates of the net's parts.
static OptimizerOptions optimizer_options(const TrainArguments& a, SegmentationNet& net) {
    OptimizerOptions o = optimizer_options(a);
    if (a.encoder_lr.value != 1) {
        if (!net.encoder()) throw UsageError("--encoder-lr: this model has no encoder; see unet --encoder, fcn, …");
        o.lr_scales.push_back({net.encoder()->name() + ".", a.encoder_lr.value});
    }
    if (a.aux_lr.value != 1) o.lr_scales.push_back({"aux_classifier.", a.aux_lr.value});
    return o;
}

static TrainerOptions trainer_options(const TrainArguments& a, const Recipe& recipe, DType compute,
                                      int64_t batches_per_epoch) {
    const int64_t steps_per_epoch = ceil_div(batches_per_epoch, a.accumulate.value);
    TrainerOptions o;
    o.epochs = a.epochs.value;
    o.schedule.kind = parse_schedule(a.schedule.value);
    o.schedule.base = a.lr.value;
    o.schedule.warmup_steps = a.warmup.value;
    o.schedule.total_steps = steps_per_epoch * a.epochs.value;
    o.schedule.step_every = steps_per_epoch * a.step_epochs.value;
    o.schedule.step_factor = a.step_factor.value;
    o.schedule.poly_power = a.poly_power.value;
    o.schedule.patience = a.patience.value;
    o.schedule.plateau_factor = a.factor.value;
    o.monitor = parse_monitor(a.monitor.value);
    o.patience_stop = a.patience_stop.value;
    o.loss = loss_options(recipe);
    o.compute = compute;
    o.accumulate = a.accumulate.value;
    o.aux_weight = a.net.aux_weight.value;
    if (!a.profile.value.empty()) {  // a replayed graph has no ops, and steps are told apart by reading each
        o.graphs = false;
        o.read_every = 1;
    }
    return o;
}

// What the shapes tell before the first step: batches too small for batch norm, atrous branches that read padding.
static void check_shapes(const TrainArguments& a, const Recipe& recipe, const Freezing& freezing, int64_t samples) {
    const int64_t left = samples % a.batch_size.value;
    const bool kept = a.last_batch.value == "keep" && left > 0;
    const int64_t images = kept ? left : std::min(a.batch_size.value, samples);
    const TrainingSize size = training_size(a);
    try {
        check_training_step(recipe.net, freezing, images, size.height, size.width);
    } catch (const ShapeError& e) {
        throw UsageError(fmt::format("a step on {} image{} of {}x{}{} cannot work: {}{}", images,
                                     images == 1 ? "" : "s", size.height, size.width,
                                     kept ? ", the last batch of each epoch," : "", e.what(),
                                     kept ? "; or leave that batch out (--last-batch drop, merge)" : ""));
    }
    for (const DeadTaps& d : mostly_dead_taps(recipe.net, size.height, size.width))
        fmt::print("warning: {}\n", text_of(d));
}

// On the best checkpoint; on the last one where there is no best, because it was lost or no epoch had a Dice.
static void print_result(SegmentationNet& net, const TrainArguments& a, const Recipe& recipe, const Sets& sets,
                         const RunFolder& folder, const Scores& untrained) {
    const bool has_best = path_exists(folder.best());
    if (has_best) io::load_weights(io::SafetensorsFile(folder.best()), net);
    const DType compute = net.materialized().compute;
    auto source =
        data::make_loader(sets.dataset.val, sets.report.rule,
                          loader_options(recipe, a.batch_size.value, int(a.workers.value), net.input_multiple()));
    const Scores scores = evaluate(net, *source, {loss_options(recipe), compute, 0, 255});
    folder.write_samples(data::encode_png(result_sheet(net, recipe, compute, sets.dataset.val, 6)));
    write_confusion(folder.confusion(), scores, recipe.class_names);
    fmt::print("\n{} checkpoint on {} held-out images\n  {}\n", has_best ? "best" : "last", scores.images,
               scores_line(scores));
    fmt::print("  {}\n", baseline_line(scores, recipe.class_names, &untrained));
    fmt::print("{}", scores_table(scores, recipe.class_names));
    fmt::print("wrote {}/{}last.safetensors, metrics.csv, config.toml, samples.png, confusion.csv\n", folder.path(),
               has_best ? "best.safetensors, " : "");
    std::fflush(stdout);
}

static std::string weights_text(const std::vector<double>& weights) {
    std::string text;
    for (double w : weights) text += fmt::format("{}{:.4g}", text.empty() ? ", class weights " : ",", w);
    return text;
}

static std::optional<TrainingProfile> profile_of(const TrainArguments& a, const RunFolder& folder) {
    if (a.profile.value.empty()) return std::nullopt;
    const bool named = a.profile.value != a.profile.alone();
    return std::make_optional<TrainingProfile>(named ? a.profile.value : folder.path() + "/profile.json",
                                               a.profile_steps.value);
}

// Everything that decides about memory, by batch size.
static PlanForBatch plan_for(const TrainArguments& a, const Recipe& recipe, const Sets& sets, Device device) {
    PlanOptions o;
    const int64_t multiple = make_net(recipe.net)->input_multiple();
    o.device = device;
    o.compute = compute_type(a.precision.value, device);
    const auto padded = [&](int64_t pixels) { return ceil_div(pixels, multiple) * multiple; };
    o.height = padded(training_size(a).height);
    o.width = padded(training_size(a).width);
    o.validation_height = padded(recipe.height);
    o.validation_width = padded(recipe.width);
    o.accumulate = a.accumulate.value;
    o.optimizer = optimizer_options(a);
    o.loss = loss_options(recipe);
    o.aux_weight = a.net.aux_weight.value;
    return plan_of_epochs(o, int64_t(sets.dataset.train.size()), int64_t(sets.dataset.val.size()), a.last_batch.value);
}

static Course course_of(const TrainArguments& a, const Sets& sets, Device device) {
    const std::string name = name_of(device);
    return {.batch_size = a.batch_size.value,
            .accumulate = a.accumulate.value,
            .last_batch = a.last_batch.value,
            .device = name.substr(0, name.find(':')),
            .seed = uint64_t(a.seed.value),
            .train = samples_of(sets.dataset.train),
            .val = samples_of(sets.dataset.val)};
}

// What can be known to be wrong from the command line and the files it names, before the data set is decoded.
static void check_words(const TrainArguments& a, const Freezing& freezing) {
    const int64_t classes = a.classes.value;
    const NetConfig config = a.net.config(a.channels.value, classes > 2 ? classes : 1);
    auto net = make_net(config);
    freeze(*net, freezing);
    RunFolder::check(a.output_dir.value, a.resuming() ? run_folder_of(a.resume.value) : "", a.overwrite.value);
    if (a.resuming()) return void(io::training_progress(io::SafetensorsFile(a.resume.value)));
    if (a.pretrained.value.empty()) {
        if (freezing.encoder) fmt::print("warning: --freeze-encoder without --pretrained keeps random weights\n");
        return;
    }
    check_pretrained(*net, a.pretrained.value, a.new_head.value || classes == 0);
}

// Whether what the checkpoint holds can go on here; the progress to go on from.
static TrainProgress check_resumption(const TrainArguments& a, const Recipe& recipe, const Course& course) {
    const std::string& path = a.resume.value;
    const io::SafetensorsFile file(path);
    check_resumable(recipe, recipe_of(file), path);
    TrainProgress progress = io::training_progress(file);
    CourseChanges changes;
    if (const auto saved = course_of(file)) changes = compare(course, *saved, progress, path);
    const std::string best = run_folder_of(path) + "/best.safetensors";
    const bool lost = progress.best_epoch >= 0 && !is_whole(best);
    if (lost) changes.warnings.push_back(best + ": missing or damaged; the best of the epochs to come takes its place");
    if (lost || changes.other_validation) progress.best_epoch = -1;
    // What plateau compares with is lost with the pictures or the score it came from, not with the file.
    if (changes.other_validation || progress.monitor != parse_monitor(a.monitor.value)) progress.plateau.seen = false;
    if (progress.best_epoch >= 0 && progress.monitor != parse_monitor(a.monitor.value))
        throw UsageError(fmt::format("{}: its best epoch was found by {}; resume with --monitor {}", path,
                                     name_of(progress.monitor), name_of(progress.monitor)));
    for (const auto& warning : changes.warnings) fmt::print("warning: {}\n", warning);
    return progress;
}

static int run_training(TrainArguments& a, Device device, const Sets& sets, const Recipe& recipe, const Course& course,
                        const std::optional<TrainProgress>& resumed, const NetFactory& make) {
    const DType compute = compute_type(a.precision.value, device);
    auto net = make();
    auto source = data::make_loader(sets.dataset.train, sets.report.rule,
                                    training_loader(a, recipe, sets, net->input_multiple()));
    auto val_options = loader_options(recipe, a.batch_size.value, int(a.workers.value), net->input_multiple());
    val_options.cache_bytes = cache_bytes(a, sets, sets.dataset.val);
    auto validation =
        sets.dataset.val.empty() ? nullptr : data::make_loader(sets.dataset.val, sets.report.rule, val_options);
    // Before the training's own net takes its memory.
    Scores untrained;
    if (validation) {
        auto fresh = make_net(recipe.net);
        fresh->materialize({.device = device, .compute = compute, .seed = uint64_t(a.seed.value)});
        untrained = evaluate(*fresh, *validation, {loss_options(recipe), compute, 0, 255});
    }
    net->materialize({.device = device, .compute = compute, .seed = uint64_t(a.seed.value)});
    if (!resumed && !a.pretrained.value.empty()) load_pretrained(*net, a.pretrained.value, a.new_head.value);
    Optimizer optimizer(*net, optimizer_options(a, *net));
    Trainer trainer(*net, optimizer, trainer_options(a, recipe, compute, source->batches_per_epoch()));
    if (resumed) io::load_training(io::SafetensorsFile(a.resume.value), *net, optimizer, trainer.progress);
    if (resumed) trainer.progress = *resumed;
    // Nothing is written before everything that can be refused has been read.
    const std::string from = resumed ? run_folder_of(a.resume.value) : "";
    const bool in_place = resumed && same_file(from, a.output_dir.value);
    const RunFolder folder(a.output_dir.value, from, a.overwrite.value, in_place ? std::move(a.lock) : RunLock());
    a.lock.release();  // of another folder, which was read
    if (resumed) folder.truncate_metrics(trainer.progress.epoch);
    folder.write_config(a.config());  // when resuming too: a later one goes on with the settings of this one
    fmt::print("{} with {} parameters on {}, {} batches an epoch; loss {}{}; run folder {}\n", recipe.net.model,
               net->parameter_count(), name_of(device), source->batches_per_epoch(), recipe.loss.name,
               weights_text(recipe.loss.class_weights), folder.path());
    std::fflush(stdout);

    if (trainer.progress.epoch >= a.epochs.value)
        fmt::print("nothing is left to train, epoch {0} of {1}; to go on, give more: --epochs {2}\n",
                   trainer.progress.epoch, a.epochs.value, a.epochs.value + 10);
    watch_interrupts();
    Keeper keeper(folder, recipe, course, freezing_of(a), *net, optimizer, trainer);
    keeper.start_epoch(trainer.progress.epoch, a.epochs.value, source->batches_per_epoch(), trainer.progress.batch);
    keeper.save_every(a.save_every.value);
    std::optional<TrainingProfile> profile = profile_of(a, folder);
    if (profile) keeper.profile(*profile);
    const bool finished = trainer.run(*source, validation.get(), keeper);
    unwatch_interrupts();  // what follows only looks at what is saved
    if (profile) profile->finish();
    if (!finished) keeper.save();
    if (interrupt_signal()) {
        fmt::print("\n{} after step {}; saved {}; go on with: atrous train --resume {}\n",
                   finished ? "finished" : "stopped", trainer.progress.step, folder.last(), folder.path());
        return exit_after_signal(interrupt_signal());
    }
    if (trainer.out_of_patience())
        fmt::print("\nended after epoch {}: no better {} since epoch {}\n", trainer.progress.epoch, a.monitor.value,
                   trainer.progress.best_epoch + 1);
    if (validation) print_result(*net, a, recipe, sets, folder, untrained);
    return exit_ok;
}

// The number of threads to compute with; a resumed training goes on with as many as it had.
static int threads_of(const TrainArguments& a) {
    const int asked = int(a.threads.value);
    if (!a.resuming()) return asked;
    const int before = recipe_of(io::SafetensorsFile(a.resume.value)).threads;
    if (asked != 0 && asked != before)
        fmt::print(
            "warning: goes on with {} threads in place of {}; on the cpu the last bits of convolutions' weight "
            "gradients can depend on that\n",
            asked, before);
    return asked != 0 ? asked : before;
}

int train(int argc, const char* const* argv) {
    TrainArguments a;
    a.parse(argc, argv);
    const Device device = open_device(a.device.value, threads_of(a));
    compute_type(a.precision.value, device);  // refused, where the device cannot
    const Freezing freezing = freezing_of(a);
    check_words(a, freezing);
    std::fputs(format_table(a.o.table()).c_str(), stdout);
    for (const std::string& line : a.without_effect()) fmt::print("warning: {}\n", line);
    const Sets sets = open_data(a);
    a.check_outputs(sets.dataset.train);
    a.check_outputs(sets.dataset.val);
    if (sets.dataset.val.empty() && (a.patience_stop.value > 0 || a.schedule.value == "plateau"))
        throw UsageError(
            "--patience-stop and --schedule plateau go by the validation, and no sample validates; raise "
            "--val-fraction or name them with --val-list");
    const Recipe recipe = make_recipe(a, sets, context_of({DeviceKind::cpu}).threads());
    a.resolve(recipe);
    const NetFactory make = [&] {
        auto net = make_net(recipe.net);
        freeze(*net, freezing);
        return net;
    };
    if (!a.resuming() && !a.pretrained.value.empty()) check_pretrained(*make(), a.pretrained.value, a.new_head.value);
    const PlanForBatch plan = plan_for(a, recipe, sets, device);
    const auto samples = int64_t(sets.dataset.train.size());
    const Budget budget = memory_budget(device, a.memory_limit.value);
    if (a.batch_size.value == 0)
        a.batch_size.value = automatic_batch(make, plan, budget, std::min(samples, max_images));
    const Course course = course_of(a, sets, device);
    std::optional<TrainProgress> resumed;
    if (a.resuming()) resumed = check_resumption(a, recipe, course);
    check_shapes(a, recipe, freezing, samples);
    show_plan(make, plan(a.batch_size.value), budget);
    if (a.memory_limit.value) context_of(device).memory().set_limit(size_t(a.memory_limit.value) << 20);
    return with_memory_advice(make, plan, a.batch_size.value, a.memory_limit.value,
                              [&] { return run_training(a, device, sets, recipe, course, resumed, make); });
}

}  // namespace atrous::app
