#include "engine/ops/resize.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>

#include "engine/context.h"
#include "engine/ops/onnx_graph.h"
#include "engine/ops/shapes.h"
#include "kernels/nearest.h"
#include "kernels/resize.h"

namespace atrous {

namespace k = kernels;

Tensor bilinear(const Tensor& x, int64_t height, int64_t width, bool align_corners, const Tensor& destination) {
    check_rank4("bilinear", x);
    Tensor y = output_or("bilinear", destination, {x.dim(0), height, width, x.dim(3)}, x);
    run(x.device(), {k::reference::bilinear_forward, k::cpu::bilinear_forward, k::cuda::bilinear_forward},
        k::BilinearForwardArgs{x.view(), y.view(), align_corners});
    return record({.op = "bilinear",
                   .inputs = {x},
                   .output = y,
                   .attributes = {{"align_corners", align_corners}},
                   .backward = [align_corners](Gradients& g) {
                       if (!g.wants(0)) return;
                       run(g.output().device(),
                           {k::reference::bilinear_backward, k::cpu::bilinear_backward, k::cuda::bilinear_backward},
                           k::BilinearBackwardArgs{g.output().view(), g.grad_target(0), align_corners});
                   }});
}

Tensor nearest(const Tensor& x, int64_t height, int64_t width, const Tensor& destination) {
    check_rank4("nearest", x);
    if (height < 1 || width < 1)
        throw ShapeError(fmt::format("nearest: a size of {}x{}, expected 1 or more", height, width));
    Tensor y = output_or("nearest", destination, {x.dim(0), height, width, x.dim(3)}, x);
    run(x.device(), {k::reference::nearest_forward, k::cpu::nearest_forward, k::cuda::nearest_forward},
        k::NearestForwardArgs{x.view(), y.view()});
    return record({.op = "nearest", .inputs = {x}, .output = y, .backward = [](Gradients& g) {
                       if (!g.wants(0)) return;
                       run(g.output().device(),
                           {k::reference::nearest_backward, k::cpu::nearest_backward, k::cuda::nearest_backward},
                           k::NearestBackwardArgs{g.output().view(), g.grad_target(0)});
                   }});
}

// By factors where they are whole at any size, else to lengths. The second input is the region, of another mode.
static std::string onnx_resize(const Entry& e, OnnxGraph& g, std::vector<OnnxAttribute> attributes) {
    const std::string x = g.name(e.inputs[0]);
    const auto h = g.factor(e.inputs[0], e.output, 0), w = g.factor(e.inputs[0], e.output, 1);
    if (h && w) return g.node("Resize", {x, "", g.constant({1, 1, float(*h), float(*w)}, {4})}, std::move(attributes));
    const std::string sizes =
        g.node("Concat", {g.batch_and_channels(e.inputs[0]), g.length(e.output, 0), g.length(e.output, 1)},
               {{"axis", int64_t(0)}});
    return g.node("Resize", {x, "", "", sizes}, std::move(attributes));
}

static std::string onnx_bilinear(const Entry& e, OnnxGraph& g) {
    const bool corners = attribute(e, "align_corners", false);
    return onnx_resize(e, g,
                       {{"mode", std::string("linear")},
                        {"coordinate_transformation_mode", std::string(corners ? "align_corners" : "half_pixel")}});
}

// Whether p * in / out is exact in float for every p: however a runtime computes it, it finds the same pixel.
static bool has_exact_positions(int64_t in, int64_t out) {
    const int64_t smaller = std::min(in, out), larger = std::max(in, out);
    return larger % smaller == 0 && std::has_single_bit(uint64_t(larger / smaller));
}

// Every pixel by its number, for one size: runtimes round the other factors' positions in other ways than torch.
static std::string onnx_picked(const Entry& e, OnnxGraph& g) {
    const OnnxSides &in = g.sides(e.inputs[0]), &out = g.sides(e.output);
    if (in.size() > 1)
        throw OnnxSizeError(fmt::format(
            "layer '{}' resizes by nearest neighbour from {}x{} to {}x{}, and a graph for any size can do so "
            "only where the factor is a power of two",
            e.module, in[0][1], in[0][0], out[0][1], out[0][0]));
    std::string x = g.name(e.inputs[0]);
    for (const size_t axis : {0, 1}) {
        std::vector<int64_t> sources;
        for (int64_t p = 0; p < out[0][axis]; ++p) sources.push_back(k::nearest_source(p, in[0][axis], out[0][axis]));
        x = g.node("Gather", {x, g.constant(sources)}, {{"axis", int64_t(2 + axis)}});
    }
    return x;
}

static std::string onnx_nearest(const Entry& e, OnnxGraph& g) {
    const OnnxSides &in = g.sides(e.inputs[0]), &out = g.sides(e.output);
    for (size_t i = 0; i < in.size(); ++i)
        for (const size_t axis : {0, 1})
            if (!has_exact_positions(in[i][axis], out[i][axis])) return onnx_picked(e, g);
    return onnx_resize(e, g,
                       {{"mode", std::string("nearest")},
                        {"coordinate_transformation_mode", std::string("asymmetric")},
                        {"nearest_mode", std::string("floor")}});
}

OpDescriptor describe_bilinear() {
    return {.name = "bilinear",
            .inputs = {{"x"}},
            .attributes = {{"height", ""}, {"width", ""}, {"align_corners", "false"}},
            .call =
                [](const OpArguments& a) {
                    return result(bilinear(a.tensor("x"), a.integer("height", 1), a.integer("width", 1),
                                           a.flag("align_corners")));
                },
            .reach = [](const Entry& e,
                        int) { return attribute(e, "align_corners", false) ? Reach::corners() : Reach::centres(); },
            .onnx = onnx_bilinear};
}

OpDescriptor describe_nearest() {
    return {.name = "nearest",
            .inputs = {{"x"}},
            .attributes = {{"height", ""}, {"width", ""}},
            .call =
                [](const OpArguments& a) {
                    return result(nearest(a.tensor("x"), a.integer("height", 1), a.integer("width", 1)));
                },
            .reach = [](const Entry&, int) { return Reach::nearest(); },
            .onnx = onnx_nearest};
}

}  // namespace atrous
