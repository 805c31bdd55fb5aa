// Follows the shapes through an ONNX graph as a runtime would: maps by their sides, and what is computed from shapes by
// its numbers. Throws where a value is read before it is made or made twice, and where shapes do not fit.
#pragma once

#include <cmath>

#include "tests/onnx_reader.h"

namespace atrous::test {

using Numbers = std::vector<int64_t>;

class OnnxShapes {
 public:
    OnnxShapes(const ReadModel& model, const Numbers& image) {
        shapes_[model.inputs.at(0).name] = image;
        for (const auto& [name, t] : model.initializers) shapes_[name] = t.shape;
        for (const ReadNode& node : model.nodes) {
            for (const std::string& input : node.inputs)
                if (!input.empty() && !shapes_.count(input) && !numbers_.count(input))
                    throw std::runtime_error(node.name + " reads " + input + ", which nothing made before");
            const std::string& output = node.outputs.at(0);
            if (shapes_.count(output) || numbers_.count(output)) throw std::runtime_error(output + " is made twice");
            if (!computes_numbers(node)) shapes_[output] = shape_of(node);
        }
    }
    const Numbers& of(const std::string& name) const {
        const auto at = shapes_.find(name);
        if (at == shapes_.end()) throw std::runtime_error("no map " + name);
        return at->second;
    }

 private:
    const Numbers& numbers(const std::string& name) const {
        const auto at = numbers_.find(name);
        if (at == numbers_.end()) throw std::runtime_error("no numbers " + name);
        return at->second;
    }

    bool computes_numbers(const ReadNode& n) {
        Numbers& to = numbers_[n.outputs[0]];
        const auto is_numbers = [&](size_t i) { return i < n.inputs.size() && numbers_.count(n.inputs[i]) > 0; };
        if (n.op == "Constant") {
            const ReadTensor& t = n.attributes.at("value").tensor;
            if (t.type == 7) return to = t.values<int64_t>(), true;
            reals_[n.outputs[0]] = t.values<float>();
            shapes_[n.outputs[0]] = t.shape;
        } else if (n.op == "Shape") {
            return to = of(n.inputs[0]), true;
        } else if (n.op == "Gather" && is_numbers(0)) {
            for (const int64_t i : numbers(n.inputs[1])) to.push_back(numbers(n.inputs[0]).at(size_t(i)));
            return true;
        } else if (n.op == "Concat" && is_numbers(0)) {
            for (const std::string& part : n.inputs) to.insert(to.end(), numbers(part).begin(), numbers(part).end());
            return true;
        } else if ((n.op == "Add" || n.op == "Sub" || n.op == "Mul" || n.op == "Div") && is_numbers(0)) {
            const Numbers &a = numbers(n.inputs[0]), &b = numbers(n.inputs[1]);
            if (a.size() != b.size()) throw std::runtime_error(n.name + ": numbers do not match");
            for (size_t i = 0; i < a.size(); ++i)
                to.push_back(n.op == "Add"   ? a[i] + b[i]
                             : n.op == "Sub" ? a[i] - b[i]
                             : n.op == "Mul" ? a[i] * b[i]
                                             : a[i] / b[i]);
            return true;
        }
        numbers_.erase(n.outputs[0]);
        return n.op == "Constant";
    }

    Numbers windowed(const ReadNode& n, int64_t channels) const {
        Numbers shape = of(n.inputs[0]);
        const auto ints = [&](const char* name, size_t i, int64_t otherwise) {
            const auto at = n.attributes.find(name);
            return at == n.attributes.end() ? otherwise : at->second.integers.at(i);
        };
        shape[1] = channels;
        for (size_t i = 0; i < 2; ++i) {
            const int64_t extent = (ints("kernel_shape", i, 0) - 1) * ints("dilations", i, 1) + 1;
            shape[2 + i] =
                (shape[2 + i] + ints("pads", i, 0) + ints("pads", 2 + i, 0) - extent) / ints("strides", i, 1) + 1;
            if (shape[2 + i] < 1) throw std::runtime_error(n.name + ": no pixel is left");
        }
        return shape;
    }

    Numbers resized(const ReadNode& n) const {
        if (n.inputs.size() == 4) return numbers(n.inputs[3]);
        Numbers shape = of(n.inputs[0]);
        for (size_t i = 0; i < 4; ++i)
            shape[i] = int64_t(std::floor(double(shape[i]) * double(reals_.at(n.inputs[2]).at(i))));
        return shape;
    }

    Numbers shape_of(const ReadNode& n) const {
        const Numbers& x = of(n.inputs[0]);
        if (n.op == "Conv") {
            const Numbers& weight = of(n.inputs[1]);
            if (weight[1] * n.attributes.at("group").integer != x[1]) throw std::runtime_error(n.name + ": channels");
            if (Numbers{weight[2], weight[3]} != n.attributes.at("kernel_shape").integers)
                throw std::runtime_error(n.name + ": kernel");
            return windowed(n, weight[0]);
        }
        if (n.op == "ConvTranspose") {
            const Numbers& weight = of(n.inputs[1]);
            if (weight[0] != x[1]) throw std::runtime_error(n.name + ": channels");
            return {x[0], weight[1], 2 * x[2], 2 * x[3]};
        }
        if (n.op == "MaxPool") return windowed(n, x[1]);
        if (n.op == "GlobalAveragePool") return {x[0], x[1], 1, 1};
        if (n.op == "Resize") return resized(n);
        if (n.op == "Gather") {
            const auto axis = size_t(n.attributes.at("axis").integer);
            for (const int64_t i : numbers(n.inputs[1]))
                if (i < 0 || i >= x.at(axis)) throw std::runtime_error(n.name + ": beyond what there is");
            Numbers shape = x;
            shape[axis] = int64_t(numbers(n.inputs[1]).size());
            return shape;
        }
        if (n.op == "Concat") {
            Numbers shape = x;
            for (size_t i = 1; i < n.inputs.size(); ++i) {
                const Numbers& part = of(n.inputs[i]);
                if (part[2] != x[2] || part[3] != x[3]) throw std::runtime_error(n.name + ": sides differ");
                shape[1] += part[1];
            }
            return shape;
        }
        if (n.op == "Pad") {
            Numbers shape = x;
            for (size_t i = 0; i < 4; ++i) shape[i] += numbers(n.inputs[1]).at(i) + numbers(n.inputs[1]).at(4 + i);
            return shape;
        }
        if (n.op == "Slice") {
            Numbers shape = x;
            for (size_t i = 0; i < numbers(n.inputs[3]).size(); ++i) {
                const int64_t begin = numbers(n.inputs[1])[i], end = numbers(n.inputs[2])[i];
                int64_t& side = shape[size_t(numbers(n.inputs[3])[i])];
                if (begin < 0 || end > side || begin >= end)
                    throw std::runtime_error(n.name + ": beyond what there is");
                side = end - begin;
            }
            return shape;
        }
        if (n.op == "Add" && of(n.inputs[1]) != x) throw std::runtime_error(n.name + ": shapes differ");
        if (n.op == "ArgMax") return {x[0], x[2], x[3]};
        if (n.op == "Squeeze") return {x[0], x[2], x[3]};
        for (const char* same :
             {"BatchNormalization", "Relu", "Sigmoid", "Add", "Sub", "Div", "Cast", "Greater", "Identity"})
            if (n.op == same) return x;
        throw std::runtime_error("op " + n.op);
    }

    std::map<std::string, Numbers> shapes_, numbers_;
    std::map<std::string, std::vector<float>> reals_;
};

}  // namespace atrous::test
