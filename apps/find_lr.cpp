#include <fmt/core.h>

#include <cstdio>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/interrupt.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/text_table.h"
#include "segmentation/augment_presets.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/rate_finder.h"
#include "segmentation/recipes.h"

namespace atrous::app {

namespace {

// Settings of train that concern its run folder. A run's config.toml may have them.
constexpr const char* of_run_folders[] = {"output-dir", "resume",     "profile",   "profile-steps",
                                          "dry-run",    "save-every", "max-hours", "sheet-rows"};

// Settings of train that say at which rates it trains, and until when: all that describe(TrainerOptions) binds but what makes
// a step. A run's config.toml may have them.
std::vector<std::string> of_long_trainings() {
    Settings settings;
    TrainerOptions options;
    describe(settings, options);
    std::vector<std::string> keys{"ema"};
    for (const auto& setting : settings.all())
        if (setting->key != "accumulate") keys.push_back(setting->key);
    return keys;
}

struct FindRateArguments {
    Experiment e;
    RangeTestOptions range;
    std::string recipe, augment = "none", csv;
    Options o{
        "find-lr",
        "Trains some steps at a learning rate that rises, and says from their losses which rate to train at (a "
        "range test). Net, data, loss, optimizer and precision are those of `train` with the same options; no run "
        "folder is made and no weights are kept."};

    FindRateArguments() {
        o.group("Range test");
        describe(o, range);
        o.bind("csv", csv, "file for every step: step, lr, loss, smoothed loss").letter('o').common();
        o.mark_common({"steps", "lowest-lr", "highest-lr", "divergence"});
        describe(o, e);
        for (const char* key : of_run_folders) leave_out(key).short_name = 0;
        for (const std::string& key : of_long_trainings()) leave_out(key);
        o.at("overwrite").help = "replace a `csv` that another program wrote";
        o.bind("recipe", recipe, "settings with which a known system trains (`atrous recipes` lists them)").common();
        o.group(augment_group);
        describe_augment_preset(o, augment).common();
        o.examples({"atrous find-lr --data DIR                        the rate for a U-Net by the default settings",
                    "atrous find-lr --data DIR -b 4 --optimizer sgd --steps 200 -o lr.csv",
                    "atrous find-lr --config runs/1/config.toml       the rate for another training like this one"});
    }

    SettingBase& leave_out(const std::string& key) {
        SettingBase& setting = o.at(key);
        setting.help = "not for a range test; see atrous train";
        setting.is_common = false;
        return setting;
    }

    void refuse_flags() const {
        for (const char* key : of_run_folders)
            if (o.at(key).origin == Origin::flag)
                throw UsageError(fmt::format(
                    "`{}` is not for a range test, which has no run folder; leave it out (`pretrained` starts from "
                    "other weights)",
                    key));
        for (const std::string& key : of_long_trainings())
            if (o.at(key).origin == Origin::flag)
                throw UsageError(fmt::format(
                    "`{}` changes nothing in a range test, which takes `steps` steps at rates from `lowest-lr` "
                    "to `highest-lr`; leave it out",
                    key));
    }

    // What a configuration has for longer trainings changes no step, and must not be refused by its data.
    void forget_long_trainings() {
        const TrainerOptions fresh;
        e.trainer.schedule.name = fresh.schedule.name;
        e.trainer.schedule.base = fresh.schedule.base;
        e.trainer.schedule.warmup_steps = fresh.schedule.warmup_steps;
        e.trainer.patience_stop = 0;
        e.trainer.swa = {};
        e.optimizer.ema_decay = 0;
    }

    void parse(int argc, const char* const* argv) {
        o.parse(argc, argv);
        apply_augment_preset(o);
        if (!recipe.empty()) {
            const bool named = o.at(augment_key).given();
            apply_recipe(o, find_recipe(recipe));
            if (!named) apply_augment_preset(o);  // the recipe's
        }
        refuse_flags();
        const bool overwrite = e.run.overwrite;
        e.run = {};
        e.run.overwrite = overwrite;
        if (is_folder(e.pretrained)) e.pretrained = checkpoint_file(e.pretrained);
        forget_long_trainings();
        check(o, e);
        check(range);
    }

    Outputs outputs() const {
        Outputs files;
        files.reads("`config`", o.config_file()).reads("`pretrained`", e.pretrained);
        files.reads("`train-list`", e.data.train_list).reads("`val-list`", e.data.val_list);
        return files.writes("`csv`", csv, FileKind::csv);
    }
};

int run_test(const TrainingSetup& setup, const FindRateArguments& a, Console& console) {
    watch_interrupts("step");
    const RangeTest test = find_rate(setup, a.range, console, [&](int64_t done) {
        console.progress("testing rates", done, a.range.steps);
        return interrupt_signal() == 0;
    });
    unwatch_interrupts();
    if (test.interrupted) {
        console.text(fmt::format("\nstopped after {} of {} steps; nothing was written\n", test.taken, test.steps));
        return exit_after_signal(interrupt_signal());
    }
    console.text("\n" + text_of(test));
    if (a.csv.empty()) return exit_ok;
    io::write_durably(a.csv, csv_of(test));
    console.text(fmt::format("wrote {}\n", a.csv));
    return exit_ok;
}

}  // namespace

int find_lr(int argc, const char* const* argv) {
    FindRateArguments a;
    a.parse(argc, argv);
    a.outputs().check(a.e.run.overwrite);
    Console console;
    const Device device = open_device(a.e.machine, console);
    use_precision(a.e.machine.precision, device);  // refused, where the device cannot
    check_net_before_data(a.e, false, console);
    console.text(format_table(a.o.table()));
    for (const std::string& line : a.o.without_effect()) console.warning(line);
    const TrainingSetup setup = prepare_training(a.e, a.o, device, std::nullopt, console);
    a.outputs().check_samples(setup.sets.dataset.train);
    a.outputs().check_samples(setup.sets.dataset.val);
    return with_memory_advice(setup.make, setup.plan, a.e.batch_size, a.e.machine.memory_limit_mib, console,
                              [&] { return run_test(setup, a, console); });
}

}  // namespace atrous::app
