#include "benchmarks/harness/measure.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/variant.h"
#include "benchmarks/cases/run.h"
#include "benchmarks/harness/clock.h"
#include "benchmarks/harness/environment.h"
#include "benchmarks/harness/inputs.h"
#include "engine/autograd/tape.h"
#include "engine/math_mode.h"

namespace atrous::bench {

using cases::Case;

namespace {

constexpr int warm_ups = 2, max_sets = 64;

// One set of operands, and what a pass over them leaves. Gradients have buffers of their own, as parameters do, so that
// a backward pass allocates nothing and overwrites.
struct Set {
    std::vector<Tensor> in;
    std::vector<std::shared_ptr<Leaf>> leaves;
    std::unique_ptr<Tape> tape;
    Tensor output, seed;
};

Set make_set(const Case& c, Device device, DType dtype) {
    Set s;
    for (size_t i = 0; i < c.inputs.size(); ++i) {
        s.in.push_back(operand_of(c, i, dtype, device));
        if (!c.inputs[i].differentiable) continue;
        const bool activation = c.inputs[i].role == cases::Role::activation;
        auto leaf = std::make_shared<Leaf>();
        leaf->gradient = std::make_shared<Tensor>(
            Tensor::empty(c.inputs[i].shape, activation ? dtype : accumulator_of(dtype), device));
        s.in[i].set_leaf(leaf);
        s.leaves.push_back(leaf);
    }
    return s;
}

double bytes_of(const Case& c, DType dtype) {
    const Tensor y = cases::output_on_meta(c, dtype);
    return cases::forward_bytes(c, dtype, y) + cases::backward_bytes(c, dtype, y);
}

std::vector<std::string> distinct(const VariantLog& log) {
    std::vector<std::string> names;
    for (const std::string& name : log.names())
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    return names;
}

// A GPU runs a round of launches between two events, over sets that together exceed its cache twice; between two rounds
// on the cpu the cache is swept.
class Rounds {
 public:
    Rounds(const Case& c, const MeasureOptions& o) : case_(c), device_(o.device) {
        const double cache = double(cache_bytes(device_)), each = bytes_of(c, o.dtype);
        const bool rotates = device_.kind == DeviceKind::gpu;
        const int count = rotates ? int(std::clamp(2 * cache / each + 2, 2.0, double(max_sets))) : 1;
        for (int i = 0; i < count; ++i) sets_.push_back(make_set(c, device_, o.dtype));
        cold = !rotates || count * each > 2 * cache;
        if (!rotates) {
            const Shape swept{1, 1, int64_t(cache) / 64, 16};
            sweep_from_ = random_tensor(swept, DType::f32, device_);
            sweep_to_ = empty_like(sweep_from_);
        }
    }
    ~Rounds() { drop_tapes(); }

    double forward_s() {
        drop_tapes();
        return seconds_each([&](Set& s) {
            if (cases::differentiable(case_)) s.tape = std::make_unique<Tape>();
            s.output = case_.call(s.in, {});
        });
    }
    double backward_s() {  // after forward_s
        for (Set& s : sets_) {
            if (!s.seed.defined()) s.seed = random_tensor(s.output.shape(), s.output.dtype(), device_);
            for (auto& leaf : s.leaves) leaf->fresh = true;
        }
        return seconds_each([](Set& s) { s.tape->backward(s.output, s.seed); });
    }
    int sets() const { return int(sets_.size()); }

    bool cold = true;
    std::vector<std::string> variants;  // of the last pass

 private:
    template <class F>
    double seconds_each(const F& work) {
        if (sweep_to_.defined()) sweep_to_.copy_from(sweep_from_);
        const VariantLog log;
        const double seconds = seconds_of(device_, [&] {
            for (Set& s : sets_) work(s);
        });
        variants = distinct(log);
        return seconds / double(sets_.size());
    }
    void drop_tapes() {  // tapes nest: the last one first
        for (size_t i = sets_.size(); i-- > 0;) sets_[i].tape.reset();
    }

