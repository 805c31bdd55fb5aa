// An experiment is everything that a training follows from, each setting once. Its description gives the command line,
// the configuration file, the table of what was used, what a checkpoint says of its training, and what a resumed run
// may change.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/image_size.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "engine/optim/optimizer.h"
#include "engine/train/trainer.h"
#include "models/catalogue.h"
#include "models/check.h"
#include "segmentation/loss_config.h"
#include "segmentation/precision.h"
#include "segmentation/result_sheet.h"

namespace atrous {

inline constexpr const char* default_profile = "profile.json in the run folder";

// These options say where a training writes, and what it goes on from.
struct RunOptions {
    std::string output_dir;  // empty: runs/1, runs/2, …
    std::string resume;      // a run folder or its last.safetensors; empty: a new training
    bool overwrite = false;
    bool dry_run = false;
    int64_t save_every = 0;  // steps; 0: after each epoch only
    std::string profile;     // a file, or default_profile; empty: none
    int64_t profile_steps = 10;
    double max_hours = 0;  // from `started` on; 0: no limit
    std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
    int64_t sheet_rows = default_sheet_rows;
};

struct Experiment {
    data::DatasetOptions data;
    std::string mask_values = "auto";  // data/mask.h
    int64_t classes = 0;               // 0: found from the masks
    int64_t channels = 0;              // of the images, 0: found from them
    ImageSize size = 256;              // of the images as the net sees them
    data::ResizeMode resize = data::ResizeMode::stretch;
    ImageSize crop;                    // of the training images; none: `size`
    std::string value_range = "auto";  // data/value_range.h
    std::string normalize = "none";
    data::Augmentations augmentations{{"hflip", "0.5"}};
    int64_t cache_mib = 1024;         // of decoded samples
    std::string augment_on = "auto";  // segmentation/augment_place.h

    NetConfig net;
    std::string pretrained = "";
    bool new_head = false;
    FreezeOptions freezing;

    TrainerOptions trainer;  // its loss, element type and auxiliary weight follow from the rest
    int64_t batch_size = 8;  // 0: the largest power of two whose memory plan fits
    data::LastBatch last_batch = data::LastBatch::keep;
    LossConfig loss;
    OptimizerOptions optimizer;
    double encoder_lr = 1, aux_lr = 1;   // relative to the learning rate
    std::vector<std::string> lr_scales;  // of other parts: "PART=FACTOR" (segmentation/part_rates.h)

    Machine machine{.precision = "auto"};
    RunOptions run;
};

void describe(Settings& settings, Experiment& experiment);
void describe_images(Settings& settings, Experiment& experiment);  // of these the data, and what images become
// UsageError for what can be known to be wrong before any file is opened. `settings` are the experiment's.
void check(const Settings& settings, const Experiment& experiment);

ImageSize training_size(const Experiment& experiment);  // of an image in a training step

LabelForm label_form(const Experiment& experiment);  // as `multi-label` says

// The net of so many classes; 2: one logit, where they exclude each other.
NetConfig net_config(const Experiment& experiment, int64_t classes);

// Writes the configuration file with which the training goes on from any folder: paths are absolute, and what concerns
// this run alone (what it was resumed from, its profile, what it overwrote) is left out.
std::string config_of(Experiment experiment);

// Sides of the images, and of what is cropped from them; shared by the programs that have the setting.
inline constexpr int64_t min_size = 8, max_size = 8192;
SizeSetting& describe_size(Settings& settings, ImageSize& size);
Setting<int64_t>& describe_channels(Settings& settings, int64_t& channels);
Setting<int64_t>& describe_classes(Settings& settings, int64_t& classes);
void describe_mask_values(Settings& settings, std::string& mask_values);

}  // namespace atrous
