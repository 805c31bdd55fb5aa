#include <fmt/core.h>

#include <cstdio>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "apps/tensor_io.h"
#include "apps/verbs.h"
#include "base/suggest.h"
#include "base/text.h"
#include "engine/autograd/tape.h"
#include "engine/ops/descriptor.h"
#include "segmentation/machine.h"
#include "segmentation/outputs.h"

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
    std::string name, input, output, dtype = "f32";
    std::vector<std::string> attributes;
    bool gradients = false, overwrite = false;
    Machine machine;
    o.bind("op", name, "the op, or 'list'").positional().required();
    describe_tensor_files(o, input, output);
    o.bind("attributes", attributes, "NAME=VALUE …");
    o.bind("gradients", gradients, "also run backward, from the input file's gradient.y, or ones where it has none");
    describe_dtype(o, dtype);
    describe_device(o, machine);
    describe_overwrite(o, overwrite);
    o.parse(argc, argv);
    if (name == "list") throw TextRequested{list_of_ops()};
    const OpDescriptor& op = find_op(name);
    if (input.empty() || output.empty()) throw UsageError("run-op needs --input and --output");
    Outputs()
        .reads("--input", input)
        .reads("--config", o.config_file())
        .writes("--output", output, FileKind::tensors)
        .check(overwrite);
    Console console;
    const auto values = parse_attributes(op, attributes);
    const Device device = open_device(machine, console);
    const auto file = io::open_tensors(input);
    const auto results = OpRun(op, *file, parse_dtype(dtype), device).run(values, gradients);
    io::write_safetensors(output, results, {{tensors_mark_key, tensors_mark}});
    for (const io::TensorToWrite& t : results)
        fmt::print("{:<24} {} {}\n", t.name, name_of(t.dtype), io::shape_text(t.shape));
    return exit_ok;
}

}  // namespace atrous::app
