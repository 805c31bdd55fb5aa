#include "apps/train_arguments.h"

#include <fmt/core.h>

#include <cstdio>
#include <utility>

#include "apps/checkpoint_path.h"
#include "apps/loss_choice.h"
#include "apps/resume.h"
#include "apps/run_folder.h"
#include "base/error.h"
#include "base/paths.h"
#include "segmentation/config_file.h"

namespace atrous::app {

TrainingSize training_size(const TrainArguments& a) {
    const auto& s = a.scale.value;
    if (s.size() != 2 || !(s[0] > 0 && s[0] <= s[1] && s[1] <= 16))
        throw UsageError(fmt::format("--scale {}: expected the smallest and the largest factor, above 0 and up to 16",
                                     a.scale.shown()));
    const std::string& text = a.crop.value;
    if (text.empty()) return {a.size.value, a.size.value};
    int w = 0, h = 0, end = 0;
    const bool one = std::sscanf(text.c_str(), "%5d%n", &w, &end) == 1 && text.size() == size_t(end);
    if (one) h = w;
    const bool two = !one && std::sscanf(text.c_str(), "%5dx%5d%n", &w, &h, &end) == 2 && text.size() == size_t(end);
    if (!(one || two) || w < 8 || h < 8 || w > 8192 || h > 8192)
        throw UsageError("--crop " + text + ": expected N or WIDTHxHEIGHT, each from 8 to 8192 pixels");
    return {h, w};
}

// -h shows what a first training and most others need.
TrainArguments::TrainArguments() {
    o.examples(
        {"atrous train --data DIR                                     two classes, U-Net, 10 epochs, run folder runs/1",
         "atrous train --data DIR --size 512 -b 4 --epochs 50 --lr 1e-4 --schedule cosine --vflip 0.5",
         "atrous train --data DIR --model deeplabv3 --pretrained resnet50.pth --normalise imagenet",
         "atrous train --resume runs/1 --epochs 100                   go on, to 100 epochs in all"});
    SettingBase* const common[] = {&data,       &mask_values, &classes,    &val_list,  &val_fraction,     &size,
                                   &hflip,      &vflip,       &scale,      &crop,      &net.model,        &net.encoder,
                                   &pretrained, &epochs,      &batch_size, &loss,      &optimizer,        &lr,
                                   &schedule,   &monitor,     &seed,       &device,    &precision,        &threads,
                                   &output_dir, &resume,      &overwrite,  &normalise, &net.base_channels};
    for (SettingBase* option : common) option->is_common = true;
}

void TrainArguments::parse(int argc, const char* const* argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    const std::string resumed = resumed_path(words);
    if (!resumed.empty()) checkpoint_to_resume(resumed);  // before its config.toml is missed
    const std::string folder = resumed.empty() ? "" : run_folder_of(resumed);
    bool config_given = false;
    for (const auto& w : words) config_given = config_given || w.rfind("--config", 0) == 0;
    if (!folder.empty() && !config_given && path_exists(folder + "/config.toml"))
        words.insert(words.begin(), {"--config", folder + "/config.toml"});
    o.parse(words);
    if (is_folder(pretrained.value)) pretrained.value = checkpoint_file(pretrained.value);
    outputs_of_run().check_inputs();
    if (!resume.value.empty()) settle_resumption(run_folder_of(resume.value));
    outputs().check(overwrite.value);
    check_loss_words(loss.value, class_weights.value, classes.value);  // before the data are read
    training_size(*this);
    if (nesterov.value && (optimizer.value != "sgd" || momentum.value == 0))
        throw UsageError("--nesterov: expected --optimizer sgd and a --momentum above 0");
    if (channels.value == 2) throw UsageError("--channels 2: expected 1 or 3");
}

std::vector<std::string> TrainArguments::without_effect() const {
    const std::string &rule = optimizer.value, &over_time = schedule.value;
    const bool adam = rule == "adam" || rule == "adamw", by_tversky = loss.value.find("tversky") != std::string::npos;
    const bool by_focal = loss.value.starts_with("focal") && !loss.value.starts_with("focal-");
    struct Concern {
        const SettingBase& option;
        bool counts;
        const char* with;
    };
    const Concern concerns[] = {
        {patience, over_time == "plateau", "--schedule plateau"},
        {factor, over_time == "plateau", "--schedule plateau"},
        {step_epochs, over_time == "step", "--schedule step"},
        {step_factor, over_time == "step", "--schedule step"},
        {poly_power, over_time == "poly", "--schedule poly"},
        {momentum, rule == "sgd" || rule == "rmsprop", "--optimizer sgd or rmsprop"},
        {beta1, adam, "--optimizer adam or adamw"},
        {beta2, adam, "--optimizer adam or adamw"},
        {eps, rule != "sgd", "--optimizer adam, adamw or rmsprop"},
        {rms_alpha, rule == "rmsprop", "--optimizer rmsprop"},
        {focal_gamma, by_focal, "--loss focal"},
        {tversky_alpha, by_tversky, "--loss tversky or focal-tversky"},
        {tversky_beta, by_tversky, "--loss tversky or focal-tversky"},
        {tversky_exponent, loss.value.find("focal-tversky") != std::string::npos, "--loss focal-tversky"},
        {new_head, !pretrained.value.empty(), "--pretrained"},
        {profile_steps, !profile.value.empty(), "--profile"},
        {val_fraction, val_list.value.empty() && val_pattern.value.empty(), "a split that the program draws"}};
    std::vector<std::string> lines;
    for (const auto& [option, counts, with] : concerns)
        if (!counts && option.origin == Origin::flag)
            lines.push_back(fmt::format("{} changes nothing here: it belongs to {}", spelled(option), with));
    return lines;
}

// What --profile names, which is replaced only where it is a profile.
Outputs TrainArguments::outputs() const {
    const bool named = profile.value != profile.alone();
    Outputs files = inputs();
    files.writes("--profile", named ? profile.value : "", FileKind::json);
    if (!output_dir.value.empty())
        for (const std::string& file : RunFolder::files_of(output_dir.value)) files.keeps("the run folder", file);
    return files;
}

void TrainArguments::check_outputs(const std::vector<data::Sample>& samples) const {
    outputs().check_samples(samples);
    if (!resuming()) outputs_of_run().check_samples(samples);
}

// The files of the run folder, which RunFolder checks by itself, against the inputs.
Outputs TrainArguments::outputs_of_run() const {
    Outputs files = inputs();
    if (output_dir.value.empty() || resuming()) return files;
    const bool own_config =
        RunFolder::is_one(output_dir.value);  // a training that is started anew with its own settings
    for (const std::string& file : RunFolder::files_of(output_dir.value))
        if (!own_config || !file.ends_with("/config.toml")) files.writes("--output-dir", file, FileKind::weights);
    return files;
}

Outputs TrainArguments::inputs() const {
    Outputs files;
    files.reads("--config", o.config_file()).reads("--pretrained", pretrained.value);
    files.reads("--train-list", train_list.value).reads("--val-list", val_list.value);
    return files;
}

// Which checkpoint goes on, in which folder. The folder is locked before anything in it is looked at or moved.
void TrainArguments::settle_resumption(const std::string& folder) {
    // A run folder may have been moved or copied since its config.toml was written: only a flag overrules.
    if (output_dir.origin != Origin::flag || output_dir.value.empty()) output_dir.value = folder;
    if (!same_file(folder, output_dir.value)) {
        lock = RunLock::for_reading(folder);
        resume.value = checkpoint_to_resume(resume.value);
    } else {
        if (!RunFolder::is_one(folder) && !overwrite.value)
            throw UsageError(
                fmt::format("{}: is no run folder; say with --output-dir where the training is to go on, or "
                            "write among the files there with --overwrite",
                            folder));
        lock = RunLock::for_training(folder);
        resume.value = settle_previous(checkpoint_to_resume(resume.value));
    }
}

// What the data decided, so that config.toml says it. The device and the number of threads stay as they were asked for:
// another machine has others.
void TrainArguments::resolve(const Recipe& recipe) {
    mask_values.value = recipe.mask_values;
    classes.value = recipe.classes();
    loss.value = recipe.loss.name;
}

// For a later --resume from any folder: paths are absolute, and what was resumed to get here is left out.
std::string TrainArguments::config() {
    Setting<std::string>* const changed[] = {&data, &train_list, &val_list, &pretrained, &resume, &profile};
    std::vector<std::string> values;
    for (Setting<std::string>* option : changed) {
        values.push_back(option->value);
        if (path_exists(option->value)) option->value = absolute_path(option->value);
    }
    resume.value.clear();
    profile.value.clear();  // the training's, not the run's: whoever resumes asks again
    const bool overwritten = std::exchange(overwrite.value, false);
    const std::string toml = as_toml(o);
    overwrite.value = overwritten;
    for (size_t i = 0; i < values.size(); ++i) changed[i]->value = values[i];
    return toml;
}

}  // namespace atrous::app
