#include "segmentation/tuning.h"

#include <fmt/core.h>

#include <map>

#include "engine/kernel_choice.h"
#include "engine/tuning_file.h"
#include "segmentation/training_setup.h"

namespace atrous {

using kernels::TunedKernels;

void describe_tuning(Settings& s, Machine& m) {
    const auto is_on = [&m] { return m.tune == "on"; };
    s.bind("tune", m.tune,
           "on a GPU: time all implementations of each convolution before the first step, cuDNN's ten best plans among "
           "them, and take the fastest; a resumed run takes those that its checkpoint names")
        .one_of({"off", "on"})
        .when_resumed(Resume::free);
    s.bind("tune-budget", m.tune_budget_s, "most time for timing kernels; the rest goes by the list")
        .min(0)
        .max(86400)
        .unit("seconds")
        .only_with("`tune`", is_on)
        .when_resumed(Resume::free);
    s.bind("tune-file", m.tune_file,
           "file that keeps timings by GPU, driver, libraries and shape; empty: atrous/kernels.json in "
           "$XDG_CACHE_HOME or ~/.cache")
        .only_with("`tune`", is_on)
        .when_resumed(Resume::free);
}

std::string tuning_file(const Machine& m) { return m.tune_file.empty() ? default_tuning_file() : m.tune_file; }

static TunedKernels joined(const TunedKernels& known, const TunedKernels& others) {
    TunedKernels all = others;
    for (const auto& [problem, kernel] : known.all()) all.set(problem, kernel);
    return all;
}

TuneResult tune_computation(SegmentationNet& net, const PlanOptions& plan, const Machine& machine,
                            const TunedKernels& known, Messages& messages, const WayTimer& timer) {
    if (machine.kernels != "auto" && machine.kernels != "own")
        throw UsageError(
            fmt::format("`kernels` {} leaves nothing to tune; give `kernels` auto or own", machine.kernels));
    const std::string path = tuning_file(machine), here = tuning_machine(plan.device);
    std::string problem;
    const TunedKernels kept = path.empty() ? TunedKernels() : load_tuning(path, here, &problem);
    if (!problem.empty()) messages.warning(problem);
    kernels::ProblemLog problems;
    plan_memory(net, plan);
    const TuneResult result = tune(problems, plan.device, joined(known, kept),
                                   {machine.tune_budget_s, timer, progress_of("timing kernels", messages)});
    if (path.empty() || result.times.empty()) return result;
    if (problem = save_tuning(path, here, result.kernels); !problem.empty()) messages.warning(problem);
    return result;
}

bool is_chosen(const TuneResult& r, const ProblemTimes& times, const kernels::KernelWay& way) {
    const kernels::TunedKernel* const chosen = r.kernels.find(times.problem);
    return chosen && chosen->implementation == way.implementation && chosen->way == way.way;
}

std::string tuning_table(const TuneResult& r) {
    std::string table;
    for (const ProblemTimes& times : r.times) {
        table += times.problem + "\n";
        for (const WayTime& t : times.ways)
            table += fmt::format("  {} {:>12}  {}\n", is_chosen(r, times, t.way) ? "*" : " ",
                                 t.failure.empty() ? fmt::format("{:.4f} ms", t.ms) : "failed",
                                 t.way.text() + (t.failure.empty() ? "" : ": " + t.failure));
    }
    return table;
}

static std::string by_implementation(const TunedKernels& kernels) {
    std::map<std::string, int> counts;
    for (const auto& [problem, kernel] : kernels.all()) ++counts[kernel.implementation];
    std::string text;
    for (const auto& [name, count] : counts) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
    return text;
}

std::string tuning_line(const TuneResult& r) {
    std::string line = fmt::format("kernels tuned for {} of {} convolutions: {} timed in {:.1f} s, {} known",
                                   r.kernels.all().size(), r.problems, r.times.size(), r.seconds, r.known);
    if (!r.kernels.all().empty()) line += "; " + by_implementation(r.kernels);
    if (r.without_time > 0) line += fmt::format("; {} go by the list, for `tune-budget` was spent", r.without_time);
    if (r.without_memory > 0)
        line += fmt::format("; {} go by the list, for want of memory to time them", r.without_memory);
    return line;
}

// Those of the file, where they were found on this machine; `otherwise` ends the warning that they were not.
static TunedKernels saved_kernels(const io::TensorFile& file, const std::string& here, const char* otherwise,
                                  Messages& messages) {
    const auto saved = tuned_record_of(file);
    if (!saved) return {};
    if (saved->machine == here) return saved->kernels;
    messages.warning(fmt::format("{}: its kernels were tuned on other ground ({}) and are not taken here ({}): {}",
                                 file.path(), saved->machine, here, otherwise));
    return {};
}

static void say_saved(const TunedKernels& kernels, Messages& messages) {
    const size_t count = kernels.all().size();
    if (const KernelChoice& choice = kernel_choice(); choice.rule == KernelChoice::Rule::named)
        messages.text(fmt::format("kernels that the checkpoint tuned for {} convolutions are not taken: `kernels` {}\n",
                                  count, choice.name));
    else
        messages.text(
            fmt::format("kernels tuned for {} convolutions, as the checkpoint names them, where batch and "
                        "size are those of the training; {}\n",
                        count, by_implementation(kernels)));
}

void take_tuned_kernels(const io::TensorFile& file, Device device, Messages& messages) {
    set_tuned_kernels(nullptr);
    if (device.kind != DeviceKind::gpu) return;
    TunedKernels kernels =
        saved_kernels(file, tuning_machine(device), "the same net, but last digits may differ", messages);
    if (kernels.all().empty()) return;
    say_saved(kernels, messages);
    set_tuned_kernels(std::make_shared<const TunedKernels>(std::move(kernels)));
}

void tune_training(TrainingSetup& t, Messages& messages, const WayTimer& timer) {
    set_tuned_kernels(nullptr);
    t.fingerprint.tuned.reset();
    const Machine& machine = t.experiment.machine;
    if (t.device.kind != DeviceKind::gpu) {
        if (machine.tune == "on") messages.text("`tune`: kernels are tuned on GPUs alone; nothing is timed here\n");
        return;
    }
    TunedRecord record{tuning_machine(t.device), {}};
    if (t.resumed && t.resumed->file)
        record.kernels =
            saved_kernels(*t.resumed->file, record.machine, "the same training, but not the same bits", messages);
    const bool saved = !record.kernels.all().empty();  // then a resumed run takes these alone, and gives the same bits
    if (machine.tune == "on" && !saved) {
        if (t.resumed) messages.warning("`tune` on: kernels are timed anew: the same training, but not the same bits");
        const TuneResult result =
            tune_computation(*t.make(), t.plan(t.experiment.batch_size), machine, record.kernels, messages, timer);
        messages.text(tuning_line(result) + "\n");
        record.kernels = result.kernels;
    } else if (saved) {
        say_saved(record.kernels, messages);
    }
    if (record.kernels.all().empty()) return;
    set_tuned_kernels(std::make_shared<const TunedKernels>(record.kernels));
    t.fingerprint.tuned = std::move(record);
}

}  // namespace atrous
