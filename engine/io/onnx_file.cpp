#include "engine/io/onnx_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "base/text.h"
#include "engine/io/operand_layout.h"
#include "engine/io/protobuf.h"
#include "engine/io/state_dict.h"

namespace atrous::io {

using namespace protobuf;

namespace {

// The numbers below are those of onnx.proto's fields.
constexpr int64_t ir_version = 8;  // of ONNX 1.10 and later, whatever the opset

std::string utf8(std::string_view text) {
    std::string valid;
    while (!text.empty()) {
        const Character c = first_character(text);
        valid += c.code == 0xfffd ? "\xef\xbf\xbd" : std::string(text.substr(0, c.bytes));
        text.remove_prefix(c.bytes);
    }
    return valid;
}

void put_text(std::string& to, int field, std::string_view text) { put_bytes(to, field, utf8(text)); }

std::string message_of(const OnnxTensor& t) {
    std::string m;
    for (const int64_t side : t.shape) put_integer(m, 1, side);
    put_integer(m, 2, int64_t(t.type));
    put_bytes(m, 9, t.bytes);
    return m;
}

std::string message_of(const OnnxAttribute& attribute) {
    enum Type { real = 1, integer = 2, text = 3, tensor = 4, integers = 7 };
    std::string m;
    put_text(m, 1, attribute.first);
    Type type{};
    if (const auto* i = std::get_if<int64_t>(&attribute.second)) type = integer, put_integer(m, 3, *i);
    if (const auto* f = std::get_if<float>(&attribute.second)) type = real, put_float(m, 2, *f);
    if (const auto* s = std::get_if<std::string>(&attribute.second)) type = text, put_text(m, 4, *s);
    if (const auto* t = std::get_if<OnnxTensor>(&attribute.second)) type = tensor, put_bytes(m, 5, message_of(*t));
    if (const auto* all = std::get_if<std::vector<int64_t>>(&attribute.second)) {
        type = integers;
        for (const int64_t i : *all) put_integer(m, 8, i);
    }
    put_integer(m, 20, type);
    return m;
}

std::string message_of(const OnnxNode& node) {
    std::string m;
    for (const std::string& input : node.inputs) put_text(m, 1, input);
    put_text(m, 2, node.output);
    put_text(m, 3, node.name);
    put_text(m, 4, node.op);
    for (const OnnxAttribute& a : node.attributes) put_bytes(m, 5, message_of(a));
    return m;
}

std::string message_of(const OnnxPort& port) {
    std::string shape, tensor, type, m;
    for (const OnnxDimension& d : port.shape) {
        std::string dimension;
        if (const auto* number = std::get_if<int64_t>(&d)) put_integer(dimension, 1, *number);
        if (const auto* symbol = std::get_if<std::string>(&d)) put_text(dimension, 2, *symbol);
        put_bytes(shape, 1, dimension);
    }
    put_integer(tensor, 1, int64_t(port.type));
    put_bytes(tensor, 2, shape);
    put_bytes(type, 1, tensor);
    put_text(m, 1, port.name);
    put_bytes(m, 2, type);
    return m;
}

uint64_t size_of_element(OnnxType type) {
    switch (type) {
        case OnnxType::u8:
            return 1;
        case OnnxType::f16:
        case OnnxType::bf16:
            return 2;
        case OnnxType::f32:
            return 4;
        case OnnxType::i64:
        case OnnxType::f64:
            return 8;
    }
    return 0;
}

uint64_t size_in_bytes(const OnnxInitializer& t) {
    uint64_t bytes = size_of_element(t.type);
    for (const int64_t side : t.shape) bytes *= uint64_t(side);
    return bytes;
}

// What stands in front of an initializer's bytes, which are the last of its fields and may be large: key and length of the
// field in the graph, its other fields, key and length of the bytes.
std::string beginning_of(const OnnxInitializer& t) {
    std::string fields, beginning;
    for (const int64_t side : t.shape) put_integer(fields, 1, side);
    put_integer(fields, 2, int64_t(t.type));
    put_text(fields, 8, t.name);
    put_key(fields, 9, bytes);
    put_varint(fields, size_in_bytes(t));
    put_key(beginning, 5, bytes);
    put_varint(beginning, fields.size() + size_in_bytes(t));
    return beginning + fields;
}

std::string beginning_of(const OnnxModel& model) {
    std::string opset, m;
    put_integer(m, 1, ir_version);
    put_text(m, 2, "atrous");
    put_text(opset, 1, "");
    put_integer(opset, 2, model.opset);
    put_bytes(m, 8, opset);
    for (const auto& [key, value] : model.metadata) {
        std::string entry;
        put_text(entry, 1, key);
        put_text(entry, 2, value);
        put_bytes(m, 14, entry);
    }
    return m;
}

// The graph but for its initializers.
std::string structure_of(const OnnxModel& model) {
    std::string g;
    for (const OnnxNode& node : model.nodes) put_bytes(g, 1, message_of(node));
    put_text(g, 2, model.name);
    for (const OnnxPort& port : model.inputs) put_bytes(g, 11, message_of(port));
    for (const OnnxPort& port : model.outputs) put_bytes(g, 12, message_of(port));
    return g;
}

class Counter : public Sink {
 public:
    explicit Counter(Sink& to) : to_(to) {}
    using Sink::write;
    void write(const void* data, size_t n) override {
        count += n;
        to_.write(data, n);
    }
    uint64_t count = 0;

