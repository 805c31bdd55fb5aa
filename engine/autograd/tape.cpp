#include "engine/autograd/tape.h"

#include "engine/context.h"
#include "engine/profile.h"
#include "engine/simulation.h"

namespace atrous {

static thread_local Tape* current_tape = nullptr;

const Tensor& Saved::get(const std::string& op) const {
    if (tensor_.storage() && tensor_.storage()->version() != version_)
        throw Error("the backward pass of " + op + " needs a value of shape " + tensor_.shape().text() +
                    " that was overwritten after the forward pass");
    return tensor_;
}

Tape::Tape(Mode mode, TapeObserver* observer) : mode_(mode), observer_(observer), outer_(current_tape) {
    current_tape = this;
}
Tape::~Tape() { current_tape = outer_; }
Tape* Tape::current() { return current_tape; }

NoTape::NoTape() : tape_(current_tape) { current_tape = nullptr; }
NoTape::~NoTape() { current_tape = tape_; }

void Tape::watch(const Tensor& x) { watched_[x.id()] = true; }

Tensor Tape::gradient(const Tensor& x) const {
    const auto it = gradients_.find(x.id());
    return it == gradients_.end() ? Tensor() : it->second;
}

bool Tape::wants(const Value& v) const { return v.leaf || watched_.count(v.id); }

static Value value_of(const Tensor& t) { return {t.id(), t.shape(), t.dtype(), t.leaf(), t.pitch()}; }

static double bytes_of(const Value& v) { return double(v.shape.count()) * double(size_of(v.dtype)); }

// An op as the profile shows it. `gradients` are those inputs whose gradient a backward pass writes.
static Span span_of(const char* category, const std::string& op, const std::string& module,
                    const std::vector<Value>& inputs, const Value& output, const std::vector<Value>& gradients) {
    Span s{.name = op, .category = category, .module = module};
    for (const Value& v : inputs) s.shapes += (s.shapes.empty() ? "" : ", ") + v.shape.text();
    s.shapes += " -> " + output.shape.text();
    s.bytes = bytes_of(output);
    for (const Value& v : inputs) s.bytes += bytes_of(v);
    for (const Value& v : gradients) s.bytes += bytes_of(v);
    return s;
}

static void profile(const Record& r) {
    std::vector<Value> inputs;
    for (const Tensor& t : r.inputs) inputs.push_back(value_of(t));
    Profiler::current()->op_done(span_of("forward", r.op, ModuleScope::path(), inputs, value_of(r.output), {}));
}

Tensor record(Record r) {
    if (Profiler::current()) profile(r);
    if (MemorySimulation* simulation = MemorySimulation::current()) simulation->filled(r.output, r.op);
    Tape* tape = current_tape;
    if (!tape) return r.output;
    Entry entry{r.op, ModuleScope::path(), {}, value_of(r.output), std::move(r.attributes), {}, {}, false};
    for (const Tensor& input : r.inputs) {
        entry.inputs.push_back(value_of(input));
        entry.wanted = entry.wanted || tape->wants(entry.inputs.back());
    }
    if (tape->mode_ == Tape::Mode::tracing)
        for (const Tensor& constant : r.constants) entry.constants.push_back(value_of(constant));
    if (tape->mode_ == Tape::Mode::training) {
        if (!entry.wanted) return r.output;
        entry.saved = std::move(r.saved);
        entry.backward = std::move(r.backward);
        tape->watched_.try_emplace(r.output.id(), false);
    }
    tape->entries_.push_back(std::move(entry));
    if (tape->observer_) {
        const NoTape off;
        tape->observer_->on_forward(tape->entries_.back(), r.output);
    }
    return r.output;
}

std::vector<Tensor> Tape::gradients_of(const Entry& entry) const {
    std::vector<Tensor> gradients;
    for (const Value& v : entry.inputs) {
        if (v.leaf) {
            if (v.leaf->gradient) gradients.push_back(*v.leaf->gradient);
        } else if (const auto it = gradients_.find(v.id); it != gradients_.end()) {
            gradients.push_back(it->second);
        }
    }
    return gradients;
}

void Tape::begin_backward(const std::vector<Start>& starts) {
    for (const auto& [output, seed] : starts) {
        if (!watched_.count(output.id())) throw Error("backward: no parameter contributed to this value");
        if (seed.defined()) watched_[output.id()] = true;  // kept as it is: it belongs to the caller
        gradients_[output.id()] =
            seed.defined() ? seed : Tensor::full(output.shape(), output.dtype(), output.device(), 1);
    }
}

void Tape::run_backward(Entry& entry) {
    const auto it = gradients_.find(entry.output.id);
    if (it == gradients_.end()) return;  // nothing downstream used it
    const ModuleScope scope(entry.module);
    const ProfileScope span([&] {
        std::vector<Value> wanted;
        for (const Value& v : entry.inputs)
            if (wants(v)) wanted.push_back(v);
        return span_of("backward", entry.op, entry.module, entry.inputs, entry.output, wanted);
    });
    Gradients gradients(*this, entry, it->second);
    entry.backward(gradients);
    if (observer_) observer_->on_backward(entry, gradients.output(), gradients_of(entry));
    if (!watched_[entry.output.id]) gradients_.erase(entry.output.id);
}

void Tape::backward(const std::vector<Start>& starts, const LeafDone& leaf_done) {
    NoTape off;
    const UseScope use(BlockUse::activation_gradient);
    begin_backward(starts);
    std::unordered_map<const Leaf*, int64_t> reads;  // to come, of each parameter
    const auto count_leaves = [&](const Entry& entry, int64_t change) {
        for (const Value& v : entry.inputs)
            if (v.leaf && (reads[v.leaf.get()] += change) == 0) leaf_done(*v.leaf);
    };
    if (leaf_done)
        for (const Entry& entry : entries_) count_leaves(entry, 1);
    while (!entries_.empty()) {
        Entry entry = std::move(entries_.back());
        entries_.pop_back();
        run_backward(entry);
        if (leaf_done) count_leaves(entry, -1);
    }
}

bool Gradients::wants(size_t input) const { return tape_.wants(entry_.inputs[input]); }

GradTarget Gradients::grad_target(size_t input) {
    const Value& v = entry_.inputs[input];
    if (!tape_.wants(v)) return {};
    if (v.leaf) {
        const bool accumulate = !v.leaf->fresh;
        v.leaf->fresh = false;
        return {v.leaf->gradient->view(), accumulate};
    }
    auto [it, first] = tape_.gradients_.try_emplace(v.id);
    if (first) it->second = Tensor::empty(v.shape, v.dtype, output_.device());
    return {it->second.view(), !first};
}

VectorGradTarget Gradients::vector_grad_target(size_t input) {
    const GradTarget i = grad_target(input);
    return {i.view.data, i.accumulate};
}

void Gradients::give(size_t input, const Tensor& gradient) {
    const Value& v = entry_.inputs[input];
    if (!tape_.wants(v)) return;
    const bool kept =
        tape_.watched_[entry_.output.id];  // then the output's gradient, which this may lie in, stays as it is
    if (!v.leaf && !kept && tape_.gradients_.try_emplace(v.id, gradient).second) return;
    copy_into(gradient, grad_target(input));
}

}  // namespace atrous
