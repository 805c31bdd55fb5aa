#include "tests/cases/checks.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <tuple>

#include "benchmarks/cases/run.h"
#include "engine/context.h"
#include "engine/kernel_choice.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous::cases {

namespace {

constexpr Device reference{DeviceKind::reference}, cpu{DeviceKind::cpu}, accelerator{DeviceKind::gpu};

// A case whose values are mostly zero would agree with a kernel that writes nothing.
std::string emptiness(const Tested& c, const std::string& name, const std::vector<double>& values) {
    size_t nonzero = 0;
    for (double x : values) {
        if (!std::isfinite(x)) return fmt::format("{} holds {}; ", name, x);
        nonzero += x != 0;
    }
    const double least = values.size() < 16 ? 1 : c.least_nonzero * double(values.size());
    return double(nonzero) >= least
               ? ""
               : fmt::format("{} of {} values of {} are zero; ", values.size() - nonzero, values.size(), name);
}

double largest(const std::vector<double>& values) {
    double m = 0;
    for (double x : values) m = std::max(m, std::abs(x));
    return m;
}

std::string difference(const std::string& name, const std::vector<double>& got, const std::vector<double>& expected,
                       double tolerance) {
    if (got.size() != expected.size())
        return fmt::format("{} has {} values, expected {}; ", name, got.size(), expected.size());
    const double scale = largest(expected);
    size_t worst = 0;
    const auto error = [&](size_t i) { return std::abs(got[i] - expected[i]); };
    for (size_t i = 1; i < got.size(); ++i)
        if (error(i) > error(worst)) worst = i;
    if (got.empty() || error(worst) <= tolerance * scale) return "";
    return fmt::format("{}: value {} of {} is {:.9g}, expected {:.9g}: relative error {:.2g}, allowed {:.2g}; ", name,
                       worst, got.size(), got[worst], expected[worst], scale > 0 ? error(worst) / scale : INFINITY,
                       tolerance);
}

// `prior`: what the gradient buffers held before the run under test added to them.
std::string compare(const Tested& c, const Outcome& got, const Outcome& expected, double tolerance,
                    bool prior = false) {
    std::string fault = got.damage + expected.damage;
    for (const auto& [name, array] : expected.arrays) {
        const auto found = got.arrays.find(name);
        if (found == got.arrays.end()) return fault + "no " + name;
        std::vector<double> values = rounded(array.values, tolerance == 0 ? found->second.type : DType::f64);
        for (size_t i = 0; prior && i < c.inputs.size(); ++i) {
            if (name != "gradient of " + c.inputs[i].name) continue;
            const auto before = prior_of(c, i);
            for (size_t j = 0; j < values.size(); ++j) values[j] += before[j];
        }
        fault += emptiness(c, "the reference's " + name, array.values) + emptiness(c, name, found->second.values);
        fault += difference(name, found->second.values, values, tolerance);
    }
    return fault;
}

Outcome truth(const Tested& c, DType storage) {
    return run_case(c, {.device = reference, .dtype = DType::f64, .rounding = storage});
}

RunOptions plain(Device device, DType dtype) { return {.device = device, .dtype = dtype, .rounding = dtype}; }

std::string parity(const Tested& c, const RunOptions& options) {
    return compare(c, run_case(c, options), truth(c, options.rounding), c.tolerance.of(options.dtype), options.prior);
}

// Small integers are summed without rounding: every device gives the same values, rounded once where they are stored.
std::string exactness(const Tested& c, Device device, DType dtype) {
    RunOptions options = plain(device, dtype), exact = {.device = reference, .dtype = DType::f32, .rounding = dtype};
    options.integers = exact.integers = true;
    return compare(c, run_case(c, options), run_case(c, exact), 0);
}

std::string slices(const Tested& c, Device device, DType dtype) {
    std::string fault;
    for (Pitch pitch : {Pitch::aligned, Pitch::odd}) {
        RunOptions options = plain(device, dtype);
        options.pitch = pitch;
        fault += parity(c, options);
    }
    return fault;
}

std::string destination(const Tested& c, Device device, DType dtype) {
    std::string fault;
    for (Pitch pitch : {Pitch::dense, Pitch::odd}) {
        RunOptions options = plain(device, dtype);
        options.pitch = pitch;
        options.destination = true;
        fault += parity(c, options);
    }
    return fault;
}

std::string accumulation(const Tested& c, Device device, DType dtype) {
    RunOptions options = plain(device, dtype);
    options.prior = true;
    return parity(c, options);
}

// Convolutions in TF32: dense, in slices and added to what is there, to what TF32 allows; small integers exactly.
std::string tf32(const Tested& c, Device device, DType dtype) {
    const ScopedMathMode mode(MathMode::tf32);
    Tested loose = c;
    loose.tolerance.f32 = c.tolerance.tf32;
    return parity(loose, plain(device, dtype)) + slices(loose, device, dtype) + accumulation(loose, device, dtype) +
           (c.exact ? exactness(c, device, dtype) : "");
}

// Each gradient alone equals that gradient among all, and without a tape the output is the same.
std::string alone(const Tested& c, Device device, DType dtype) {
    RunOptions options = plain(device, dtype);
    Outcome all = run_case(c, options);
    std::string fault;
    for (size_t i = 0; i < c.inputs.size(); ++i) {
        if (!c.inputs[i].differentiable) continue;
        options.only = int(i);
        const std::string name = "gradient of " + c.inputs[i].name;
        fault +=
            difference(name, run_case(c, options).arrays[name].values, all.arrays[name].values, c.tolerance.of(dtype));
    }
    options.backward = false;
    return fault + difference("output without a tape", run_case(c, options).arrays["output"].values,
                              all.arrays["output"].values, 0);
}

std::string meta(const Tested& c) {
    const Tensor planned = output_on_meta(c, DType::f32);
    const Array made = run_case(c, {.device = reference, .dtype = DType::f32, .backward = false}).arrays["output"];
    if (planned.count() == int64_t(made.values.size()) && planned.dtype() == made.type) return "";
    return fmt::format("meta plans {} {}, the op made {} values of {}", planned.shape().text(),
                       name_of(planned.dtype()), made.values.size(), name_of(made.type));
}

// Parity is checked with as many threads as there are. The rest would wait for threads longer than it works: its
// regions have a few dozen elements, and other programs may hold the cores.
class OneThread {
 public:
    OneThread() : before_(context_of(cpu).threads()) { context_of(cpu).set_threads(1); }
    ~OneThread() { context_of(cpu).set_threads(before_); }

