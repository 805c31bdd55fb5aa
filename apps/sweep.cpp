#include <fmt/core.h>

#include <cstdio>
#include <utility>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/interrupt.h"
#include "apps/options.h"
#include "apps/sweep_runs.h"
#include "apps/verbs.h"
#include "base/cores.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/recipes.h"
#include "segmentation/report/page.h"
#include "segmentation/report/run_data.h"
#include "segmentation/run_folder.h"

namespace atrous::app {
namespace {

struct SweepArguments {
    Experiment e;
    sweep::Request request;
    int64_t jobs = 1;
    std::string recipe;
    Options o{"sweep",
              "Trains one experiment with varying settings, each combination in a run folder of its own, and ranks "
              "them by the best epoch's score. The same command again goes on after a kill or a failure: what is done "
              "stays, and what was begun is resumed."};

    SweepArguments() {
        o.group("Sweep");
        o.bind("grid", request.grid,
               "settings that vary, each with its values: lr=1e-4,2e-4 (separated by ; where values hold commas), or a "
               "range for `random`: lr=1e-5..1e-2")
            .common();
        o.bind("random", request.random,
               "points of the grid that are drawn by `seed`, of ranges uniformly in their logarithm; 0: all points")
            .min(0)
            .max(10000)
            .common();
        o.bind("one-at-a-time", request.one_at_a_time,
               "the experiment itself, and each value of the grid in it by itself, in place of all combinations")
            .common();
        o.bind("folds", request.folds, "folds that each point is trained on, for the mean of its scores; 0: none")
            .min(0)
            .max(1000)
            .common();
        o.bind("seeds", request.seeds, "seeds from `seed` on that each point is trained with, likewise; 0: one")
            .min(0)
            .max(1000)
            .common();
        o.bind("jobs", jobs, "trainings at once, each with its share of the cpu's threads").min(1).max(64).common();
        describe(o, e);
        o.bind("recipe", recipe,
               "settings with which a known system trains (`atrous recipes` lists them); other options go before them")
            .common();
        adapt("output-dir", "folder of the sweep: a run folder for each training, sweep.csv, sweep.html").short_name =
            'o';
        o.at("output-dir").is_required = true;
        adapt("dry-run", "check all trainings and show them; nothing is trained or written");
        adapt(
            "max-hours",
            "hours from its start after which each training by itself saves and ends; the sweep started once more goes "
            "on with it; 0: no limit");
        for (const char* key : {"resume", "overwrite", "profile", "profile-steps"})
            adapt(key, "not for a sweep; see atrous train").is_common = false;
        o.examples(
            {"atrous sweep --data DIR --grid lr=1e-4,2e-4 batch-size=16,32 -o lr        four trainings, ranked",
             "atrous sweep --data DIR --grid lr=1e-5..1e-2 --random 10 --jobs 2 -o lr   ten rates, two at a time",
             "atrous sweep --data DIR --folds 5 -o folds                                mean and deviation over five "
             "folds"});
    }

    SettingBase& adapt(const char* key, const char* help) {
        SettingBase& setting = o.at(key);
        setting.help = help;
        return setting;
    }

    void parse(int argc, const char* const* argv) {
        o.parse(argc, argv);
        if (!recipe.empty()) apply_recipe(o, find_recipe(recipe));
        for (const char* key : {"resume", "overwrite", "profile"})
            if (o.at(key).origin == Origin::flag)
                throw UsageError(fmt::format(
                    "`{}` is not for a sweep: the same command again goes on with it; a single training has it "
                    "(`atrous train -h`)",
                    key));
        if (request.folds == 1)
            throw UsageError("`folds` 1 leaves nothing to train on; expected 2 or more, or 0 for none");
        if (is_folder(e.pretrained)) e.pretrained = checkpoint_file(e.pretrained);
        if (!e.data.fold.empty() && request.folds > 0)
            throw UsageError("`fold` and `folds` are both given; give one of them");
        request.seed = e.data.seed;
        for (const auto& setting : o.all()) request.experiment[setting->key] = sweep::value_of(*setting);
    }

