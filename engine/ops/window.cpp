#include "engine/ops/window.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/shapes.h"
#include "kernels/window.h"

namespace atrous {

namespace k = kernels;

static void run_window(Device device, const k::WindowArgs& args) {
    run(device, {k::reference::window, k::cpu::window, k::cuda::window}, args);
}

Tensor window(const Tensor& x, const Window& w) {
    check_rank4("window", x);
    if (w.height < 1 || w.width < 1)
        throw ShapeError(fmt::format("window: {}x{} pixels, expected at least 1x1", w.height, w.width));
    Tensor y = Tensor::empty({x.dim(0), w.height, w.width, x.dim(3)}, x.dtype(), x.device());
    run_window(x.device(), {x.view(), {y.view(), false}, w.top, w.left});
    return record({.op = "window",
                   .inputs = {x},
                   .output = y,
                   .attributes = {{"top", w.top}, {"left", w.left}},
                   .backward = [w](Gradients& g) {
                       run_window(g.output().device(), {g.output().view(), g.grad_target(0), -w.top, -w.left});
                   }});
}

static OpResults call(const OpArguments& a) {
    return result(window(a.tensor("x"), {a.integer("top", -65536), a.integer("left", -65536), a.integer("height", 1),
                                         a.integer("width", 1)}));
}

OpDescriptor describe_window() {
    return {.name = "window",
            .inputs = {{"x"}},
            .attributes = {{"top", "0"}, {"left", "0"}, {"height", ""}, {"width", ""}},
            .call = call,
            .reach = [](const Entry& e, int axis) {
                return Reach::shifted(attribute(e, axis ? "left" : "top", int64_t(0)));
            }};
}

}  // namespace atrous