    const Case& case_;
    Device device_;
    std::vector<Set> sets_;
    Tensor sweep_from_, sweep_to_;
};

double relative_error(const std::vector<double>& got, const std::vector<double>& expected) {
    double error = 0, scale = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
        const double e = std::abs(got[i] - expected[i]);
        error = std::isfinite(e) ? std::max(error, e) : INFINITY;
        scale = std::max(scale, std::abs(expected[i]));
        if (error == INFINITY) break;
    }
    return scale > 0 ? error / scale : error;
}

// Large sums would take the reference minutes: the op is compared with fewer pixels.
void compare(Measurement& m, const MeasureOptions& o) {
    const bool emulated = o.device.kind == DeviceKind::gpu && gpu::platform() == gpu::Platform::emulated;
    const Workload small = downscaled(m.wanted, emulated ? 2e6 : 1e8);
    const Case c = small.make();
    const auto got = cases::run_case(c, {.device = o.device, .dtype = o.dtype, .rounding = o.dtype});
    const auto expected =
        cases::run_case(c, {.device = {DeviceKind::reference}, .dtype = DType::f64, .rounding = o.dtype});
    for (Pass& pass : m.passes) {
        Check check{0, c.tolerance.of(o.dtype, o.device.kind == DeviceKind::gpu ? math_mode() : MathMode::exact),
                    small.text()};
        for (const auto& [name, array] : expected.arrays)
            if ((name.rfind("gradient of ", 0) == 0) == (pass.name == "backward"))
                check.error = std::max(check.error, relative_error(got.arrays.at(name).values, array.values));
        pass.check = check;
    }
}

}  // namespace

std::vector<Pass> passes_of(const Workload& wanted, DType dtype) {
    const Case c = wanted.make();
    const Tensor y = cases::output_on_meta(c, dtype);
    std::vector<Pass> passes(1);
    passes[0].name = "forward";
    passes[0].work = {cases::forward_bytes(c, dtype, y), c.flops};
    if (cases::differentiable(c)) {
        passes.emplace_back().name = "backward";
        passes[1].work = {cases::backward_bytes(c, dtype, y), c.backward_flops};
    }
    return passes;
}

std::string implementations_of(const Pass& pass) {
    const auto known = implementation_names();
    std::vector<std::string> names;
    for (const std::string& variant : pass.variants) {  // "conv_forward/mma_bf16", "conv_forward/dnnl:brgconv:…"
        const std::string detail = variant.substr(variant.find('/') + 1),
                          name = detail.substr(0, detail.find_first_of("_:"));
        if (std::find(known.begin(), known.end(), name) != known.end() &&
            std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(name);
    }
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : "+") + name;
    return text;
}

// What one forward and backward pass runs.
static std::vector<std::string> variants_of(const Case& c, Device device, DType dtype) {
    Set s = make_set(c, device, dtype);
    const VariantLog log;
    Tape tape;
    s.output = c.call(s.in, {});
    if (cases::differentiable(c)) tape.backward(s.output, random_tensor(s.output.shape(), s.output.dtype(), device));
    return log.names();
}

std::vector<KernelChoice> other_choices(const Workload& wanted, Device device, DType dtype) {
    const Case c = wanted.make();
    std::vector<std::vector<std::string>> seen{variants_of(c, device, dtype)};
    std::vector<KernelChoice> others;
    for (const std::string& name : implementation_names()) {
        const KernelChoice choice{KernelChoice::Rule::named, name};
        const ScopedKernelChoice scope(choice);
        auto variants = variants_of(c, device, dtype);
        if (std::find(seen.begin(), seen.end(), variants) != seen.end()) continue;
        seen.push_back(std::move(variants));
        others.push_back(choice);
    }
    return others;
}

bool supported(const Workload& wanted, Device device, DType dtype) {
    const Case c = wanted.make();
    return !c.supports || c.supports(device.kind, dtype);
}

Measurement measure(const Workload& wanted, const MeasureOptions& o) {
    const Case c = wanted.make();
    Measurement m{wanted, passes_of(wanted, o.dtype)};
    if (o.check) compare(m, o);
    Rounds rounds(c, o);
    m.sets = rounds.sets();
    m.cold = rounds.cold;
    std::vector<std::vector<double>> seconds(m.passes.size());
    const double began = now_s();
    for (int i = -warm_ups; i < o.repetitions; ++i) {
        if (i >= 5 && now_s() - began > o.budget_s) break;
        for (size_t p = 0; p < m.passes.size(); ++p) {
            const double s = p == 0 ? rounds.forward_s() : rounds.backward_s();
            if (i >= 0) seconds[p].push_back(s);
            m.passes[p].variants = rounds.variants;
        }
    }
    for (size_t p = 0; p < m.passes.size(); ++p) m.passes[p].seconds = statistics(seconds[p]);
    return m;
}

}  // namespace atrous::bench
