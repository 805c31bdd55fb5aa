#include <fmt/core.h>

#include <cstdio>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/interrupt.h"
#include "apps/options.h"
#include "apps/training_progress.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/text_table.h"
#include "segmentation/augment_presets.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/config_file.h"
#include "segmentation/recipes.h"
#include "segmentation/training_run.h"

namespace atrous::app {

// The --resume among the words of a command line; empty where there is none.
static std::string resumed_path(const std::vector<std::string>& words) {
    std::string last;
    for (size_t i = 0; i < words.size(); ++i) {
        std::string value;
        if (words[i] == "--resume" && i + 1 < words.size())
            value = words[i + 1];
        else if (words[i].rfind("--resume=", 0) == 0)
            value = words[i].substr(9);
        if (!value.empty()) last = value;
    }
    return last;
}

// A run that goes on has the settings of its config.toml, unless another file is given.
static void parse(Options& o, std::string& recipe, std::string& augment, int argc, const char* const* argv) {
    o.bind("recipe", recipe,
           "settings with which a known system trains (`atrous recipes` lists them); other options go before them")
        .common();
    o.group(augment_group);
    describe_augment_preset(o, augment).common();
    std::vector<std::string> words(argv + 1, argv + argc);
    bool config_given = false;
    for (const auto& w : words) config_given = config_given || w.rfind("--config", 0) == 0;
    if (const std::string resumed = resumed_path(words); !resumed.empty()) {
        checkpoint_to_resume(resumed);  // before its config.toml is missed
        const std::string config = run_folder_of(resumed) + "/config.toml";
        if (!config_given && path_exists(config)) words.insert(words.begin(), {"--config", config});
    }
    o.parse(words);
    apply_augment_preset(o);
    if (recipe.empty()) return;
    const bool named = o.at(augment_key).given();
    apply_recipe(o, find_recipe(recipe));
    if (!named) apply_augment_preset(o);  // the recipe's
}

// What the run ended with, and the exit code.
static int report_end(TrainingRun& run, const Experiment& e, bool finished, Messages& messages) {
    const TrainProgress& p = run.progress();
    if (const int signal = interrupt_signal()) {
        messages.text(fmt::format("\n{} after step {}; saved {}; go on with: atrous train --resume {}\n",
                                  finished ? "finished" : "stopped", p.step, run.folder().last(), run.folder().path()));
        return exit_after_signal(signal);
    }
    if (!finished)
        messages.text(
            fmt::format("\nended after step {} and {:g} hours; saved {}; go on with: atrous train --resume {}\n",
                        p.step, e.run.max_hours, run.folder().last(), run.folder().path()));
    if (run.out_of_patience())
        messages.text(fmt::format("\nended after epoch {}: no better {} since epoch {}\n", p.epoch, e.trainer.monitor,
                                  p.best_epoch + 1));
    run.report_result();
    return exit_ok;
}

static int run_training(TrainingSetup& setup, RunLog& log) {
    TrainingRun run(setup, log);
    watch_interrupts("step");
    TrainingProgress progress(run, setup.experiment);
    bool finished = false;
    try {
        finished = run.train(progress);
    } catch (const Error& e) {
        log.keep(std::string(e.what()) + "\n");
        throw;
    }
    unwatch_interrupts();  // what follows only looks at what is saved
    progress.finish();
    return report_end(run, setup.experiment, finished, log);
}

int train(int argc, const char* const* argv) {
    Experiment e;
    std::string recipe, augment = "none";
    Options o("train",
              "Trains a segmentation net on a folder of images and masks. Writes checkpoints and scores into a run "
              "folder.");
    describe(o, e);
    o.examples(
        {"atrous train --data DIR                                     two classes, U-Net, 10 epochs, run folder runs/1",
         "atrous train --data DIR --size 512 -b 4 --epochs 50 --lr 1e-4 --schedule cosine --vflip 0.5",
         "atrous train --data DIR --recipe carvana-unet               as that project trains; atrous recipes lists "
         "them",
         "atrous train --data DIR --model deeplabv3 --pretrained resnet50.pth --normalize imagenet",
         "atrous train --resume runs/1 --epochs 100                   go on, to 100 epochs in all"});
    parse(o, recipe, augment, argc, argv);
    Console console;
    RunLog log(console);  // keeps what is said from here on
    if (is_folder(e.pretrained)) e.pretrained = checkpoint_file(e.pretrained);
    check(o, e);
    std::optional<ResumedRun> resumed;
    if (!e.run.resume.empty()) resumed = open_resumed_run(e.run, o.at("output-dir").origin == Origin::flag, log);
    check_outputs(e, o.config_file());
    Machine machine = e.machine;
    machine.threads = threads_of(machine, resumed ? &*resumed : nullptr, log);
    const Device device = open_device(machine, log);
    use_precision(e.machine.precision, device);  // refused, where the device cannot
    check_before_data(e, resumed ? &*resumed : nullptr, log);
    log.text(format_table(o.table()));
    for (const std::string& line : o.without_effect()) log.warning(line);

    TrainingSetup setup = prepare_training(e, o, device, std::move(resumed), log);
    if (e.run.dry_run) {
        log.text(fmt::format(
            "\nthe experiment, as config.toml would have it:\n{}\ndry run: no run folder was made or changed\n",
            config_of(e)));
        return exit_ok;
    }
    return with_memory_advice(setup.make, setup.plan, e.batch_size, e.machine.memory_limit_mib, log,
                              [&] { return run_training(setup, log); });
}

}  // namespace atrous::app
