#include <fmt/core.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/bench.h"
#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "benchmarks/harness/environment.h"
#include "segmentation/augment_place.h"
#include "segmentation/augment_presets.h"
#include "segmentation/dataset_options.h"
#include "segmentation/experiment.h"
#include "segmentation/loader_times.h"
#include "segmentation/messages.h"
#include "segmentation/outputs.h"

namespace atrous::app {

namespace {

struct LoaderArguments {
    Experiment e;
    int64_t images = 64, repetitions = 5;
    std::vector<int64_t> workers = {0, 1, 2};
    std::string json, augment = "none";
    bool overwrite = false;
    Options o{
        "bench loader",
        "Times the loader of a training on a data set, without a net: images a second by the number of workers, "
        "and where the time goes, with augmentation on the host and on the device. Files are read before they are "
        "timed; nothing is cached by the loader."};

    LoaderArguments() {
        e.normalize = "imagenet";
        e.batch_size = 8;
        describe_images(o, e);
        describe_augment_preset(o, augment);
        describe_batch_size(o, e.batch_size);
        o.group("Measurement");
        describe_device(o, e.machine);
        o.bind("workers", workers, "numbers of workers to measure; 0: the consumer loads").min(0).max(1024);
        o.bind("timed-images", images, "images of one measurement").min(1).max(1000000);
        o.bind("repetitions", repetitions, "measurements, whose median counts").min(1).max(1000);
        describe_json(o, json).help += "; -: standard output, without the table";
        describe_overwrite(o, overwrite);
    }
};

struct Throughput {
    int64_t workers;
    double images_per_s;
};

// Of one place where images are augmented.
struct Measured {
    std::string where;
    std::vector<Throughput> rates;
    LoaderSteps steps;
};

Measured measure(const LoaderArguments& a, std::string where, const std::vector<data::Sample>& samples,
                 const data::MaskRule& rule, data::LoaderOptions loader, Device device) {
    Measured found{std::move(where), {}, {}};
    for (const int64_t workers : a.workers) {
        loader.workers = int(workers);
        found.rates.push_back({workers, loader_throughput(samples, rule, loader, a.images, int(a.repetitions))});
    }
    found.steps = time_loader_steps(samples, rule, loader, a.images, device);
    return found;
}

std::string table(const LoaderArguments& a, size_t samples, Device device, const std::vector<Measured>& all,
                  const std::string& why_on_host) {
    std::string text = fmt::format("{} samples of {}, to {} in batches of {}, then {}\n", samples, a.e.data.root,
                                   width_by_height(training_size(a.e)), a.e.batch_size, name_of(device));
    if (!why_on_host.empty()) text += fmt::format("augmented on the host alone: {}\n", why_on_host);
    for (const Measured& m : all) {
        text += fmt::format("\naugmented on the {}\n  workers  images/s\n", m.where);
        for (const Throughput& t : m.rates) text += fmt::format("  {:>7}  {:>8.1f}\n", t.workers, t.images_per_s);
        text += "\n  one thread      ms an image\n";
        const auto images = double(m.steps.images);
        for (const auto& [name, seconds] : m.steps.named())
            text += fmt::format("  {:<14}  {:>11.3f}  {:>4.0f} %\n", name, 1e3 * seconds / images,
                                100 * seconds / m.steps.total());
        text += fmt::format("  {:<14}  {:>11.3f}\n", "sum", 1e3 * m.steps.total() / images);
    }
    return text;
}

std::string json_line(const LoaderArguments& a, size_t samples, Device device, const std::vector<Measured>& all,
                      const std::string& why_on_host) {
    nlohmann::ordered_json j{{"kind", "loader"}, {"engine", "atrous"}};
    for (const auto& [name, value] : bench::environment(device)) j[name] = value;
    j["data"] = a.e.data.root;
    j["samples"] = samples;
    j["size"] = text_of(a.e.size);
    j["resize"] = a.o.at("resize").shown();
    j["crop"] = text_of(a.e.crop);
    j["normalize"] = a.e.normalize;
    j["batch_size"] = a.e.batch_size;
    Settings augmentations;
    data::Augmentations described = a.e.augmentations;
    describe(augmentations, described);
    for (const auto& setting : augmentations.all()) j["augmentations"][setting->key] = setting->shown();
    if (!why_on_host.empty()) j["on_host_because"] = why_on_host;
    for (const Measured& m : all) {  // the host's beside the settings, the device's under a key of their own
        nlohmann::ordered_json& to = m.where == "host" ? j : j["on_device"];
        for (const Throughput& t : m.rates) to["images_per_s"][std::to_string(t.workers)] = t.images_per_s;
        for (const auto& [name, seconds] : m.steps.named())
            to["ms_an_image"][name] = 1e3 * seconds / double(m.steps.images);
    }
    return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

int bench_loader(int argc, const char* const* argv) {
    LoaderArguments a;
    a.o.parse(argc, argv);
    apply_augment_preset(a.o);
    const bool to_file = !a.json.empty() && a.json != "-";
    Outputs()
        .reads("--config", a.o.config_file())
        .writes("--json", to_file ? a.json : "", FileKind::json)
        .check(a.overwrite);
    Console console;
    check(a.e.augmentations);
    const Device device = open_device(a.e.machine, console);
    data::CheckOptions checks = check_options(a.e, console);
    const data::Dataset set = data::find_dataset(a.e.data, checks);
    const std::vector<data::Sample>& samples = set.train;
    if (samples.empty()) throw DataError(a.e.data.root + ": no sample trains");
    know_dataset(checks, set);
    const data::DatasetReport report = data::check_dataset(samples, checks);
    // Nothing is cached.
    data::LoaderOptions loader = loader_options(a.e, report);
    loader.augment = loader.shuffle = true;
    loader.last = data::LastBatch::merge;
    std::vector<Measured> all{measure(a, "host", samples, report.rule, loader, device)};
    const std::string why =
        why_on_host(a.e.augmentations, report, figures_of_plans(loader, {report.train_max_h, report.train_max_w}), 1);
    loader.plans = true;
    if (why.empty()) all.push_back(measure(a, "device", samples, report.rule, loader, device));
    const std::string line = json_line(a, samples.size(), device, all, why);
    std::fputs((a.json == "-" ? line : table(a, samples.size(), device, all, why)).c_str(), stdout);
    if (to_file) io::write_durably(a.json, line);
    std::fflush(stdout);
    return exit_ok;
}

}  // namespace atrous::app