 private:
    Sink& to_;
};

std::vector<std::byte> in_half(const std::string& name, const std::vector<std::byte>& values,
                               const std::string& remedy) {
    std::vector<double> numbers = as_doubles(values, DType::f32);
    for (const double x : numbers)
        if (std::isfinite(x) && std::abs(x) >= 65520)
            throw FormatError(
                fmt::format("tensor {}: holds {:.4g}, and fp16 ends at 65504; {}", in_quotes(name), x, remedy));
    return from_doubles(numbers, DType::f16);
}

}  // namespace

std::vector<OnnxInitializer> onnx_initializers(const OnnxGraph& graph, Module& net) {
    std::vector<OnnxInitializer> all;
    const std::vector<Slot> slots = slots_of(net);
    for (const auto& [name, kind] : graph.parameters()) {
        const auto slot = std::find_if(slots.begin(), slots.end(), [&](const Slot& s) { return s.name == name; });
        if (slot == slots.end()) throw Error(fmt::format("tensor {} is none of the net's", in_quotes(name)));
        const FileLayout layout = layout_of(kind);
        all.push_back({name, onnx_type(slot->tensor->dtype()), file_shape(slot->tensor->shape(), layout),
                       [tensor = *slot->tensor, layout](Sink& sink) {
                           const auto values = to_file_layout(tensor, layout);
                           sink.write(values.data(), values.size());
                       }});
    }
    return all;
}

std::vector<std::byte> bytes_of(const OnnxInitializer& initializer) {
    struct Collector : Sink {
        using Sink::write;
        void write(const void* data, size_t n) override {
            const auto* begin = static_cast<const std::byte*>(data);
            bytes.insert(bytes.end(), begin, begin + n);
        }
        std::vector<std::byte> bytes;
    } collector;
    initializer.write(collector);
    return collector.bytes;
}

void halve(std::vector<OnnxInitializer>& initializers, const std::string& remedy) {
    for (OnnxInitializer& t : initializers) {
        if (t.type != OnnxType::f32) continue;
        t.write = [whole = t, remedy](Sink& sink) {
            const auto values = in_half(whole.name, bytes_of(whole), remedy);
            sink.write(values.data(), values.size());
        };
        t.type = OnnxType::f16;
    }
}

void write_onnx(const std::string& path, const OnnxModel& model) {
    std::string beginning = beginning_of(model);
    const std::string structure = structure_of(model);
    uint64_t graph_bytes = structure.size();
    for (const OnnxInitializer& t : model.initializers) graph_bytes += beginning_of(t).size() + size_in_bytes(t);
    put_key(beginning, 7, bytes);
    put_varint(beginning, graph_bytes);
    if (const uint64_t all = beginning.size() + graph_bytes; all > most_onnx_bytes) {
        const bool whole = std::any_of(model.initializers.begin(), model.initializers.end(),
                                       [](const OnnxInitializer& t) { return t.type == OnnxType::f32; });
        throw FormatError(fmt::format("{}: would have {}, and an ONNX file has less than 2 GiB; take {}a smaller net",
                                      path, format_bytes(all), whole ? "`half`, which halves it, or " : ""));
    }
    write_durably(path, [&](FileSink& file) {
        file.write(beginning);
        file.write(structure);
        for (const OnnxInitializer& t : model.initializers) {
            file.write(beginning_of(t));
            Counter counter(file);
            t.write(counter);
            if (counter.count != size_in_bytes(t))
                throw ShapeError(fmt::format("tensor {} gave {} bytes instead of {}", in_quotes(t.name), counter.count,
                                             size_in_bytes(t)));
        }
    });
}

}  // namespace atrous::io
