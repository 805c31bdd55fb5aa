#include "engine/nn/onnx_net.h"

#include <fmt/core.h>

namespace atrous {

static Value value_of(const Tensor& t) { return t.defined() ? Value{t.id(), t.shape(), t.dtype(), nullptr} : Value{}; }

std::vector<ImageSides> telling_sizes(int64_t multiple) {
    const auto off = [&](int64_t side) { return multiple > 1 && side % multiple == 0 ? side + 1 : side; };
    std::vector<ImageSides> sizes;
    int64_t height = 223, width = 381;
    while (sizes.size() < 12) {
        height += 17;  // all remainders by a power of two in turn
        width += 23;
        if (multiple == 1 || (height % multiple && width % multiple)) sizes.push_back({height, width});
    }
    // Some nets do other things to small images, to upright ones, or to long ones.
    for (const ImageSides& s : {ImageSides{41, 27}, {401, 93}, {19, 310}})
        sizes.push_back({off(s.height), off(s.width)});
    return sizes;
}

static NetTrace trace_at(SegmentationNet& net, const ImageSides& size, bool with_auxiliary) {
    NetTrace trace;
    const Tensor x = Tensor::empty({2, size.height, size.width, net.in_channels()}, DType::f32, {DeviceKind::meta});
    const Tape tape(Tape::Mode::tracing);
    const NetOutputs y = with_auxiliary ? net.forward_training(x) : NetOutputs{net.forward(x), {}};
    trace.image = value_of(x);
    trace.out = value_of(y.out);
    trace.aux = value_of(y.aux);
    trace.entries = tape.entries();
    return trace;
}

static void check_alike(const NetTrace& first, const NetTrace& other) {
    const auto alike = [](const Entry& a, const Entry& b) {
        return a.op == b.op && a.module == b.module && a.attributes == b.attributes &&
               a.inputs.size() == b.inputs.size();
    };
    const Shape &a = first.image.shape, &b = other.image.shape;
    for (size_t i = 0; i < std::max(first.entries.size(), other.entries.size()); ++i)
        if (i >= first.entries.size() || i >= other.entries.size() || !alike(first.entries[i], other.entries[i])) {
            const Entry& e = i < first.entries.size() ? first.entries[i] : other.entries[i];
            throw OnnxSizeError(
                fmt::format("the net does not run the same ops at {}x{} and at {}x{}, from {} in '{}' on", a[2], a[1],
                            b[2], b[1], e.op, e.module));
        }
}

static void note_sides(NetTrace& trace, const NetTrace& at_this_size) {
    const auto note = [&](const Value& map, const Value& at_this) {
        if (map.shape.rank() == 4) trace.sides[map.id].push_back({at_this.shape[1], at_this.shape[2]});
    };
    note(trace.image, at_this_size.image);
    for (size_t i = 0; i < trace.entries.size(); ++i) note(trace.entries[i].output, at_this_size.entries[i].output);
}

NetTrace trace_for_onnx(SegmentationNet& net, const std::vector<ImageSides>& sizes, bool with_auxiliary) {
    net.materialize({.device = {DeviceKind::meta}});
    net.set_training(false);
    NetTrace trace;
    for (const ImageSides& size : sizes) {
        NetTrace at_this_size;
        try {
            at_this_size = trace_at(net, size, with_auxiliary);
        } catch (const ShapeError& e) {
            throw OnnxSizeError(fmt::format("the net does not take {}x{}: {}", size.width, size.height, e.what()));
        }
        if (trace.entries.empty()) trace = at_this_size;
        check_alike(trace, at_this_size);
        note_sides(trace, at_this_size);
    }
    for (const auto& [path, p] : net.parameters()) trace.tensors.emplace_back(value_of(p->value), path);
    for (const auto& [path, b] : net.buffers()) trace.tensors.emplace_back(value_of(b->value), path);
    trace.multiple = net.input_multiple();
    return trace;
}

std::vector<OnnxDimension> port_shape(const NetTrace& trace, const Value& map, const std::string& name,
                                      bool with_channels) {
    const OnnxSides &sides = trace.sides.at(map.id), &image = trace.sides.at(trace.image.id);
    std::vector<OnnxDimension> shape{"batch"};
    if (with_channels) shape.emplace_back(map.shape[3]);
    for (const size_t axis : {0, 1}) {
        const auto always = [&](const auto& holds) {
            for (size_t i = 0; i < sides.size(); ++i)
                if (!holds(sides[i][axis], i)) return false;
            return true;
        };
        const std::string side = axis ? "width" : "height";
        if (always([&](int64_t length, size_t) { return length == sides[0][axis]; }))
            shape.emplace_back(sides[0][axis]);
        else if (always([&](int64_t length, size_t i) { return length == image[i][axis]; }))
            shape.emplace_back(side);
        else
            shape.emplace_back(name + "_" + side);
    }
    return shape;
}

void write_net(OnnxGraph& graph, const NetTrace& trace, const std::string& image) {
    graph.set_name(trace.image, image);
    for (const Entry& entry : trace.entries) {
        const OpDescriptor& op = descriptor_of(entry);
        if (!op.onnx)
            throw Error(
                fmt::format("op '{}' of layer '{}' cannot be exported: expected an op whose descriptor says how it is "
                            "written in ONNX (`onnx`)",
                            op.name, entry.module));
        graph.set_module(entry.module);
        graph.set_name(entry.output, op.onnx(entry, graph));
    }
    graph.set_module("");
}

}  // namespace atrous
