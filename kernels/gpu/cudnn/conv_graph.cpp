// The operation graph of a convolution: one operation, and behind a forward one with a bias its addition.
#include "kernels/gpu/cudnn/conv_plan.h"

namespace atrous::cudnn {

namespace {

using Four = std::array<int64_t, 4>;

DataType data_type(DType t) {
    if (t == DType::bf16) return DataType::bf16;
    if (t == DType::f16) return DataType::f16;
    require(t == DType::f32, "cuDNN convolution: elements must be bf16, f16 or f32");
    return DataType::f32;
}

// cuDNN names dimensions n, c, h, w in this order however they lie; here the channels are innermost.
Object tensor(const Api& api, int64_t id, DataType type, const Four& nchw, bool is_virtual = false) {
    const auto [n, c, h, w] = nchw;
    Object t(api, Kind::tensor);
    t.set(Attribute::tensor_data_type, type);
    t.set(Attribute::tensor_dimensions, nchw);
    t.set(Attribute::tensor_strides, Four{h * w * c, 1, w * c, c});
    t.set(Attribute::tensor_id, id);
    t.set(Attribute::tensor_alignment, int64_t(16));
    if (is_virtual) t.set(Attribute::tensor_is_virtual, true);
    t.finalize();
    return t;
}

Object geometry(const Api& api, const ConvProblem& p) {
    using Two = std::array<int64_t, 2>;
    Object g(api, Kind::convolution);
    g.set(Attribute::convolution_math_type, DataType::f32);
    g.set(Attribute::convolution_mode, ConvolutionMode::cross_correlation);
    g.set(Attribute::convolution_spatial_dims, int64_t(2));
    g.set(Attribute::convolution_paddings_before, Two{p.padding, p.padding});
    g.set(Attribute::convolution_paddings_after, Two{p.padding, p.padding});
    g.set(Attribute::convolution_dilations, Two{p.dilation, p.dilation});
    g.set(Attribute::convolution_strides, Two{p.stride, p.stride});
    g.finalize();
    return g;
}

// `first` is the operation's alpha; beta, geometry, w, x and y follow it.
Object operation(const Api& api, Kind kind, Attribute first, bool accumulate, const Object& geometry, const Object& w,
                 const Object& x, const Object& y) {
    const auto attribute = [&](int i) { return Attribute(int(first) + i); };
    Object o(api, kind);
    o.set(attribute(0), 1.0);
    o.set(attribute(1), accumulate ? 1.0 : 0.0);
    o.set(attribute(2), geometry);
    o.set(attribute(3), w);
    o.set(attribute(4), x);
    o.set(attribute(5), y);
    o.finalize();
    return o;
}

Object operation(const Api& api, const ConvProblem& p, const Object& geometry, const Object& w, const Object& x,
                 const Object& y) {
    if (p.pass == Pass::forward)
        return operation(api, Kind::convolution_forward, Attribute::forward_alpha, false, geometry, w, x, y);
    if (p.pass == Pass::input_gradient)
        return operation(api, Kind::convolution_backward_input, Attribute::backward_input_alpha, p.accumulate, geometry,
                         w, x, y);
    return operation(api, Kind::convolution_backward_weight, Attribute::backward_weight_alpha, p.accumulate, geometry,
                     w, x, y);
}

Object adding(const Api& api) {
    Object a(api, Kind::pointwise);
    a.set(Attribute::pointwise_mode, PointwiseMode::add);
    a.set(Attribute::pointwise_math_type, DataType::f32);
    a.finalize();
    return a;
}

Object addition(const Api& api, const Object& adding, const Object& x, const Object& b, const Object& y) {
    Object o(api, Kind::pointwise_operation);
    o.set(Attribute::pointwise_operation_of, adding);
    o.set(Attribute::pointwise_operation_x, x);
    o.set(Attribute::pointwise_operation_b, b);
    o.set(Attribute::pointwise_operation_y, y);
    o.finalize();
    return o;
}

}  // namespace

const Object& ConvGraph::add(Object object) {
    parts_.push_back(std::make_unique<Object>(std::move(object)));
    return *parts_.back();
}

ConvGraph::ConvGraph(const Api& api, const Target& target, const ConvProblem& p) : graph_(api, Kind::operation_graph) {
    const bool with_bias = p.bias && p.pass == Pass::forward;
    const DataType type = data_type(p.dtype);
    const Four y_dims{p.n, p.o, p.output_height(), p.output_width()};
    const Object& x = add(tensor(api, Id::x, type, {p.n, p.c, p.h, p.w}));
    const Object& w = add(tensor(api, Id::w, type, {p.o, p.c, p.r, p.s}));
    const Object& y = add(tensor(api, Id::y, type, y_dims));
    const Object& convolved = with_bias ? add(tensor(api, Id::sum, DataType::f32, y_dims, true)) : y;
    const Object& shape = add(geometry(api, p));
    std::vector<Descriptor> operations{add(operation(api, p, shape, w, x, convolved)).descriptor()};
    if (with_bias) {
        const Object& b = add(tensor(api, Id::bias, type, {1, p.o, 1, 1}));
        const Object& sum = add(adding(api));
        operations.push_back(add(addition(api, sum, convolved, b, y)).descriptor());
    }
    if (target.handle) graph_.set(Attribute::graph_handle, Type::handle, 1, &target.handle);
    graph_.set(Attribute::graph_operations, Type::descriptor, int64_t(operations.size()), operations.data());
    graph_.finalize();
}

}  // namespace atrous::cudnn
