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
#include "segmentation/dataset_options.h"
#include "segmentation/experiment.h"
#include "segmentation/loader_times.h"
#include "segmentation/messages.h"
#include "segmentation/outputs.h"

namespace atrous::app {

namespace {

struct LoaderArguments {
    Experiment e{.normalize = "imagenet"};
    int64_t images = 64, repetitions = 5;
    std::vector<int64_t> workers = {0, 1, 2};
    std::string json;
    bool overwrite = false;
    Options o{"bench loader",
              "Times the loader of a training on a data set, without a net: images a second by the number of workers, "
              "and where the time goes. Files are read before they are timed; nothing is cached by the loader."};

    LoaderArguments() {
        e.batch_size = 8;
        describe_images(o, e);
        describe_batch_size(o, e.batch_size);
        o.group("Measurement");
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

std::string table(const LoaderArguments& a, size_t samples, const std::vector<Throughput>& rates,
                  const LoaderSteps& steps) {
    std::string text = fmt::format("{} samples of {}, to {} in batches of {}\n\n  workers  images/s\n", samples,
                                   a.e.data.root, width_by_height(training_size(a.e)), a.e.batch_size);
    for (const Throughput& t : rates) text += fmt::format("  {:>7}  {:>8.1f}\n", t.workers, t.images_per_s);
    text += "\n  one thread      ms an image\n";
    for (const auto& [name, seconds] : steps.named())
        text += fmt::format("  {:<14}  {:>11.3f}  {:>4.0f} %\n", name, 1e3 * seconds / double(steps.images),
                            100 * seconds / steps.total());
    return text + fmt::format("  {:<14}  {:>11.3f}\n", "sum", 1e3 * steps.total() / double(steps.images));
}

std::string json_line(const LoaderArguments& a, size_t samples, const std::vector<Throughput>& rates,
                      const LoaderSteps& steps) {
    nlohmann::ordered_json j{{"kind", "loader"}, {"engine", "atrous"}};
    for (const auto& [name, value] : bench::environment({DeviceKind::cpu})) j[name] = value;
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
    for (const Throughput& t : rates) j["images_per_s"][std::to_string(t.workers)] = t.images_per_s;
    for (const auto& [name, seconds] : steps.named()) j["ms_an_image"][name] = 1e3 * seconds / double(steps.images);
    return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

int bench_loader(int argc, const char* const* argv) {
    LoaderArguments a;
    a.o.parse(argc, argv);
    const bool to_file = !a.json.empty() && a.json != "-";
    Outputs()
        .reads("--config", a.o.config_file())
        .writes("--json", to_file ? a.json : "", FileKind::json)
        .check(a.overwrite);
    Console console;
    check(a.e.augmentations);
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
    std::vector<Throughput> rates;
    for (const int64_t workers : a.workers) {
        loader.workers = int(workers);
        rates.push_back({workers, loader_throughput(samples, report.rule, loader, a.images, int(a.repetitions))});
    }
    const LoaderSteps steps = time_loader_steps(samples, report.rule, loader, a.images);
    const std::string line = json_line(a, samples.size(), rates, steps);
    std::fputs((a.json == "-" ? line : table(a, samples.size(), rates, steps)).c_str(), stdout);
    if (to_file) io::write_durably(a.json, line);
    std::fflush(stdout);
    return exit_ok;
}

}  // namespace atrous::app
