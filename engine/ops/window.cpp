#include "engine/ops/window.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/onnx_graph.h"
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

namespace {
// What a window does to each end of an axis, over all sizes that were traced.
struct Ends {
    bool adds = false, cuts = false;
};
}  // namespace

static Ends ends_of(const Entry& e, const OnnxGraph& g) {
    const OnnxSides &in = g.sides(e.inputs[0]), &out = g.sides(e.output);
    Ends ends;
    for (size_t i = 0; i < in.size(); ++i)
        for (const size_t axis : {0, 1}) {
            const int64_t begin = attribute(e, axis ? "left" : "top", int64_t(0));
            const int64_t behind = begin + out[i][axis] - in[i][axis];
            ends.adds = ends.adds || begin < 0 || behind > 0;
            ends.cuts = ends.cuts || begin > 0 || behind < 0;
        }
    return ends;
}

static std::string onnx(const Entry& e, OnnxGraph& g) {
    const Ends ends = ends_of(e, g);
    if (ends.adds && ends.cuts) {
        const std::string what = "window " + e.module + ": adds pixels and takes others away, ";
        if (g.sides(e.output).size() > 1) throw OnnxSizeError(what + "depending on the image's size");
        throw Error(what + "which cannot be exported; expected two windows");
    }
    const int64_t top = attribute(e, "top", int64_t(0)), left = attribute(e, "left", int64_t(0));
    const auto both = [&](const std::string& height, const std::string& width) {
        return g.node("Concat", {height, width}, {{"axis", int64_t(0)}});
    };
    const std::string x = g.name(e.inputs[0]), size = both(g.length(e.output, 0), g.length(e.output, 1));
    const auto begin = [&] { return g.constant(std::vector<int64_t>{top, left}); };
    const std::string end = top || left ? g.node("Add", {size, begin()}) : size;
    if (!ends.adds) return g.node("Slice", {x, begin(), end, g.constant(std::vector<int64_t>{2, 3})});
    const std::string behind = g.node("Sub", {end, both(g.length(e.inputs[0], 0), g.length(e.inputs[0], 1))});
    const std::string before = g.constant(std::vector<int64_t>{0, 0, -top, -left, 0, 0});
    return g.node("Pad", {x, both(before, behind)});
}

OpDescriptor describe_window() {
    return {.name = "window",
            .inputs = {{"x"}},
            .attributes = {{"top", "0"}, {"left", "0"}, {"height", ""}, {"width", ""}},
            .call = call,
            .reach = [](const Entry& e,
                        int axis) { return Reach::shifted(attribute(e, axis ? "left" : "top", int64_t(0))); },
            .onnx = onnx};
}

}  // namespace atrous
