// ONNX files (github.com/onnx/onnx, onnx.proto): a graph with its weights, as one protobuf message.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/durable_file.h"
#include "engine/nn/module.h"
#include "engine/ops/onnx_graph.h"

namespace atrous::io {

inline constexpr int64_t least_onnx_opset = 13, highest_onnx_opset = 22;
inline constexpr uint64_t most_onnx_bytes = (uint64_t(1) << 31) - 1;  // of a protobuf message

struct OnnxInitializer {
    std::string name;
    OnnxType type = OnnxType::f32;
    std::vector<int64_t> shape;
    std::function<void(Sink&)> write;  // gives its bytes in order: dense, little-endian
};

struct OnnxModel {
    std::string name;
    int64_t opset = 17;  // least_onnx_opset to highest_onnx_opset; the nodes are the same
    std::vector<OnnxNode> nodes = {};
    std::vector<OnnxPort> inputs = {}, outputs = {};
    std::vector<OnnxInitializer> initializers = {};
    std::vector<std::pair<std::string, std::string>> metadata = {};  // keys that differ
};

// The tensors of the net that the graph asks for, under their names. The net must outlive what is returned.
std::vector<OnnxInitializer> onnx_initializers(const OnnxGraph& graph, Module& net);
// Makes f16 of f32. Writing throws a FormatError where a value is too large for that, naming the tensor; the sentence ends
// with what to do then.
void halve(std::vector<OnnxInitializer>& initializers, const std::string& remedy);
std::vector<std::byte> bytes_of(const OnnxInitializer& initializer);

// Writes as write_durably does. Bytes of texts that are no UTF-8 become U+FFFD. FormatError, before anything is written,
// where it would have more than most_onnx_bytes; ShapeError where an initializer gives other bytes than its shape has.
void write_onnx(const std::string& path, const OnnxModel& model);

}  // namespace atrous::io
