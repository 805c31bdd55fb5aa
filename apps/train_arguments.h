// The options of atrous train.
#pragma once

#include <string>
#include <vector>

#include "apps/net_options.h"
#include "apps/options.h"
#include "apps/outputs.h"
#include "apps/recipe.h"
#include "apps/run_lock.h"

namespace atrous::app {

// Every option of the verb, declared once.
struct TrainArguments {
    Options o{
        "train",
        "Trains a segmentation net on a folder of images and masks. Writes checkpoints and scores into a run folder."};

    Setting<std::string>&data =
        (o.group("Data"),
         o.text("data", "", "data set: images/ + masks/, {train,val}/{images,masks}, list files, VOCdevkit, …")
             .required()),
    &mask_values = o.text("mask-values", "auto",
                          "how mask values become classes: auto, ids, binary, binary:128, '0' (value 0 is foreground), "
                          "'#402020,#ff0000', '0=1,255=0,128=ignore'");
    Setting<int64_t>& classes =
        o.integer("classes", 0, "number of classes; 0: found from the masks").min(0).max(net_ranges::out_channels.high);
    Setting<std::string>&train_list =
        o.text("train-list", "", "list file of the training samples; its lines 'image mask' are relative to --data"),
    &val_list = o.text("val-list", "", "list file of the validation samples, likewise"),
    &val_pattern = o.text("val-pattern", "", "pictures whose file name matches validate, such as '*9.png'");
    Setting<double>& val_fraction = o.number("val-fraction", 0.1, "share that validates where nothing else says")
                                        .min(0)
                                        .max(recipe_ranges::most_val_fraction);
    Setting<int64_t>& size = o.integer("size", 256, "pictures are resized to this width and height, in pixels")
                                 .min(recipe_ranges::size.low)
                                 .max(recipe_ranges::size.high);
    Setting<std::string>& normalise =
        o.choice("normalise", {"none", "imagenet"}, "none", "none: values 0..1; imagenet: minus mean, over std");
    Setting<int64_t>& channels = o.integer("channels", 3, "image channels: 1 or 3").min(1).max(3);
    Setting<double>&hflip = o.number("hflip", 0.5, "probability of a horizontal flip").min(0).max(1),
    &vflip = o.number("vflip", 0, "probability of a vertical flip").min(0).max(1),
    &rotate = o.number("rotate", 0, "largest angle of a random rotation, degrees").min(0).max(180),
    &brightness = o.number("brightness", 0, "largest relative change of brightness").min(0).max(1),
    &contrast = o.number("contrast", 0, "largest relative change of contrast").min(0).max(1);
    Setting<std::vector<double>>& scale =
        o.numbers("scale", {1, 1}, "smallest and largest factor of a random resize of the training pictures");
    Setting<std::string>& crop = o.text("crop", "",
                                        "random crop of the training pictures after that: N or WxH, in pixels; padded "
                                        "with ignored pixels where the picture is smaller. Empty: as large as --size");
    Setting<bool>& turn = o.flag("turn", "random quarter turns and transpositions");
    Setting<int64_t>&workers = o.integer("workers", 1, "threads that load images").min(0).max(64),
    &cache_mib = o.integer("cache", 1024, "decoded samples kept in memory, training and validation together, MiB")
                     .min(0)
                     .max(1 << 30);

    NetOptions net{o};
    Setting<std::string>& pretrained =
        o.text("pretrained", "", "weights to start from, of an encoder or a whole net: .pth, .pt or .safetensors");
    Setting<bool>& new_head =
        o.flag("new-head", "the last layer starts anew where the pretrained one has another number of classes");

