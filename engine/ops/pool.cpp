#include "engine/ops/pool.h"

#include <fmt/core.h>

#include "engine/context.h"
#include "engine/ops/onnx_graph.h"
#include "engine/ops/shapes.h"

namespace atrous {

namespace k = kernels;

Tensor max_pool(const Tensor& x, PoolGeometry geometry) {
    check_rank4("max_pool", x);
    const auto [kernel, stride, padding] = geometry;
    if (kernel < 1 || kernel > 15 || stride < 1 || padding < 0 || 2 * padding > kernel)
        throw ShapeError(fmt::format(
            "max_pool: kernel {}, stride {}, padding {}: expected 1 to 15, at least 1, at most half the kernel", kernel,
            stride, padding));
    const int64_t p = (x.dim(1) + 2 * padding - kernel) / stride + 1,
                  q = (x.dim(2) + 2 * padding - kernel) / stride + 1;
    if (x.dim(1) + 2 * padding < kernel || x.dim(2) + 2 * padding < kernel)
        throw ShapeError(
            fmt::format("max_pool: a window of {} does not fit an input of {}x{}", kernel, x.dim(1), x.dim(2)));
    Tensor y = Tensor::empty({x.dim(0), p, q, x.dim(3)}, x.dtype(), x.device());
    const bool training = Tape::current() && Tape::current()->mode() == Tape::Mode::training;
    const Tensor indices = training ? Tensor::empty(y.shape(), DType::u8, x.device()) : Tensor();
    run(x.device(), {k::reference::max_pool_forward, k::cpu::max_pool_forward, k::cuda::max_pool_forward},
        k::MaxPoolForwardArgs{x.view(), y.view(), indices.as<uint8_t>(), geometry});
    std::vector<Saved> saved;
    if (training) saved.emplace_back(indices);
    return record(
        {.op = "max_pool",
         .inputs = {x},
         .output = y,
         .attributes = {{"kernel", int64_t(kernel)}, {"stride", int64_t(stride)}, {"padding", int64_t(padding)}},
         .saved = std::move(saved),
         .backward = [geometry](Gradients& g) {
             run(g.output().device(),
                 {k::reference::max_pool_backward, k::cpu::max_pool_backward, k::cuda::max_pool_backward},
                 k::MaxPoolBackwardArgs{g.output().view(), g.saved(0).as<uint8_t>(), g.grad_target(0), geometry});
         }});
}

static OpResults call(const OpArguments& a) {
    const PoolGeometry geometry{int(a.integer("kernel", 1)), int(a.integer("stride", 1)), int(a.integer("padding", 0))};
    return result(max_pool(a.tensor("x"), geometry));
}

static std::string onnx(const Entry& e, OnnxGraph& g) {
    const int64_t one = 1, zero = 0, kernel = attribute(e, "kernel", one), stride = attribute(e, "stride", one),
                  padding = attribute(e, "padding", zero);
    return g.node("MaxPool", {g.name(e.inputs[0])},
                  {{"kernel_shape", std::vector<int64_t>{kernel, kernel}},
                   {"strides", std::vector<int64_t>{stride, stride}},
                   {"pads", std::vector<int64_t>{padding, padding, padding, padding}}});
}

OpDescriptor describe_max_pool() {
    return {.name = "max_pool",
            .inputs = {{"x"}},
            .attributes = {{"kernel", "2"}, {"stride", "2"}, {"padding", "0"}},
            .call = call,
            .reach =
                [](const Entry& e, int) {
                    const int64_t one = 1, zero = 0;
                    return Reach::window(attribute(e, "kernel", one), attribute(e, "stride", one),
                                         attribute(e, "padding", zero));
                },
            .onnx = onnx};
}

}  // namespace atrous
