// Reads ONNX files by onnx.proto's field numbers, without anything of the writer's.
#pragma once

#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace atrous::test {

struct WireField {
    int number = 0, type = 0;
    uint64_t integer = 0;         // of types 0 and 5
    std::string_view bytes = {};  // of type 2
};

inline uint64_t take_varint(std::string_view& from) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (from.empty()) throw std::runtime_error("a varint is cut off");
        const auto byte = static_cast<unsigned char>(from[0]);
        from.remove_prefix(1);
        value |= uint64_t(byte & 127) << shift;
        if (byte < 128) return value;
    }
    throw std::runtime_error("a varint does not end");
}

inline std::vector<WireField> fields_of(std::string_view message) {
    std::vector<WireField> fields;
    while (!message.empty()) {
        const uint64_t key = take_varint(message);
        WireField f{.number = int(key >> 3), .type = int(key & 7)};
        size_t size = 0;
        if (f.type == 0)
            f.integer = take_varint(message);
        else if (f.type == 2)
            size = size_t(take_varint(message));
        else if (f.type == 5)
            size = 4;
        else
            throw std::runtime_error("a field of type " + std::to_string(f.type));
        if (size > message.size()) throw std::runtime_error("field " + std::to_string(f.number) + " is cut off");
        f.bytes = message.substr(0, size);
        if (f.type == 5) std::memcpy(&f.integer, f.bytes.data(), 4);
        message.remove_prefix(size);
        fields.push_back(f);
    }
    return fields;
}

struct ReadTensor {
    std::string name;
    int64_t type = 0;
    std::vector<int64_t> shape;
    std::string bytes;

    template <class T>
    std::vector<T> values() const {
        std::vector<T> all(bytes.size() / sizeof(T));
        std::memcpy(all.data(), bytes.data(), all.size() * sizeof(T));
        return all;
    }
};

struct ReadAttribute {
    int64_t type = 0, integer = 0;
    float real = 0;
    std::string text;
    ReadTensor tensor;
    std::vector<int64_t> integers;
};

struct ReadNode {
    std::string op, name;
    std::vector<std::string> inputs, outputs;
    std::map<std::string, ReadAttribute> attributes;
};

struct ReadPort {
    std::string name;
    int64_t type = 0;
    std::vector<std::string> shape;  // numbers in digits, and symbols
};

struct ReadModel {
    int64_t ir_version = 0, opset = 0;
    std::string producer, graph;
    std::vector<ReadNode> nodes;
    std::vector<ReadPort> inputs, outputs;
    std::map<std::string, ReadTensor> initializers;
    std::map<std::string, std::string> metadata;

    std::vector<const ReadNode*> all(const std::string& op) const {
        std::vector<const ReadNode*> found;
        for (const ReadNode& n : nodes)
            if (n.op == op) found.push_back(&n);
        return found;
    }
};

inline ReadTensor read_tensor(std::string_view message) {
    ReadTensor t;
    for (const WireField& f : fields_of(message)) {
        if (f.number == 1) t.shape.push_back(int64_t(f.integer));
        if (f.number == 2) t.type = int64_t(f.integer);
        if (f.number == 8) t.name = f.bytes;
        if (f.number == 9) t.bytes = f.bytes;
    }
    return t;
}

inline ReadNode read_node(std::string_view message) {
    ReadNode n;
    for (const WireField& f : fields_of(message)) {
        if (f.number == 1) n.inputs.emplace_back(f.bytes);
        if (f.number == 2) n.outputs.emplace_back(f.bytes);
        if (f.number == 3) n.name = f.bytes;
        if (f.number == 4) n.op = f.bytes;
        if (f.number != 5) continue;
        std::string name;
        ReadAttribute a;
        for (const WireField& g : fields_of(f.bytes)) {
            if (g.number == 1) name = g.bytes;
            if (g.number == 2) std::memcpy(&a.real, g.bytes.data(), 4);
            if (g.number == 3) a.integer = int64_t(g.integer);
            if (g.number == 4) a.text = g.bytes;
            if (g.number == 5) a.tensor = read_tensor(g.bytes);
            if (g.number == 8) a.integers.push_back(int64_t(g.integer));
            if (g.number == 20) a.type = int64_t(g.integer);
        }
        n.attributes[name] = a;
    }
    return n;
}

inline ReadPort read_port(std::string_view message) {
    ReadPort p;
    for (const WireField& f : fields_of(message)) {
        if (f.number == 1) p.name = f.bytes;
        if (f.number != 2) continue;
        for (const WireField& tensor : fields_of(fields_of(f.bytes).at(0).bytes)) {
            if (tensor.number == 1) p.type = int64_t(tensor.integer);
            if (tensor.number != 2) continue;
            for (const WireField& dimension : fields_of(tensor.bytes)) {
                const WireField side = fields_of(dimension.bytes).at(0);
                p.shape.push_back(side.number == 1 ? std::to_string(side.integer) : std::string(side.bytes));
            }
        }
    }
    return p;
}

inline ReadModel read_onnx(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    ReadModel m;
    for (const WireField& f : fields_of(bytes)) {
        if (f.number == 1) m.ir_version = int64_t(f.integer);
        if (f.number == 2) m.producer = f.bytes;
        if (f.number == 8)
            for (const WireField& g : fields_of(f.bytes))
                if (g.number == 2) m.opset = int64_t(g.integer);
        if (f.number == 14) {
            const auto entry = fields_of(f.bytes);
            m.metadata[std::string(entry.at(0).bytes)] = entry.at(1).bytes;
        }
        if (f.number != 7) continue;
        for (const WireField& g : fields_of(f.bytes)) {
            if (g.number == 1) m.nodes.push_back(read_node(g.bytes));
            if (g.number == 2) m.graph = g.bytes;
            if (g.number == 5) {
                ReadTensor t = read_tensor(g.bytes);
                m.initializers[t.name] = t;
            }
            if (g.number == 11) m.inputs.push_back(read_port(g.bytes));
            if (g.number == 12) m.outputs.push_back(read_port(g.bytes));
        }
    }
    return m;
}

}  // namespace atrous::test