    Setting<int64_t>&epochs = (o.group("Training"), o.integer("epochs", 10, "passes over the training samples").min(1)),
    &batch_size = o.integer("batch-size", 8, "images at once; auto: the largest power of two whose memory plan fits")
                      .letter('b')
                      .min(1)
                      .max(max_images)
                      .or_word("auto", 0),
    &accumulate = o.integer("accumulate", 1, "batches a step").min(1).max(65536);
    Setting<std::string>&last_batch =
        o.choice("last-batch", {"keep", "drop", "merge"}, "keep", "a last, smaller batch of an epoch"),
    &loss = o.text("loss", "auto",
                   "bce, ce, focal, dice, tversky, focal-tversky, or two joined as in ce+dice; auto: bce+dice for two "
                   "classes, ce+dice for more"),
    &class_weights = o.text("class-weights", "none", "of ce and focal: none, enet, median, or a list 1,2.5,…"),
    &optimizer = o.choice("optimizer", {"sgd", "adam", "adamw", "rmsprop"}, "adam", "the optimizer");
    Setting<double>&focal_gamma = o.number("focal-gamma", 2, "how much focal turns to the hard pixels").min(0),
    &tversky_alpha = o.number("tversky-alpha", 0.3, "weight of false positives in tversky").min(0),
    &tversky_beta = o.number("tversky-beta", 0.7, "weight of false negatives in tversky").min(0),
    &tversky_exponent = o.number("tversky-exponent", 0.75, "of focal-tversky: (1 - index) to this").above(0);
    Setting<double>&lr = o.number("lr", 1e-4, "learning rate").above(0),
    &encoder_lr = o.number("encoder-lr", 1, "learning rate of the encoder, relative to --lr").above(0),
    &aux_lr = o.number("aux-lr", 1, "learning rate of the auxiliary head, relative to --lr; torchvision: 10").above(0),
    &momentum = o.number("momentum", 0.9, "of sgd and rmsprop").min(0).max(1),
    &beta1 = o.number("beta1", 0.9, "of adam and adamw: decay of the mean of gradients").min(0).max(0.999999),
    &beta2 = o.number("beta2", 0.999, "of adam and adamw: decay of the mean of squares").min(0).max(0.99999999),
    &eps = o.number("eps", 1e-8, "of adam, adamw and rmsprop: added to the root of the mean of squares").above(0),
    &rms_alpha = o.number("rms-alpha", 0.99, "of rmsprop: decay of the mean of squares").min(0).max(0.99999999),
    &weight_decay = o.number("weight-decay", 0, "weight decay").min(0);
    Setting<bool>& nesterov = o.flag("nesterov", "Nesterov's momentum in sgd");
    Setting<bool>& no_vector_decay = o.flag("decay-weights-only", "biases and batch norm do not decay");
    Setting<std::string>& schedule =
        o.choice("schedule", {"constant", "step", "poly", "cosine", "plateau"}, "constant",
                 "learning rate over time; plateau: lower where --monitor no longer improves");
    Setting<int64_t>&warmup = o.integer("warmup-steps", 0, "steps of linear warm-up").min(0),
    &patience = o.integer("patience", 10, "plateau: epochs without a better score that change nothing yet").min(0),
    &patience_stop = o.integer("patience-stop", 0, "end after this many epochs without a better one; 0: never").min(0),
    &step_epochs = o.integer("step-epochs", 10, "epochs between the drops of schedule step").min(1);
    Setting<double>&step_factor = o.number("step-factor", 0.1, "learning rate times this at each drop").above(0).max(1),
    &poly_power = o.number("poly-power", 0.9, "of poly: (1 - step/steps) to this").above(0),
    &factor = o.number("factor", 0.1, "plateau: learning rate times this at each drop").above(0).max(1),
    &clip_norm = o.number("clip-norm", 0, "largest norm of the gradient; 0: no clipping").min(0);
    Setting<std::string>& monitor =
        o.choice("monitor", {"dice", "iou", "loss"}, "dice", "validation score that says which epoch is the best");
    Setting<bool>&freeze_bn = o.flag("freeze-bn", "batch norm keeps its running statistics; scale and shift train"),
    &freeze_encoder = o.flag("freeze-encoder", "the encoder stays as it is");
    Setting<int64_t>& seed = o.integer("seed", 0, "of weights, order, augmentation and split").min(0);

    Setting<std::string>&device = (o.group("Machine"), o.text("device", "auto", "auto, cpu, cuda, cuda:N or emulated")),
    &precision = o.choice("precision", {"fp32", "bf16", "fp16"}, "fp32",
                          "of activations and convolutions; fp16 (GPU) scales its loss");
    Setting<int64_t>&threads = o.integer("threads", 0, "cpu threads; 0: all").min(0).max(1024),
    &memory_limit = o.integer("memory-limit", 0, "most memory that tensors may take on the device, MiB; 0: no limit")
                        .min(0)
                        .max(1 << 30);
    Setting<std::string>&output_dir =
        (o.group("Run"), o.text("output-dir", "", "run folder; empty: runs/1, runs/2, …")),
    &profile =
        o.text("profile", "",
               "time some steps by op: a table, and a trace in this file for Perfetto or Chrome; no step of this run "
               "is replayed as a graph")
            .alone("profile.json in the run folder"),
    &resume =
        o.text("resume", "", "go on with the training of this run folder or last.safetensors, with its config.toml");

    Setting<bool>& overwrite =
        o.flag("overwrite",
               "write into an --output-dir that holds a training or other files, replacing those "
               "of the same names");
    Setting<int64_t>&profile_steps = o.integer("profile-steps", 10, "steps that --profile times, after one").min(1),
    &save_every =
        o.integer("save-every", 0,
                  "steps after which last.safetensors is written within an epoch too, on a GPU the next time that the "
                  "losses are read (every 16 steps); 0: after each epoch only")
            .min(0);

    TrainArguments();
    void parse(int argc, const char* const* argv);
    // Of the folder whose training goes on: to train in it, or where the training goes on elsewhere, to read it.
    RunLock lock;
    bool resuming() const { return !resume.value.empty(); }
    void resolve(const Recipe& recipe);
    std::string config();
    std::vector<std::string> without_effect() const;  // a line for each flag that changes nothing beside the others
    void check_outputs(const std::vector<data::Sample>& samples) const;  // that none is a picture or a mask

 private:
    void settle_resumption(const std::string& folder);
    Outputs inputs() const;
    Outputs outputs() const;
    Outputs outputs_of_run() const;
};

// Of a picture in a training step; UsageError where --scale or --crop is none.
struct TrainingSize {
    int64_t height, width;
};
TrainingSize training_size(const TrainArguments& a);

}  // namespace atrous::app