 private:
    int before_;
};

// d(seed . output)/d(value), by a central difference: exact to h^2 and to rounding / h.
double central_difference(const Tested& c, Device device, std::vector<std::vector<double>>& values, size_t input,
                          size_t element, const std::vector<double>& seed) {
    const double h = 1e-5, x = values[input][element];
    values[input][element] = x + h;
    const auto above = run_forward(c, device, DType::f64, values);
    values[input][element] = x - h;
    const auto below = run_forward(c, device, DType::f64, values);
    values[input][element] = x;
    double sum = 0;
    for (size_t i = 0; i < seed.size(); ++i) sum += seed[i] * (above[i] - below[i]);
    return sum / (2 * h);
}

std::string gradient_check(const Tested& c, Device device) {
    const size_t most = 48;
    const Outcome taped = run_case(c, plain(device, DType::f64));
    const auto seed = seed_of(c, int64_t(taped.arrays.at("output").values.size()), DType::f64, false);
    std::vector<std::vector<double>> values;
    for (size_t i = 0; i < c.inputs.size(); ++i) values.push_back(values_of(c, i, DType::f64, false));
    std::string fault = taped.damage;
    for (size_t i = 0; i < values.size(); ++i) {
        if (!c.inputs[i].differentiable) continue;
        const std::string name = "gradient of " + c.inputs[i].name;
        const auto& gradient = taped.arrays.at(name).values;
        const size_t count = std::min(most, gradient.size());
        double error = 0, norm = 0;
        for (size_t j = 0; j < count; ++j) {
            const size_t element = j * gradient.size() / count;
            const double numeric = central_difference(c, device, values, i, element, seed);
            error += (gradient[element] - numeric) * (gradient[element] - numeric);
            norm += numeric * numeric;
        }
        const double relative = std::sqrt(error / norm);
        if (!(relative <= 1e-6))
            fault += fmt::format("{} differs from central differences by {:.2g}; ", name, relative);
    }
    return fault;
}

#ifdef ATROUS_EMULATED
using Order = gpu::emu::Options::Order;

Outcome run_in_order(const Tested& c, DType dtype, Order order, uint64_t seed) {
    const gpu::emu::ScopedOptions scope;
    gpu::emu::options().order = order;
    gpu::emu::options().seed = seed;
    return run_case(c, plain(accelerator, dtype));
}

// A kernel whose result depends on which thread runs first has a race, or sums in an order that it does not fix.
std::string thread_orders(const Tested& c, Device, DType dtype) {
    const Outcome forward = run_in_order(c, dtype, Order::forward, 1);
    std::string fault;
    for (const auto& [name, order, seed] : {std::tuple("reversed", Order::reverse, 1),
                                            {"shuffled", Order::shuffled, 1},
                                            {"shuffled again", Order::shuffled, 2}}) {
        const Outcome other = run_in_order(c, dtype, order, uint64_t(seed));
        for (const auto& [what, array] : forward.arrays)
            if (other.arrays.at(what).values != array.values)
                fault += fmt::format("{} threads give another {}; ", name, what);
    }
    return fault;
}
#endif

bool runs(const Tested& c, Device device, DType dtype) { return !c.supports || c.supports(device.kind, dtype); }

class Checks {
 public:
    using Fault = std::function<std::string(const Tested&, Device, DType)>;
    void add(const std::string& name, Device device, DType dtype, const Fault& fault,
             std::function<bool(const Tested&)> applies = {}) {
        const std::string where = device.kind == DeviceKind::gpu ? "gpu" : name_of(device);
        all.push_back({fmt::format("{}_{}_{}", name, where, name_of(dtype)),
                       [=](const Tested& c) { return runs(c, device, dtype) && (!applies || applies(c)); },
                       [=, threaded = name == "parity"](const Tested& c) {
                           // Our own kernels on a GPU; a library's round elsewhere and are checked by their names.
                           std::optional<ScopedKernelChoice> own;
                           if (device.kind == DeviceKind::gpu) own.emplace(KernelChoice{KernelChoice::Rule::own});
                           if (threaded) return fault(c, device, dtype);
                           const OneThread one;
                           return fault(c, device, dtype);
                       }});
    }
    std::vector<Check> all;
};

void add_for(Checks& checks, Device device, const std::vector<DType>& types) {
    const auto plain_parity = [](const Tested& c, Device d, DType t) { return parity(c, plain(d, t)); };
    const auto has_slices = [](const Tested& c) {
        return std::any_of(c.inputs.begin(), c.inputs.end(), [](const Input& i) { return i.role == Role::activation; });
    };
    for (DType t : types) {
        if (device.kind != DeviceKind::reference || t != DType::f64) checks.add("parity", device, t, plain_parity);
        if (device.kind != DeviceKind::reference && t != DType::f64)
            checks.add("exact", device, t, exactness, [](const Tested& c) { return c.exact; });
        checks.add("slices", device, t, slices, has_slices);
        checks.add("destination", device, t, destination, [](const Tested& c) { return c.takes_destination; });
        checks.add("accumulation", device, t, accumulation, differentiable);
    }
    checks.add("alone", device, types.back(), alone, differentiable);
}

// An emulated device has every member's capability, where members are asked for by name.
struct NewestDevice {
#ifdef ATROUS_EMULATED
    const gpu::emu::ScopedOptions scope;
    NewestDevice() { gpu::emu::options().capability = 90; }
#endif
};

// The members of kernel families one by one, where they support the case.
void add_implementations(Checks& checks) {
    std::set<std::string> added;
    [[maybe_unused]] const NewestDevice newest;
    for (const auto& family : kernel_families()) {
        const bool on_cpu = family.device == "cpu";
        if (!on_cpu && gpu::device_count() == 0) continue;
        const std::string op = family.function.starts_with("conv_transpose") ? "conv_transpose2x2" : "conv2d";
        for (const auto& member : family.members) {
            const KernelChoice choice{KernelChoice::Rule::named, member.name};
            const auto fault = [choice](const Tested& c, Device device, DType dtype) {
                [[maybe_unused]] const NewestDevice newest;
                const ScopedKernelChoice scope(choice);
                return parity(c, plain(device, dtype)) + accumulation(c, device, dtype);
            };
            if (!member.absent().empty()) continue;
            if (!added.insert(op + family.device + member.name).second) continue;
            for (const DType t : {on_cpu ? DType::f64 : DType::f16, DType::bf16, DType::f32})
                checks.add("by_" + member.name, on_cpu ? cpu : accelerator, t, fault,
                           [op](const Tested& c) { return c.op == op; });
        }
    }
}

}  // namespace

std::vector<Check> all_checks() {
    Checks checks;
    add_for(checks, reference, {DType::f64, DType::f32});
    add_for(checks, cpu, {DType::f64, DType::bf16, DType::f32});
    if (gpu::device_count() > 0) add_for(checks, accelerator, {DType::bf16, DType::f16, DType::f32});
    if (gpu::device_count() > 0)
        checks.add("tf32", accelerator, DType::f32, tf32,
                   [](const Tested& c) { return c.op == "conv2d" || c.op == "conv_transpose2x2"; });
    add_implementations(checks);
#ifdef ATROUS_EMULATED
    for (DType t : {DType::f32, DType::bf16}) checks.add("orders", accelerator, t, thread_orders);
#endif
    const auto smooth = [](const Tested& c) { return c.smooth && differentiable(c); };
    for (Device device : {reference, cpu})
        checks.add(
            "gradient", device, DType::f64, [](const Tested& c, Device d, DType) { return gradient_check(c, d); },
            smooth);
    checks.add("shape", {DeviceKind::meta}, DType::f32, [](const Tested& c, Device, DType) { return meta(c); });
    return std::move(checks.all);
}

}  // namespace atrous::cases
