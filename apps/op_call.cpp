#include "apps/op_call.h"

#include <fmt/core.h>

#include "apps/tensor_io.h"
#include "engine/autograd/tape.h"

namespace atrous::app {
namespace {

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

std::vector<io::TensorToWrite> call_op(const OpDescriptor& op, const io::TensorFile& file,
                                       std::map<std::string, std::string> attributes, DType compute, Device device,
                                       bool gradients) {
    return OpRun(op, file, compute, device).run(std::move(attributes), gradients);
}

}  // namespace atrous::app
