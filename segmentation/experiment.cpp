#include "segmentation/experiment.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/paths.h"
#include "engine/train/metric.h"
#include "segmentation/augment_place.h"
#include "segmentation/augment_presets.h"
#include "segmentation/config_file.h"
#include "segmentation/outputs.h"
#include "segmentation/tuning.h"

namespace atrous {

SizeSetting& describe_size(Settings& s, ImageSize& size) {
    return bind_size(s, "size", size, "size that images are resized to, square or width by height")
        .min(min_size)
        .max(max_size)
        .unit("pixels")
        .when_resumed(Resume::fixed);
}

Setting<int64_t>& describe_channels(Settings& s, int64_t& channels) {
    const std::string found =
        channels == 0 ? "; 0: found from the images, 3 for gray, RGB and RGBA, else as many bands as they have" : "";
    return s.bind("channels", channels, "image channels" + found)
        .min(channels == 0 ? 0 : net_ranges::in_channels.low)
        .max(net_ranges::in_channels.high)
        .when_resumed(Resume::fixed);
}

Setting<int64_t>& describe_classes(Settings& s, int64_t& classes) {
    const std::string found = classes == 0 ? "; 0: found from the masks" : "; 2: one logit";
    return s.bind("classes", classes, "number of classes" + found)
        .min(classes == 0 ? 0 : 2)
        .max(net_ranges::out_channels.high)
        .when_resumed(Resume::fixed);
}

void describe_mask_values(Settings& s, std::string& mask_values) {
    s.bind("mask-values", mask_values,
           "how mask values become classes: auto, ids, ids-from-1, bits, binary, binary:128, '0' (value 0 is "
           "foreground), "
           "'#402020,#ff0000', '0=1,255=0,128=ignore'" +
               std::string(mask_values.empty() ? "; empty: as in training" : ""))
        .when_resumed(Resume::fixed);
}

void describe_images(Settings& s, Experiment& e) {
    s.group("Data");
    describe(s, e.data);
    describe_mask_values(s, e.mask_values);
    describe_classes(s, e.classes);
    describe_size(s, e.size).help += "; with `resize` none of the windows through which larger images are seen";
    s.choice<data::ResizeMode>(
         "resize", e.resize, data::resize_modes(),
         "stretch: to `size`, whatever its proportions; letterbox: in proportion into `size`, the rest ignored; none: "
         "images stay as they are, and training takes random crops of them")
        .when_resumed(Resume::fixed);
    s.bind("normalize", e.normalize, "none: values 0..1; imagenet: minus mean, over std")
        .one_of({"none", "imagenet"})
        .when_resumed(Resume::fixed)
        .formerly("normalise");
    describe_channels(s, e.channels).max(data::max_channels);
    s.bind("value-range", e.value_range,
           "stored values that stand for 0 and 1: LOW..HIGH, such as 0..4095 for 12 bits in 16; measured: the smallest "
           "and the largest of the training images; auto: the whole range of 8 or 16 bits, of floats measured")
        .when_resumed(Resume::fixed);
    s.group(augment_group);
    describe(s, e.augmentations);
    bind_size(s, "crop", e.crop,
              "random crop of the training images, padded with ignored pixels where the image is smaller; empty: as "
              "large as `size`")
        .min(min_size)
        .max(max_size)
        .unit("pixels")
        .or_none();
    s.group("Data");
}

static void describe_loading(Settings& s, Experiment& e) {
    s.group("Loading");
    describe_workers(s, e.machine);
    s.bind("cache", e.cache_mib, "decoded samples kept in memory, training and validation together")
        .min(0)
        .max(1 << 30)
        .unit("MiB")
        .when_resumed(Resume::free);
    describe_augment_on(s, e.augment_on);
}

static void describe_net(Settings& s, Experiment& e) {
    s.group("Net");
    describe(s, e.net);
    s.bind("pretrained", e.pretrained, "weights to start from, of an encoder or a whole net: .pth, .pt or .safetensors")
        .when_resumed(Resume::free);
    s.bind("new-head", e.new_head, "a new head where the pretrained one has another number of classes")
        .only_with("`pretrained`", [&e] { return !e.pretrained.empty(); })
        .when_resumed(Resume::free);
    s.bind("freeze-bn", e.freezing.batch_norm, "batch norm keeps its running statistics; scale and shift train");
    s.bind("freeze-encoder", e.freezing.encoder, "the encoder stays as it is");
}

static void describe_training(Settings& s, Experiment& e) {
    s.group("Training");
    describe(s, e.trainer);
    describe_batch_size(s, e.batch_size).or_word("auto", 0).help +=
        "; auto: the largest power of two whose memory plan fits";
    s.choice<data::LastBatch>(
         "last-batch", e.last_batch,
         {{"keep", data::LastBatch::keep}, {"drop", data::LastBatch::drop}, {"merge", data::LastBatch::merge}},
         "a last, smaller batch of an epoch")
        .when_resumed(Resume::within_epoch);
    describe(s, e.loss);
    describe(s, e.optimizer);
    s.bind("encoder-lr", e.encoder_lr, "learning rate of the encoder, relative to `lr`").above(0);
    s.bind("aux-lr", e.aux_lr, "learning rate of the auxiliary head, relative to `lr`; torchvision: 10").above(0);
    s.bind("lr-scale", e.lr_scales,
           "learning rates of up to 3 parts of the net, relative to `lr`, by their names in checkpoints: "
           "encoder.layer1=0.1 outc=10; of parts within each other the innermost counts");
}

static void describe_run(Settings& s, Experiment& e) {
    s.group("Machine");
    describe_device(s, e.machine);
    describe_precision(s, e.machine);
    describe_tuning(s, e.machine);
    describe_memory_limit(s, e.machine);
    s.group("Run");
    s.bind("output-dir", e.run.output_dir, "run folder; empty: runs/1, runs/2, …")
        .letter('o')
        .when_resumed(Resume::free);
    s.bind("profile", e.run.profile,
           "time some steps by op: a table, and a trace in this file for Perfetto or Chrome; no step of this run is "
           "replayed as a graph")
        .alone(default_profile)
        .when_resumed(Resume::free);
    s.bind("resume", e.run.resume,
           "go on with the training of this run folder or last.safetensors, with its config.toml")
        .when_resumed(Resume::free);
    describe_overwrite(s, e.run.overwrite).when_resumed(Resume::free).help =
        "write into an `output-dir` that holds a training or other files, replacing those of the same names";
    s.bind("dry-run", e.run.dry_run,
           "check the data, plan the memory and show the experiment as resolved; nothing is trained, no run folder "
           "changed")
        .when_resumed(Resume::free);
    s.bind("profile-steps", e.run.profile_steps, "steps that `profile` times, after one")
        .min(1)
        .only_with("`profile`", [&e] { return !e.run.profile.empty(); })
        .when_resumed(Resume::free);
    s.bind("save-every", e.run.save_every,
           "steps after which last.safetensors is written within an epoch too, on a GPU the next time that the losses "
           "are read (every 16 steps); 0: after each epoch only")
        .min(0)
        .when_resumed(Resume::free);
    s.bind("max-hours", e.run.max_hours,
           "hours from its start after which the training saves and ends, so that it can go on; the scores of its best "
           "epoch "
           "follow; 0: no limit")
        .min(0)
        .when_resumed(Resume::free);
    describe_sheet_rows(s, e.run.sheet_rows).help = "samples that samples.png, the contact sheet, shows";
}

void describe(Settings& s, Experiment& e) {
    describe_images(s, e);
    describe_loading(s, e);
    describe_net(s, e);
    describe_training(s, e);
    describe_run(s, e);
    // What a first training and most others need.
    s.mark_common({"data",    "mask-values", "classes", "val-list",   "val-fraction", "size",
                   "resize",  "hflip",       "vflip",   "scale",      "crop",         "model",
                   "encoder", "pretrained",  "epochs",  "batch-size", "loss",         "optimizer",
                   "lr",      "schedule",    "monitor", "seed",       "device",       "precision",
                   "threads", "output-dir",  "resume",  "overwrite",  "normalize",    "base-channels"});
}

LabelForm label_form(const Experiment& e) { return e.data.multi_label ? LabelForm::bits : LabelForm::ids; }

// A metric that is not defined of classes that overlap, or is at its best where every pixel is called every class, says
// nothing of an epoch.
static bool says_best_of_overlap(const Metric& m) {
    const int64_t called_all[] = {0, 1, 0, 1, 0, 1, 0, 1};  // of each class a pixel rightly, and one wrongly
    const ConfusionMatrix counts(2, called_all, LabelForm::bits);
    const double score = m.of_counts ? m.of_counts(counts) : m.of_image_counts ? m.of_image_counts(counts) : 0;
    return score < 1 || (score >= 1 && !m.higher_is_better);
}

static void check_monitor_of_overlap(const std::string& monitor) {
    std::vector<std::string> words;
    for (const auto& metric : Metric::catalogue().all())
        if (!metric->monitor.empty() && says_best_of_overlap(*metric)) words.push_back(metric->monitor);
    words.push_back("loss");
    if (std::count(words.begin(), words.end(), monitor) == 0)
        throw UsageError(
            fmt::format("`monitor` {}: it tells no best epoch where classes overlap; with `multi-label` "
                        "expected {}",
                        monitor, alternatives(words)));
}

static void check_overlap(const Experiment& e) {
    check_monitor_of_overlap(e.trainer.monitor);
    if (e.classes == 1 || e.classes > max_bit_classes)
        throw UsageError(
            fmt::format("`classes` {}: with `multi-label` expected 2 to {}, or 0 to find them from the masks; a label "
                        "is a byte, with a bit a class and 255 for ignored",
                        e.classes, max_bit_classes));
}

ImageSize training_size(const Experiment& e) { return e.crop.none() ? e.size : e.crop; }

NetConfig net_config(const Experiment& e, int64_t classes) {
    NetConfig c = e.net;
    if (e.channels > 0) c.in_channels = e.channels;
    c.out_channels = logits_of(classes, label_form(e));
    return c;
}

static void check_averages(const Experiment& e) {
    check(e.trainer.swa, e.trainer.epochs);
    if (!e.trainer.swa.on()) return;
    if (e.optimizer.ema_decay > 0)
        throw UsageError("`ema` and `swa-from`: two averages of the weights; set `ema` 0 or `swa-from` 0");
    if (e.trainer.patience_stop > 0)
        throw UsageError(
            "`patience-stop` and `swa-from`: the training could end before the first averaged epoch; set "
            "`patience-stop` 0 or `swa-from` 0");
}

void check(const Settings& settings, const Experiment& e) {
    check_applicable(settings, e.net);
    data::check_multi_label(e.data.multi_label, data::parse_mask_rule(e.mask_values));
    if (e.data.multi_label) check_overlap(e);
    LossConfig loss = e.loss;
    loss.labels = label_form(e);
    check(loss, e.classes);
    check(e.augmentations);
    check(e.optimizer);
    check_averages(e);
    e.trainer.schedule.rule().check();
    data::parse_value_range(e.value_range);
    if (e.classes == 1) throw UsageError("`classes` 1: expected at least 2, or 0 to find them from the masks");
}

std::string config_of(Experiment e) {
    for (std::string* path :
         {&e.data.root, &e.data.train_list, &e.data.val_list, &e.data.class_names, &e.pretrained, &e.machine.tune_file})
        if (path_exists(*path)) *path = absolute_path(*path);
    // This folder may be still to come.
    if (std::string& cache = e.data.check_cache; !cache.empty() && cache != "none") cache = absolute_path(cache);
    e.run.resume.clear();
    e.run.profile.clear();
    e.run.overwrite = e.run.dry_run = false;
    Settings settings;
    describe(settings, e);
    return as_toml(settings);
}

}  // namespace atrous
