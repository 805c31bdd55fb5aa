#include "engine/ops/dropout.h"

#include <fmt/core.h>

#include "base/philox.h"
#include "engine/context.h"
#include "engine/ops/shapes.h"
#include "kernels/dropout.h"

namespace atrous {

namespace k = kernels;

static thread_local const StepRandomness* innermost = nullptr;

StepRandomness::StepRandomness(uint64_t seed, int64_t step, int64_t micro_batch, const int64_t* device_step)
    : seed_(seed), step_(step), micro_batch_(micro_batch), device_step_(device_step), outer_(innermost) {
    innermost = this;
}
StepRandomness::~StepRandomness() { innermost = outer_; }
const StepRandomness* StepRandomness::current() { return innermost; }

uint64_t StepRandomness::key(const std::string& module) const {
    return Random(seed_, uint64_t(micro_batch_), name_hash(module)).next_u64();
}

static void run_dropout(Device device, const k::DropoutArgs& args) {
    run(device, {k::reference::dropout, k::cpu::dropout, k::cuda::dropout}, args);
}

Tensor dropout(const Tensor& x, double p, bool training) {
    check_rank4("dropout", x);
    if (!(p >= 0 && p <= 1)) throw ShapeError(fmt::format("dropout: p is {}, expected 0 to 1", p));
    if (!training || p == 0) return x;
    const StepRandomness* random = StepRandomness::current();
    if (!random)
        throw Error(
            fmt::format("dropout in '{}': training without a StepRandomness, which says what to draw by; open "
                        "one around the forward pass, or call set_training(false)",
                        ModuleScope::path()));
    Tensor y = empty_like(x);
    const k::DropoutArgs args{x.view(),       {y.view(), false},    p, random->key(ModuleScope::path()),
                              random->step(), random->device_step()};
    run_dropout(x.device(), args);
    return record(
        {.op = "dropout", .inputs = {x}, .output = y, .attributes = {{"p", p}}, .backward = [args](Gradients& g) {
             k::DropoutArgs back = args;
             back.x = g.output().view();
             back.y = g.grad_target(0);
             run_dropout(g.output().device(), back);
         }});
}

OpDescriptor describe_dropout() {
    return {.name = "dropout",
            .inputs = {{"x"}},
            .attributes = {{"p", "0.5"}, {"seed", "0"}, {"step", "0"}},
            .call =
                [](const OpArguments& a) {
                    const StepRandomness random(uint64_t(a.integer("seed", 0)), a.integer("step", 0));
                    return result(dropout(a.tensor("x"), a.number("p"), true));
                },
            .reach = same_position};
}

}  // namespace atrous
