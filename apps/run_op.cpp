#include <fmt/core.h>

#include <cstdio>

#include "apps/exit_codes.h"
#include "apps/options.h"
#include "apps/outputs.h"
#include "apps/session.h"
#include "apps/tensor_io.h"
#include "apps/ui/suggest.h"
#include "apps/verbs.h"
#include "base/text.h"
#include "engine/autograd/tape.h"
#include "engine/ops/descriptor.h"

namespace atrous::app {
namespace {

std::string list_of_ops() {
    std::string text = "Ops, their tensors (in brackets: may be absent) and attributes:\n";
    for (const OpDescriptor& op : op_catalogue()) {
        text += fmt::format("  {:<20}", op.name);
        for (const Operand& i : op.inputs) text += i.required ? " " + i.name : " [" + i.name + "]";
        for (const AttributeDefault& a : op.attributes) text += "  " + a.name + "=" + a.value;
        text += "\n";
    }
    return text + "Tensors are in PyTorch's order: activations [N][C][H][W], weights [out][in][height][width].\n";
}

const OpDescriptor& find_op(const std::string& name) {
    std::string names;
    for (const OpDescriptor& op : op_catalogue()) {
        if (op.name == name) return op;
        names += (names.empty() ? "" : ", ") + op.name;
    }
    throw UsageError("op '" + name + "' is unknown; expected one of " + names);
}

std::map<std::string, std::string> parse_attributes(const OpDescriptor& op, const std::vector<std::string>& words) {
    std::map<std::string, std::string> attributes;
    std::string names;
    for (const AttributeDefault& a : op.attributes) {
        attributes[a.name] = a.value;
        names += (names.empty() ? "" : ", ") + a.name;
    }
    for (const std::string& word : words) {
        const size_t equals = word.find('=');
        if (equals == std::string::npos || !attributes.count(word.substr(0, equals)))
            throw UsageError(fmt::format("--attributes {}: expected NAME=VALUE with NAME one of {}", word,
                                         names.empty() ? "(none: " + op.name + " takes no attributes)" : names));
        attributes[word.substr(0, equals)] = word.substr(equals + 1);
    }
    for (const auto& [name, value] : attributes)
        if (value.empty()) throw UsageError(op.name + " needs --attributes " + name + "=…");
    return attributes;
}

// A leaf keeps the gradient of a weight in its accumulator type; activations are watched by the tape.
void want_gradient(Tape& tape, const Operand& operand, Tensor& tensor) {
    if (operand.kind == OperandKind::activation) return tape.watch(tensor);
    auto leaf = std::make_shared<Leaf>();
    leaf->gradient =
        std::make_shared<Tensor>(Tensor::full(tensor.shape(), accumulator_of(tensor.dtype()), tensor.device(), 0));
    tensor.set_leaf(std::move(leaf));
}

class OpRun {
 public:
    OpRun(const OpDescriptor& op, const io::TensorFile& file, DType compute, Device device)
        : op_(op), file_(file), compute_(compute), device_(device) {
        for (const Operand& operand : op.inputs)
            if (operand.required || file.find(operand.name))
                arguments_.tensors[operand.name] = read_operand(file, operand, compute, device);
    }

    std::vector<io::TensorToWrite> run(std::map<std::string, std::string> attributes, bool gradients) {
        arguments_.attributes = std::move(attributes);
        if (gradients)
            run_with_gradients();
        else
            add_results(op_.call(arguments_));
        return std::move(results_);
    }

 private:
    void add_results(const std::vector<std::pair<Operand, Tensor>>& results) {
        for (const auto& [operand, tensor] : results)
            results_.push_back(operand_to_write(operand.name, operand.kind, tensor));
    }

    void run_with_gradients() {
        Tape tape;
        bool any = false;
        for (const Operand& operand : op_.inputs) {
            const auto at = arguments_.tensors.find(operand.name);
            if (!operand.differentiable || at == arguments_.tensors.end()) continue;
            want_gradient(tape, operand, at->second);
            any = true;
        }
        if (!any) throw UsageError("--gradients: " + op_.name + " has none");
        const auto results = op_.call(arguments_);
        add_results(results);
        const auto& [operand, y] = results.front();
        const std::string name = "gradient." + operand.name;
        Tensor seed;
        if (file_.find(name)) seed = read_operand(file_, {name, operand.kind}, compute_, device_);
        if (seed.defined() && (seed.shape() != y.shape() || seed.dtype() != y.dtype()))
            throw ShapeError(fmt::format("{}: tensor '{}' is {}, the result {}", file_.path(), name,
                                         seed.shape().text(), y.shape().text()));
        tape.backward(y, seed);
        for (const Operand& input : op_.inputs) {
            const auto at = arguments_.tensors.find(input.name);
            if (!input.differentiable || at == arguments_.tensors.end()) continue;
            const Tensor& x = at->second;
            results_.push_back(operand_to_write("gradient." + input.name, input.kind,
                                                x.leaf() ? *x.leaf()->gradient : tape.gradient(x)));
        }
    }

    const OpDescriptor& op_;
    const io::TensorFile& file_;
    DType compute_;
    Device device_;
    OpArguments arguments_;
    std::vector<io::TensorToWrite> results_;
};

}  // namespace

int run_op(int argc, const char* const* argv) {
    Options o("run-op",
              "Runs one op on given tensors, to compare it with another framework. 'run-op list' lists the ops.");
    auto& name = o.text("op", "", "the op, or 'list'").required();
    auto& input = o.text("--input", "", "file with the op's tensors under their names");
    auto& output = o.text("-o,--output", "", "safetensors file to write: y, and gradient.NAME for every input");
    auto& attributes = o.texts("--attributes", {}, "NAME=VALUE …");
    auto& gradients =
        o.flag("--gradients", "also run backward, from the input file's gradient.y, or ones where it has none");
    auto& dtype = o.choice("--dtype", {"f32", "f64", "bf16"}, "f32", "element type to compute in");
    auto& device_name = o.text("--device", "auto", "auto, cpu, cuda, cuda:N, emulated or reference");
    auto& threads = o.integer("--threads", 0, "cpu threads; 0: all").min(0).max(1024);
    auto& overwrite = overwrite_option(o);
    o.parse(argc, argv);
    if (name.value == "list") throw TextRequested{list_of_ops()};
    const OpDescriptor& op = find_op(name.value);
    if (input.value.empty() || output.value.empty()) throw UsageError("run-op needs --input and --output");
    Outputs()
        .reads("--input", input.value)
        .reads("--config", o.config_file())
        .writes("--output", output.value, FileKind::tensors)
        .check(overwrite.value);
    const auto values = parse_attributes(op, attributes.value);
    const Device device = open_device(device_name.value, int(threads.value));
    const auto file = io::open_tensors(input.value);
    const auto results = OpRun(op, *file, parse_dtype(dtype.value), device).run(values, gradients.value);
    io::write_safetensors(output.value, results, {{tensors_mark_key, tensors_mark}});
    for (const io::TensorToWrite& t : results)
        fmt::print("{:<24} {} {}\n", t.name, name_of(t.dtype), io::shape_text(t.shape));
    return exit_ok;
}

}  // namespace atrous::app
