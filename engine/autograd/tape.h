// Reverse-mode automatic differentiation: a tape is a vector of records in the order the ops ran.
//
//   Tape tape;                       // records this thread's ops while it lives
//   Tensor loss = bce_dice(net.forward(x), labels);
//   tape.backward(loss);             // adds to the gradients of every leaf that contributed
//
// Without a live tape nothing is recorded and nothing is saved. There is no double backward.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "engine/module_scope.h"
#include "engine/tensor.h"

namespace atrous {

// A value kept for the backward pass. get() throws if its memory was written to since.
class Saved {
 public:
    Saved(const Tensor& t) : tensor_(t), version_(t.storage() ? t.storage()->version() : 0) {}
    const Tensor& get(const std::string& op) const;

 private:
    Tensor tensor_;
    int64_t version_;
};

class Gradients;
using Backward = std::function<void(Gradients&)>;
using Attribute = std::pair<std::string, std::variant<int64_t, double, bool, std::string>>;

// A record tells summary, inspection, the memory plan and export what they need to know about one op.
struct Record {
    std::string op;
    std::vector<Tensor> inputs;
    Tensor output;
    std::vector<Attribute> attributes = {};
    std::vector<Tensor> constants = {};  // what else it reads and no gradient reaches: running statistics
    std::vector<Saved> saved = {};
    Backward backward = {};
};

// The record as the tape keeps it: values by id and shape, so that nothing is kept alive but what was saved.
struct Value {
    int64_t id = 0;
    Shape shape;
    DType dtype = DType::f32;
    std::shared_ptr<Leaf> leaf;  // of a parameter
    int64_t pitch = 0;           // as Tensor::pitch
};
struct Entry {
    std::string op, module;  // module: the path of the layer that ran it, "down1.conv"
    std::vector<Value> inputs;
    Value output;
    std::vector<Attribute> attributes;
    std::vector<Saved> saved;
    Backward backward;
    bool wanted = false;                // some input needs a gradient
    std::vector<Value> constants = {};  // in mode tracing
};

// An observer sees every value of a pass as it is made: it names the layer where numbers go wrong, or draws values.
class TapeObserver {
 public:
    virtual ~TapeObserver() = default;
    virtual void on_forward(const Entry&, const Tensor& /*output*/) {}
    // Called after the entry's backward ran, with the gradient of its output, and those of its inputs that were wanted
    // (what has reached them so far; a parameter's lies in the arena).
    virtual void on_backward(const Entry&, const Tensor& /*output*/, const std::vector<Tensor>& /*inputs*/) {}
};

class Tape {
 public:
    enum class Mode { training, tracing };  // tracing records what ran and saves nothing
    explicit Tape(Mode mode = Mode::training, TapeObserver* observer = nullptr);
    ~Tape();
    Tape(const Tape&) = delete;
    Tape& operator=(const Tape&) = delete;

    static Tape* current();  // the innermost live tape of this thread, or null
    Mode mode() const { return mode_; }
    const std::vector<Entry>& entries() const { return entries_; }

    // Asks for the gradient of a value that is not a parameter; call before it is used.
    void watch(const Tensor& x);
    Tensor gradient(const Tensor& x) const;  // of a watched value, after backward; undefined if nothing reached it

    // Walks the records backwards from `output` with d(objective)/d(output) = seed (1 if absent), and empties the tape.
    void backward(const Tensor& output, const Tensor& seed = {}) { backward({{output, seed}}); }
    // Walks backwards from several outputs: their seeds are their weights in the objective.
    struct Start {
        Tensor output, seed = {};
    };
    // leaf_done: called once for each parameter that a record reads, when its gradient is complete.
    using LeafDone = std::function<void(const Leaf&)>;
    void backward(const std::vector<Start>& starts, const LeafDone& leaf_done = {});

 private:
    friend Tensor record(Record);
    friend class Gradients;
    friend class NoTape;
    bool wants(const Value& v) const;
    void begin_backward(const std::vector<Start>& starts);
    void run_backward(Entry& entry);
    std::vector<Tensor> gradients_of(const Entry& entry) const;  // of its inputs

    Mode mode_;
    TapeObserver* observer_;
    Tape* outer_;
    std::vector<Entry> entries_;
    std::unordered_map<int64_t, Tensor> gradients_;
    std::unordered_map<int64_t, bool> watched_;  // ids that need a gradient; true: asked for by watch()
};

// While alive, this thread records nothing.
class NoTape {
 public:
    NoTape();
    ~NoTape();
    NoTape(const NoTape&) = delete;
    NoTape& operator=(const NoTape&) = delete;

 private:
    Tape* tape_;
};

// An op's backward function works with this.
class Gradients {
 public:
    Gradients(Tape& tape, Entry& entry, Tensor output) : tape_(tape), entry_(entry), output_(std::move(output)) {}
    const Tensor& output() const { return output_; }  // d(objective)/d(output); may be pitched
    const Tensor& saved(size_t i) const { return entry_.saved[i].get(entry_.op); }
    size_t saved_count() const { return entry_.saved.size(); }
    bool wants(size_t input) const;
    // Returns the buffer for the gradient of an input, and whether to add; absent if the gradient is not wanted.
    // `dtype` is that of parameters' gradients; activations' gradients have the activation's type.
    GradTarget grad_target(size_t input);
    VectorGradTarget vector_grad_target(size_t input);  // the same for a per-channel parameter
    // Passes on a tensor, which no one else will read or write, as the gradient of `input`: no copy where it is the
    // first.
    void give(size_t input, const Tensor& gradient);

 private:
    Tape& tape_;
    Entry& entry_;
    Tensor output_;
};

// Called by every op at its end; returns record.output.
Tensor record(Record record);

}  // namespace atrous
