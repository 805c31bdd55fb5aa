#include "engine/io/onnx_fold.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

namespace atrous::io {
namespace {

std::vector<float> values_of(const OnnxInitializer& t) {
    const std::vector<std::byte> bytes = bytes_of(t);
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    return values;
}

// What a channel is multiplied by, and what is added then.
struct Affine {
    std::vector<double> factor, shift;
};

struct Norm {
    OnnxInitializer gamma, beta, mean, variance;
    float epsilon = 0;

    Affine affine() const {
        const auto g = values_of(gamma), b = values_of(beta), m = values_of(mean), v = values_of(variance);
        Affine a;
        for (size_t c = 0; c < g.size(); ++c) {
            a.factor.push_back(g[c] / std::sqrt(double(v[c]) + epsilon));
            a.shift.push_back(b[c] - m[c] * a.factor.back());
        }
        return a;
    }
};

void write_floats(Sink& sink, const std::vector<float>& values) {
    sink.write(values.data(), values.size() * sizeof(float));
}

// Values are computed when the file is written, a tensor at a time. `axis`: that of the outputs.
OnnxInitializer folded_weight(const OnnxInitializer& weight, const Norm& norm, size_t axis) {
    OnnxInitializer folded = weight;
    folded.write = [weight, norm, axis](Sink& sink) {
        std::vector<float> values = values_of(weight);
        const Affine a = norm.affine();
        size_t inner = 1;  // values behind one another of one output
        for (size_t i = axis + 1; i < weight.shape.size(); ++i) inner *= size_t(weight.shape[i]);
        for (size_t i = 0; i < values.size(); ++i) values[i] = float(values[i] * a.factor[i / inner % a.factor.size()]);
        write_floats(sink, values);
    };
    return folded;
}

OnnxInitializer folded_bias(const std::string& name, const OnnxInitializer* bias, const Norm& norm) {
    const auto before = bias ? std::optional(*bias) : std::nullopt;
    return {name, OnnxType::f32, norm.gamma.shape, [before, norm](Sink& sink) {
                const Affine a = norm.affine();
                std::vector<float> values = before ? values_of(*before) : std::vector<float>(a.shift.size());
                for (size_t c = 0; c < values.size(); ++c) values[c] = float(values[c] * a.factor[c] + a.shift[c]);
                write_floats(sink, values);
            }};
}

class Folding {
 public:
    explicit Folding(OnnxModel& model) : model_(model) {}

    int all() {
        int count = 0;
        for (size_t i = 0; i < model_.nodes.size();)
            if (model_.nodes[i].op == "BatchNormalization" && fold(i))
                ++count;
            else
                ++i;
        return count;
    }

 private:
    OnnxInitializer* find(const std::string& name) {
        const auto at = std::find_if(model_.initializers.begin(), model_.initializers.end(),
                                     [&](const OnnxInitializer& t) { return t.name == name; });
        return at == model_.initializers.end() ? nullptr : &*at;
    }
    int64_t readers(const std::string& name) const {
        int64_t count = 0;
        for (const OnnxNode& n : model_.nodes) count += std::count(n.inputs.begin(), n.inputs.end(), name);
        for (const OnnxPort& port : model_.outputs) count += port.name == name;
        return count;
    }
    // The convolution whose output this batch norm alone reads, with weights of its own; else null.
    OnnxNode* convolution_of(const OnnxNode& norm) {
        for (OnnxNode& n : model_.nodes) {
            if (n.output != norm.inputs[0] || (n.op != "Conv" && n.op != "ConvTranspose")) continue;
            const bool own =
                readers(n.output) == 1 && std::all_of(n.inputs.begin() + 1, n.inputs.end(),
                                                      [&](const auto& t) { return find(t) && readers(t) == 1; });
            return own ? &n : nullptr;
        }
        return nullptr;
    }
    std::string name_of_bias(const std::string& weight) {
        const std::string end = "weight";
        std::string name =
            (weight.ends_with(end) ? weight.substr(0, weight.size() - end.size()) : weight + ".") + "bias";
        while (find(name)) name += "_folded";
        return name;
    }

    bool fold(size_t index) {
        const OnnxNode node = model_.nodes[index];
        OnnxNode* conv = convolution_of(node);
        if (!conv || !std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](const auto& t) { return find(t); }))
            return false;
        const Norm norm{*find(node.inputs[1]), *find(node.inputs[2]), *find(node.inputs[3]), *find(node.inputs[4]),
                        std::get<float>(node.attributes.at(0).second)};
        OnnxInitializer* weight = find(conv->inputs[1]);
        *weight = folded_weight(*weight, norm, conv->op == "Conv" ? 0 : 1);
        if (conv->inputs.size() > 2) {
            OnnxInitializer* bias = find(conv->inputs[2]);
            *bias = folded_bias(bias->name, bias, norm);
        } else {
            const std::string name = name_of_bias(weight->name);
            model_.initializers.insert(model_.initializers.begin() + (weight - model_.initializers.data()) + 1,
                                       folded_bias(name, nullptr, norm));
            conv->inputs.push_back(name);
        }
        conv->output = node.output;
        model_.nodes.erase(model_.nodes.begin() + int64_t(index));
        std::erase_if(model_.initializers, [&](const OnnxInitializer& t) {
            return std::count(node.inputs.begin(), node.inputs.end(), t.name) && readers(t.name) == 0;
        });
        return true;
    }

    OnnxModel& model_;
};

}  // namespace

int fold_batch_norm(OnnxModel& model) { return Folding(model).all(); }

}  // namespace atrous::io
