#include "engine/ops/elementwise.h"

#include <algorithm>

#include "engine/context.h"
#include "engine/ops/onnx_graph.h"
#include "engine/ops/shapes.h"
#include "kernels/elementwise.h"

namespace atrous {

namespace k = kernels;

Tensor add(const Tensor& a, const Tensor& b) {
    check_same("add", a, b);
    Tensor y = empty_like(a);
    run(a.device(), {k::reference::add, k::cpu::add, k::cuda::add}, k::AddArgs{a.view(), b.view(), y.view()});
    return record({.op = "add", .inputs = {a, b}, .output = y, .backward = [](Gradients& g) {
                       copy_into(g.output(), g.grad_target(0));
                       copy_into(g.output(), g.grad_target(1));
                   }});
}

Tensor cast(const Tensor& x, DType dtype) {
    if (x.dtype() == dtype) return x;
    Tensor y = Tensor::empty(x.shape(), dtype, x.device());
    copy_into(x, {y.view(), false});
    return record({.op = "cast",
                   .inputs = {x},
                   .output = y,
                   .attributes = {{"to", std::string(name_of(dtype))}},
                   .backward = [](Gradients& g) { copy_into(g.output(), g.grad_target(0)); }});
}

static bool side_by_side(std::span<const Tensor> parts, int64_t channels) {
    const Tensor& first = parts[0];
    if (!first.storage() || first.pitch() != channels) return false;
    const char* next = first.as<char>();
    for (const Tensor& p : parts) {
        if (p.storage() != first.storage() || p.pitch() != channels || p.as<char>() != next) return false;
        next += size_t(p.dim(3)) * size_of(p.dtype());
    }
    return true;
}

Tensor concat(std::span<const Tensor> parts) {
    if (parts.empty()) throw ShapeError("concat of nothing");
    const Tensor& first = parts[0];
    int64_t channels = 0;
    for (const Tensor& p : parts) {
        check_rank4("concat", p);
        check_same("concat (channels aside)", first.slice_channels(0, 1), p.slice_channels(0, 1));
        channels += p.dim(3);
    }
    const Shape shape{first.dim(0), first.dim(1), first.dim(2), channels};
    Tensor y;
    if (side_by_side(parts, channels)) {
        y = first.with_channels(channels);
    } else {
        y = Tensor::empty(shape, first.dtype(), first.device());
        int64_t begin = 0;
        for (const Tensor& p : parts) {
            copy_into(p, {y.slice_channels(begin, p.dim(3)).view(), false});
            begin += p.dim(3);
        }
    }
    std::vector<int64_t> widths;
    for (const Tensor& p : parts) widths.push_back(p.dim(3));
    return record(
        {.op = "concat", .inputs = {parts.begin(), parts.end()}, .output = y, .backward = [widths](Gradients& g) {
             int64_t begin = 0;
             for (size_t i = 0; i < widths.size(); ++i) {
                 g.give(i, g.output().slice_channels(begin, widths[i]));
                 begin += widths[i];
             }
         }});
}

Tensor concat(const Tensor& a, const Tensor& b) {
    const Tensor parts[] = {a, b};
    return concat(parts);
}

std::vector<Tensor> reserve_concat(int64_t n, int64_t h, int64_t w, std::span<const int64_t> channels, DType dtype,
                                   Device device) {
    int64_t total = 0;
    for (int64_t c : channels) total += c;
    const Tensor whole = Tensor::empty({n, h, w, total}, dtype, device);
    std::vector<Tensor> parts;
    int64_t begin = 0;
    for (int64_t c : channels) {
        parts.push_back(whole.slice_channels(begin, c));
        begin += c;
    }
    return parts;
}

OpDescriptor describe_add() {
    return {.name = "add",
            .inputs = {{"a"}, {"b"}},
            .call = [](const OpArguments& a) { return result(add(a.tensor("a"), a.tensor("b"))); },
            .reach = same_position,
            .onnx =
                [](const Entry& e, OnnxGraph& g) {
                    return g.node("Add", {g.name(e.inputs[0]), g.name(e.inputs[1])});
                }};
}

OpDescriptor describe_cast() {
    return {.name = "cast",
            .inputs = {{"x"}},
            .attributes = {{"dtype", ""}},
            .call =
                [](const OpArguments& a) {
                    constexpr DType types[] = {DType::f32, DType::bf16, DType::f16, DType::f64};
                    return result(cast(a.tensor("x"), types[a.choice("dtype", {"f32", "bf16", "f16", "f64"})]));
                },
            .reach = same_position,
            .onnx =
                [](const Entry& e, OnnxGraph& g) {
                    return g.node("Cast", {g.name(e.inputs[0])}, {{"to", int64_t(g.type(e.output.dtype))}});
                }};
}

static OpResults call_concat(const OpArguments& a) {
    std::vector<Tensor> parts;
    for (const char* name : {"a", "b", "c", "d"})
        if (a.tensor(name).defined()) parts.push_back(a.tensor(name));
    return result(concat(parts));
}

// Whether parts lie side by side shows in the record: each has the pitch of the whole.
static bool is_joined(const Entry& e) {
    return std::all_of(e.inputs.begin(), e.inputs.end(), [&](const Value& v) { return v.pitch == e.output.shape[3]; });
}

static std::string onnx_concat(const Entry& e, OnnxGraph& g) {
    std::vector<std::string> parts;
    for (const Value& part : e.inputs) parts.push_back(g.name(part));
    return g.node("Concat", parts, {{"axis", int64_t(1)}});
}

OpDescriptor describe_concat() {
    return {.name = "concat",
            .inputs = {{"a"}, {"b"}, {"c", OperandKind::activation, false}, {"d", OperandKind::activation, false}},
            .call = call_concat,
            .reach = same_position,
            .copies_nothing = is_joined,
            .onnx = onnx_concat};
}

}  // namespace atrous
