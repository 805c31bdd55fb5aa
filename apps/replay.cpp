#include <fmt/core.h>

#include <cmath>
#include <cstdio>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "engine/train/diagnosis.h"
#include "segmentation/bad_batch.h"
#include "segmentation/precision.h"
#include "segmentation/tuning.h"

namespace atrous::app {

static std::string row(const TensorStats& f) {
    const auto figure = [&](double x) { return f.nonfinite < f.count ? fmt::format("{:.4g}", x) : "-"; };
    return fmt::format("  {:<8} {:<40} {:<18} {:<18} {:>11} {:>11} {:>11} {:>10}{}\n",
                       f.backward ? "backward" : "forward", f.path.empty() ? "(net)" : f.path, f.op, f.shape.text(),
                       figure(f.min), figure(f.mean), figure(f.max), f.nonfinite, f.nonfinite ? "  <-" : "");
}

static void print_layers(const StepDiagnosis& d, bool all) {
    fmt::print("\n  {:<8} {:<40} {:<18} {:<18} {:>11} {:>11} {:>11} {:>10}\n", "pass", "layer", "op", "shape", "min",
               "mean", "max", "NaN or Inf");
    constexpr size_t after = 3;  // rows behind the first bad one; from there on nearly everything is bad
    size_t shown = 0, past = 0;
    for (const TensorStats& f : d.layers) {
        if (!all && past > after) break;
        past += past > 0 || f.nonfinite > 0;
        fmt::print("{}", row(f));
        ++shown;
    }
    if (shown < d.layers.size()) fmt::print("  … {} more; --all shows them\n", d.layers.size() - shown);
}

int replay(int argc, const char* const* argv) {
    Options o("replay",
              "Runs the step again that ended a training with NaN or Inf, and shows the numbers of every layer.");
    std::string path;
    bool all = false;
    Machine machine;
    o.bind("FILE", path, "bad_batch.safetensors of a run folder").positional().required();
    describe_device(o, machine);
    describe_precision(o, machine);
    o.bind("all", all, "every layer, not only those up to the first bad one");
    o.parse(argc, argv);

    Console console;
    const Device device = open_device(machine, console);
    const io::SafetensorsFile file(path);
    BadBatch bad = read_bad_batch(file);
    take_tuned_kernels(file, device, console);
    const DType compute = bad.conditions.compute =
        use_precision(machine.precision.empty() ? bad.card.precision : machine.precision, device);
    auto net = make_net(bad.card.net);
    freeze(*net, bad.freezing);
    net->materialize({.device = device, .compute = compute, .seed = bad.seed});
    load_bad_weights(file, *net);
    fmt::print("step {} (epoch {}) of {} on {}: {} images of {}x{}\n", bad.step, bad.epoch + 1, bad.card.net.model,
               name_of(device), bad.batch.n, bad.batch.w, bad.batch.h);
    for (size_t i = 0; i < bad.batch.names.size(); ++i) fmt::print("  image {}: {}\n", i, bad.batch.names[i]);

    const auto loss = loss_of(bad.card)(device, compute);
    const StepDiagnosis d = diagnose_step(*net, *loss, bad.batch, bad.conditions);
    print_layers(d, all);
    fmt::print("\nloss {}; {}\n", std::isnan(d.loss) ? "nan" : fmt::format("{}", d.loss), d.text());
    for (int i : d.bad_images) fmt::print("bad image: {}\n", bad.batch.names[size_t(i)]);
    std::fflush(stdout);
    return exit_ok;
}

}  // namespace atrous::app