    // Without the folder, and with each training's threads.
    sweep::Plan plan() const {
        Experiment base = e;
        base.run.output_dir.clear();
        if (base.machine.threads == 0) base.machine.threads = std::max<int64_t>(1, usable_cores() / jobs);
        return {config_of(base), points_of(request)};
    }
};

int64_t threads_of(const sweep::Plan& plan) { return experiment_of(plan, plan.points[0]).machine.threads; }

void show_trainings(const sweep::Plan& plan, Console& console) {
    for (const sweep::Point& point : plan.points) console.text("  " + name_of(point) + "\n");
    console.text(fmt::format("dry run: {} training{}; nothing was trained or written\n", plan.points.size(),
                             plan.points.size() == 1 ? "" : "s"));
}

// Of the runs that have something to show, in the order of their ranks.
void write_comparison(const sweep::Plan& plan, const sweep::SweepFolder& folder,
                      const std::vector<sweep::Group>& groups, Console& console) {
    report::Json runs = report::Json::array();
    for (const sweep::Group& group : groups)
        for (const size_t i : group.members) {
            const std::string run = folder.run(name_of(plan.points[i]));
            if (RunFolder::is_one(run) && path_exists(run + "/config.toml")) runs.push_back(report::run_data(run));
        }
    if (runs.empty()) return;
    report::write_page(folder.page(), runs);
    console.text(fmt::format("wrote {} and {}\n", folder.results(), folder.page()));
}

int end_of(const sweep::Plan& plan, const sweep::SweepFolder& folder, const SweepRuns& runs, const std::string& monitor,
           Console& console) {
    const std::vector<sweep::Result>& results = runs.results();
    const bool interrupted = interrupt_signal() != 0;
    console.text("\n" + results_table(plan, results, monitor));
    write_comparison(plan, folder, ranked(plan, results, higher_is_better(monitor)), console);
    bool failed = false, open = false;
    for (const sweep::Result& r : results) {
        failed = failed || !r.failure.empty();
        open = open || r.state != sweep::Result::State::done;
    }
    if (open) console.text("the same command again goes on with what is not done\n");
    if (interrupted) return exit_after_signal(interrupt_signal());
    return failed ? exit_other : exit_ok;
}

}  // namespace

int sweep(int argc, const char* const* argv) {
    SweepArguments a;
    a.parse(argc, argv);
    check(a.o, a.e);
    Console console;
    const std::string path = a.e.run.output_dir, monitor = a.e.trainer.monitor;
    sweep::Plan plan = a.plan();
    sweep::check_folder(path);
    const bool threads_given = a.o.at("threads").given();
    const std::vector<sweep::Point> added = continue_plan(path, plan, threads_given);
    for (const sweep::Point& point : plan.points) (void)experiment_of(plan, point);  // refused before anything is read
    for (const std::string& line : a.o.without_effect()) console.warning(line);
    console.text(fmt::format("{}: {} training{}, {} at a time, each with {} thread{}\n", path, plan.points.size(),
                             plan.points.size() == 1 ? "" : "s", a.jobs, threads_of(plan),
                             threads_of(plan) == 1 ? "" : "s"));
    if (!added.empty() && added.size() < plan.points.size())
        console.text(fmt::format("{} of them are new to this sweep\n", added.size()));
    watch_interrupts("step of each training");
    check_trainings({plan.base, added}, path, a.jobs, console);
    if (const int signal = interrupt_signal()) {
        console.text("\nstopped before anything was trained\n");
        return exit_after_signal(signal);
    }
    if (a.e.run.dry_run) {
        show_trainings(plan, console);
        return exit_ok;
    }
    const sweep::SweepFolder folder(path);
    (void)continue_plan(path, plan, threads_given);  // another sweep may have begun here meanwhile
    write_plan(path, plan);
    SweepRuns runs(plan, folder, a.jobs, console);
    const auto keep = [&] {
        io::write_durably(folder.results(), results_csv(plan, runs.results(), monitor));
        if (const std::map<std::string, std::string> failures = runs.failures(); failures != plan.failures) {
            write_plan(path, sweep::Plan{plan.base, plan.points, failures});
            plan.failures = failures;  // once they are written: else the next call tries again
        }
    };
    keep();
    bool warned = false;
    runs.train([&] {  // the next training's end, or the sweep's, tries again
        try {
            keep();
        } catch (const IoError& why) {
            if (!std::exchange(warned, true)) console.warning(fmt::format("{}; the trainings go on", why.what()));
        }
    });
    keep();
    return end_of(plan, folder, runs, monitor, console);
}

}  // namespace atrous::app
