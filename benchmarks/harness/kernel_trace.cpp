#include "benchmarks/harness/kernel_trace.h"

#include "base/variant.h"
#include "benchmarks/cases/run.h"
#include "benchmarks/harness/inputs.h"
#include "engine/autograd/tape.h"
#include "engine/context.h"
#include "engine/math_mode.h"

namespace atrous::bench {

using cases::Case;
using cases::Role;

namespace {

std::string role_name(Role role) {
    switch (role) {
        case Role::activation:
            return "input";
        case Role::weight:
            return "weight";
        case Role::labels:
            return "labels";
        default:
            return "parameter";
    }
}

struct Named {
    Tensor tensor;
    std::string name, role;

    uintptr_t address() const { return reinterpret_cast<uintptr_t>(tensor.as<char>()); }
    void describe(gpu::TraceBuffer& b) const {
        b.name = name;
        b.role = role;
        b.dtype = name_of(tensor.dtype());
        const Shape& shape = tensor.shape();
        for (int i = 0; i < shape.rank(); ++i) b.shape.push_back(shape[i]);
        if (shape.rank() == 4) b.layout = role.find("weight") == 0 ? "OHWI" : "NHWC";
        b.element_bytes = int64_t(size_of(tensor.dtype()));
        b.pitch = shape.rank() == 4 ? tensor.pitch() : 1;
        b.bytes = tensor.bytes();
        b.address = address();
    }
};

// The operands of one pass, with what they are called.
class Pass {
 public:
    Pass(const Case& c, DType dtype, Device device, bool backward) : case_(c), device_(device), backward_(backward) {
        for (size_t i = 0; i < c.inputs.size(); ++i) {
            in_.push_back(operand_of(c, i, dtype, device));
            add(in_[i], c.inputs[i].name, role_name(c.inputs[i].role));
            if (backward && c.inputs[i].differentiable) add_leaf(i, dtype);
        }
    }

    void prepare() {
        if (!backward_) return;
        tape_ = std::make_unique<Tape>();
        output_ = case_.call(in_, {});
        seed_ = random_tensor(output_.shape(), output_.dtype(), device_);
        add(seed_, "gradient of output", "gradient of output");
    }
    void run() {
        if (backward_)
            tape_->backward(output_, seed_);
        else
            output_ = case_.call(in_, {});
    }
    void finish() {
        bool is_operand = false;  // an op that writes into one of its inputs
        for (const Named& n : operands) is_operand = is_operand || n.address() == Named{output_, "", ""}.address();
        if (!is_operand) add(output_, "output", "output");
    }

    std::vector<Named> operands;

 private:
    void add(const Tensor& t, const std::string& name, const std::string& role) {
        if (t.bytes() > 0) operands.push_back({t, name, role});
    }
    void add_leaf(size_t i, DType dtype) {
        const cases::Input& input = case_.inputs[i];
        auto leaf = std::make_shared<Leaf>();
        const DType type = input.role == Role::activation ? dtype : accumulator_of(dtype);
        leaf->gradient = std::make_shared<Tensor>(Tensor::empty(input.shape, type, device_));
        in_[i].set_leaf(leaf);
        add(*leaf->gradient, "gradient of " + input.name, input.role == Role::weight ? "weight gradient" : "gradient");
    }

    const Case& case_;
    Device device_;
    bool backward_;
    std::vector<Tensor> in_;
    std::unique_ptr<Tape> tape_;
    Tensor output_, seed_;
};

bool is_result(const gpu::TraceBuffer& b) {
    return b.role == "output" || b.role == "gradient" || b.role == "weight gradient";
}

void keep_values(KernelTrace& t, const std::vector<Named>& operands, size_t most, bool results) {
    t.values.resize(t.trace.buffers.size());
    for (size_t i = 0; i < t.trace.buffers.size(); ++i)
        for (const Named& n : operands)
            if (t.trace.buffers[i].address == n.address() && t.trace.buffers[i].name == n.name &&
                is_result(t.trace.buffers[i]) == results && size_t(n.tensor.count()) <= most)
                t.values[i] = cases::values_in(n.tensor);
}

}  // namespace

bool has_backward(const Workload& what) { return cases::differentiable(what.make()); }

KernelTrace trace_pass(const Workload& what, DType dtype, Device device, bool backward,
                       const gpu::TraceOptions& options, size_t most_values) {
    const Case c = what.make();
    if (backward && !cases::differentiable(c)) throw UsageError(what.op + " has no backward pass");
    KernelTrace t{
        what, backward ? "backward" : "forward", dtype, math_mode() == MathMode::tf32 ? "tf32" : "exact", {}, {}, {}};
    Pass pass(c, dtype, device, backward);
    pass.prepare();
    std::vector<gpu::TraceBuffer> named;
    for (const Named& n : pass.operands) n.describe(named.emplace_back());
    t.trace.buffers = named;
    keep_values(t, pass.operands, most_values, false);
    const VariantLog log;
    t.trace = gpu::record_kernels(named, options, [&] { pass.run(); });
    t.variants = log.names();
    pass.finish();
    for (gpu::TraceBuffer& b : t.trace.buffers)  // what the pass has allocated itself
        if (b.role == "scratch" && !pass.operands.empty() && b.address == pass.operands.back().address())
            pass.operands.back().describe(b);
    keep_values(t, pass.operands, most_values, true);
    return t;
}

}  // namespace atrous::bench
