#include "benchmarks/harness/outcome.h"

#include <fmt/core.h>

#include "base/error.h"
#include "benchmarks/harness/roofline.h"

namespace atrous::bench {

std::string roofline_of(const Prediction& p) {
    std::vector<RooflinePoint> points;
    for (const Workload& w : p.ops)
        for (const Pass& pass : passes_of(w, p.dtype))
            points.push_back({w.op, w.text(), pass.name == "backward", pass.work.flops / pass.work.bytes,
                              pass.work.flops / floor_s(p.ceilings, pass.work.bytes, pass.work.flops)});
    return roofline_svg(fmt::format("{}, {}: the most each op could do", p.gpu, measured_name(p.dtype)), p.ceilings,
                        points);
}

std::string roofline_of(const Run& run, const std::string& device) {
    std::vector<RooflinePoint> points;
    for (const Measurement& m : run.measurements)
        for (const Pass& p : m.passes)
            points.push_back({m.wanted.op, m.wanted.text() + " " + p.name, p.name == "backward",
                              p.work.flops / p.work.bytes, p.work.flops / p.seconds.median});
    return roofline_svg(fmt::format("{}, {}", device, measured_name(run.dtype)), best_of(run), points);
}

std::string verdict_on(const Run& run, Device device) {
    int wrong = 0;
    for (const Measurement& m : run.measurements)
        for (const Pass& p : m.passes) wrong += p.check && !p.check->ok();
    if (wrong)
        throw NumericError(fmt::format("{} passes differ from the reference by more than their tolerance", wrong));
    if (run.emulated) return "emulated: these times are the emulator's and say nothing about a GPU\n";
    if (run.was_steady()) return "";
    const std::string how = fmt::format(
        "the ceilings differ by {:.1f}% between the first and the last measurement ({:.0f}% is allowed): the machine "
        "was not the same all through",
        100 * drift(run.first, run.last), 100 * steady);
    if (device.kind == DeviceKind::gpu) throw Error(how + "; the run is rejected, repeat it on a quiet machine");
    return fmt::format("not steady: {}; take ratios, not absolute figures\n", how);
}

}  // namespace atrous::bench
